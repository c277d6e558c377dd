#include "stacks/stack_text.h"

#include <gtest/gtest.h>

namespace manta::stacks {
namespace {

Frame In(const std::string& symbol, const std::string& function = "") {
  Frame frame;
  frame.symbol = symbol;
  frame.function = function.empty() ? symbol : function;
  frame.module = "/bin/prog";
  frame.offset = 0x12af;
  return frame;
}

std::vector<std::string> Symbols(std::span<const Frame> frames) {
  std::vector<std::string> symbols;
  for (const Frame& frame : frames) symbols.push_back(frame.symbol);
  return symbols;
}

using Names = std::vector<std::string>;

TEST(StackText, ShowsFunctionSourceAndPlaceInTheModule) {
  Frame found = In("_Z4Findi", "Find(int)");
  found.source = {"/src/find.cc", 12};
  EXPECT_EQ(FramesText(std::vector{found, In("main")}, false),
            "  #0 Find(int) at /src/find.cc:12 (/bin/prog+0x12af)\n"
            "  #1 main (/bin/prog+0x12af)\n");
}

TEST(StackText, ShowsTheModuleOfAFunctionWithoutName) {
  EXPECT_EQ(FramesText(std::vector{In("")}, false), "  #0 ?? (/bin/prog+0x12af)\n");
}

TEST(StackText, LeavesOutTheRuntimeOnBothSides) {
  const std::vector<Frame> frames = {In("__gxx_personality_v0"), In("_Unwind_RaiseException"), In("__cxa_throw"),
                                     In("_Z4Findi"), In("_ZZ4MainvENKUliE_clEi"),
                                     In("_ZZN5manta2v16detail12FunctionBodyIiE3RunEvENKUlvE_clEv"),
                                     In("_ZN5manta2v16detail6InvokeIiEEvP10manta_call")};
  EXPECT_EQ(Symbols(UserFrames(frames)), (Names{"_Z4Findi", "_ZZ4MainvENKUliE_clEi"}));
}

TEST(StackText, LeavesOutHowAnErrorBecomesAnException) {
  const std::vector<Frame> frames = {In("__cxa_throw"), In("_ZN5manta2v16detail12ThrowIfNamedISt9exceptionEEvPKc"),
                                     In("_ZN5manta2v110ThrowErrorEP11manta_error"),
                                     In("_ZNK5manta2v19ObjectRefIiE3GetEv"), In("_Z5Outeri")};
  EXPECT_EQ(Symbols(UserFrames(frames)), (Names{"_ZNK5manta2v19ObjectRefIiE3GetEv", "_Z5Outeri"}));
}

TEST(StackText, KeepsACodeOfTheUsersThatWasInlined) {
  const std::vector<Frame> frames = {In("__cxa_throw"), In("_ZN5manta2v16detail6InvokeIiEEvP10manta_call")};
  EXPECT_EQ(UserFrames(frames).size(), 1u);
  EXPECT_TRUE(UserFrames({}).empty());
}

TEST(StackText, AThrowDeepInAUsersStackIsNotTheRuntimes) {
  std::vector<Frame> frames = {In("__cxa_throw")};
  for (int i = 0; i < 30; ++i) frames.push_back(In("_Z4Findi"));
  frames.push_back(In("__cxa_throw"));
  EXPECT_EQ(UserFrames(frames).size(), 31u);
}

TEST(StackText, IsBoundedInFramesAndBytes) {
  const std::string many = FramesText(std::vector<Frame>(kMaxFrames + 1, In("f")), false);
  EXPECT_NE(many.find("  #63 f"), std::string::npos);
  EXPECT_EQ(many.find("  #64 f"), std::string::npos);
  EXPECT_TRUE(many.ends_with("  ... more frames\n"));
  EXPECT_TRUE(FramesText(std::vector{In("f")}, true).ends_with("  ... more frames\n"));

  Frame long_one = In("f", std::string(100'000, 'f'));
  long_one.module = std::string(4000, 'm');
  EXPECT_LE(FramesText(std::vector<Frame>(kMaxFrames, long_one), false).size(), kMaxStackBytes - 900);
}

TEST(StackText, AChainNamesEachPlace) {
  EXPECT_EQ(PassedOn("", "thrown here\n"), "thrown here");
  EXPECT_EQ(PassedOn(PassedOn("thrown here\n", "passed on 1\n"), "passed on 2\n"),
            "thrown here\npassed on 1\npassed on 2");
}

TEST(StackText, ALongChainIsCountedAndKeepsTheThrow) {
  std::string stack = PassedOn("", "thrown here");
  const std::string section = "passed on " + std::string(990, '.');
  for (int i = 0; i < 1000; ++i) {
    stack = PassedOn(stack, section);
    ASSERT_LE(stack.size(), kMaxStackBytes);
  }
  EXPECT_TRUE(stack.starts_with("thrown here\npassed on ..."));
  // 16 of 1001 bytes each found room.
  EXPECT_TRUE(stack.ends_with("\n... and passed on 984 more times")) << stack.substr(stack.size() - 60);
}

TEST(StackText, TheStackOfAStrangerIsBoundedToo) {
  EXPECT_LE(PassedOn(std::string(100'000, 'x'), "here").size(), kMaxStackBytes);
  EXPECT_LE(PassedOn("", std::string(100'000, 'x')).size(), kMaxStackBytes);
}

}  // namespace
}  // namespace manta::stacks
