#include "stacks/throw_stack.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>

#include "stacks/stack_text.h"
#include "stacks/symbolizer.h"

namespace manta {
inline namespace v1 {
namespace detail {

// As the invokers of the public headers see it.
class ThrowProbe {
 public:
  virtual ~ThrowProbe();
};

}  // namespace detail
}  // namespace v1

namespace stacks {
namespace {

[[gnu::noinline]] void ThrowIf(bool wanted) {
  if (wanted) throw std::out_of_range("as asked");
}
[[gnu::noinline]] void Outer(bool wanted) {
  ThrowIf(wanted);
  asm volatile("");  // no tail call
}

std::string TextOf(const ThrowStack& stack) {
  const std::vector<Frame> frames = Symbolizer::OfThisProcess().Describe(stack.addresses());
  return FramesText(UserFrames(frames), stack.is_cut());
}

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

using Body = std::function<void()>;

void Invoke(manta_call* call) {
  try {
    (*static_cast<const Body*>(call->target))();
  } catch (const detail::ThrowProbe&) {
    FAIL() << "the probe takes nothing";
  } catch (...) {
  }
}

void Call(const Body& body, ThrowStack* stack) {
  manta_call call{};
  call.target = &body;
  CallNotingThrows(Invoke, &call, stack);
}

ThrowStack StackOf(const Body& body) {
  ThrowStack stack;
  Call(body, &stack);
  return stack;
}

TEST(ThrowStack, BeginsAtTheThrowAndEndsAtTheCall) {
  const std::string text = TextOf(StackOf([] { Outer(true); }));
  EXPECT_TRUE(Contains(text, "#0 manta::stacks::(anonymous namespace)::ThrowIf(bool) ")) << text;
  EXPECT_TRUE(Contains(text, "#1 manta::stacks::(anonymous namespace)::Outer(bool) ")) << text;
  EXPECT_FALSE(Contains(text, "CallNotingThrows")) << text;
  EXPECT_FALSE(Contains(text, "testing::")) << text;
}

TEST(ThrowStack, IsThereForAnyType) {
  EXPECT_FALSE(StackOf([] { throw 42; }).addresses().empty());
  EXPECT_FALSE(StackOf([] { throw "text"; }).addresses().empty());
}

TEST(ThrowStack, OfWhatTheUserCatchesThereIsNone) {
  EXPECT_TRUE(StackOf([] {
                try {
                  Outer(true);
                } catch (const std::exception&) {
                }
              }).addresses().empty());
  EXPECT_TRUE(StackOf([] { Outer(false); }).addresses().empty());
}

TEST(ThrowStack, OfAnEarlierCallIsForgotten) {
  ThrowStack stack;
  Call([] { Outer(true); }, &stack);
  EXPECT_FALSE(stack.addresses().empty());
  Call([] { Outer(false); }, &stack);
  EXPECT_TRUE(stack.addresses().empty());
}

// A call in a destructor that runs while the outer exception unwinds, as a task that waits in one may be run in place.
struct ThrowsInsideWhenDestroyed {
  ~ThrowsInsideWhenDestroyed() { StackOf([] { throw 1; }); }
};

TEST(ThrowStack, OfACallInsideIsItsOwn) {
  const std::string text = TextOf(StackOf([] {
    const ThrowsInsideWhenDestroyed inside;
    Outer(true);
  }));
  EXPECT_TRUE(Contains(text, "ThrowIf(bool)")) << text;
}

[[gnu::noinline]] int Recurse(int depth) {
  if (depth == 0) throw depth;
  const int below = Recurse(depth - 1);
  asm volatile("");  // no loop instead
  return below + 1;
}

TEST(ThrowStack, OfADeepRecursionIsCut) {
  const ThrowStack stack = StackOf([] { Recurse(10'000); });
  EXPECT_TRUE(stack.is_cut());
  EXPECT_TRUE(TextOf(stack).ends_with("  ... more frames\n"));
}

TEST(ThrowStack, NamesComeWithFileAndLineWhereTheMachineCanTell) {
  const std::string text = TextOf(StackOf([] { Outer(true); }));
  SourceLines lines;
  const SourceLine here = lines.Find(reinterpret_cast<uintptr_t>(&Outer));
  if (here.file.empty()) GTEST_SKIP() << "no libdw, or no debug information";
  EXPECT_TRUE(here.file.ends_with("throw_stack_test.cc"));
  EXPECT_TRUE(Contains(text, "throw_stack_test.cc:")) << text;
}

}  // namespace
}  // namespace stacks
}  // namespace manta
