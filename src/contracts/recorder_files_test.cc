#include "contracts/recorder_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "testing/temporary_directory.h"

namespace manta::contracts {
namespace {

namespace fs = std::filesystem;

class RecorderFilesTest : public testing::Test {
 protected:
  RecorderFilesTest() { fs::create_directory(session + "/recorder"); }

  const test::TemporaryDirectory temporary;
  const std::string session = temporary.path();
};

TEST_F(RecorderFilesTest, NamesAreReadAsWritten) {
  RecorderNamesWriter writer(session);
  ASSERT_TRUE(writer.Add(RecorderNames::Function{0xabc, {1, 2, 3, 0xffffffff}, "int (*)(int)"}));
  ASSERT_TRUE(writer.Add(RecorderNames::Function{7, {1, 2, 0, 0}, ""}));
  ASSERT_TRUE(writer.Add(RecorderNames::Module{1, "00ff", "/opt/a program"}));
  ASSERT_TRUE(writer.Add(RecorderNames::Module{3, "", "/opt/b"}));
  ASSERT_TRUE(writer.Add(RecorderNames::Program{9, "/opt/a program"}));
  const RecorderNames names = ReadRecorderNames(session);
  ASSERT_EQ(names.functions.size(), 2u);
  EXPECT_EQ(names.functions[0].key, 0xabcu);
  EXPECT_EQ(names.functions[0].id.target, 0xffffffffu);
  EXPECT_EQ(names.functions[0].type, "int (*)(int)");
  EXPECT_EQ(names.functions[1].type, "");
  ASSERT_EQ(names.modules.size(), 2u);
  EXPECT_EQ(names.modules[0].build_id, "00ff");
  EXPECT_EQ(names.modules[0].path, "/opt/a program");
  EXPECT_EQ(names.modules[1].build_id, "");
  ASSERT_EQ(names.programs.size(), 1u);
  EXPECT_EQ(names.programs[0].path, "/opt/a program");
}

TEST_F(RecorderFilesTest, EveryNameStandsThereOnce) {
  for (int process = 0; process < 3; ++process) {
    RecorderNamesWriter writer(session);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(writer.Add(RecorderNames::Function{5, {1, 2, 0, 0}, "F"}));
  }
  EXPECT_EQ(ReadRecorderNames(session).functions.size(), 1u);
}

TEST_F(RecorderFilesTest, ANameStaysOnItsLine) {
  RecorderNamesWriter writer(session);
  ASSERT_TRUE(writer.Add(RecorderNames::Function{1, {1, 2, 0, 0}, "a\nfunction 00000002 x"}));
  ASSERT_TRUE(writer.Add(RecorderNames::Function{3, {1, 2, 0, 0}, std::string(5000, 'x')}));
  const RecorderNames names = ReadRecorderNames(session);
  ASSERT_EQ(names.functions.size(), 2u);
  EXPECT_EQ(names.functions[0].type, "a function 00000002 x");
  EXPECT_EQ(names.functions[1].type.size(), kMaxNameBytes);
}

TEST_F(RecorderFilesTest, TheFileHasABound) {
  RecorderNamesWriter writer(session);
  for (uint32_t i = 1; i <= 2000; ++i) {
    ASSERT_TRUE(writer.Add(RecorderNames::Function{i, {1, i, 0, 0}, std::string(kMaxNameBytes, 'x')}));
  }
  EXPECT_LE(fs::file_size(session + "/recorder/names"), kMaxNamesBytes);
  EXPECT_GT(ReadRecorderNames(session).functions.size(), 900u);
}

TEST_F(RecorderFilesTest, DamagedLinesAreLeftOut) {
  const RecorderNames names = ParseRecorderNames(
      "function 1\nfunction zz 1 2 3 4 F\nfunction 123456789 1 2 3 4 F\n\nmodule\nnonsense 1 2\n"
      "function 0000000a 1 2 3 4 Good\nfunction b 1 2 3 4 half a li");
  ASSERT_EQ(names.functions.size(), 1u);
  EXPECT_EQ(names.functions[0].key, 10u);
  EXPECT_EQ(names.functions[0].type, "Good");
}

TEST_F(RecorderFilesTest, AFileThatCannotBeWrittenIsAnError) {
  fs::create_directory(session + "/recorder/names");
  RecorderNamesWriter writer(session);
  const Result<> added = writer.Add(RecorderNames::Program{1, "p"});
  ASSERT_FALSE(added);
  EXPECT_NE(added.error().message.find(session + "/recorder/names"), std::string::npos) << added.error().message;
}

TEST_F(RecorderFilesTest, RecordingsAreFoundByTheirNames) {
  std::ofstream(RecorderFile(session, MakeProcessId(1, 3), RecorderThreads::kExecuting)) << "x";
  std::ofstream(RecorderFile(session, MakeProcessId(1, 3), RecorderThreads::kOthers)) << "x";
  std::ofstream(session + "/recorder/names") << "x";
  const auto files = FindRecorderFiles(session);
  ASSERT_TRUE(files);
  EXPECT_EQ(files.value(), (std::vector<std::string>{session + "/recorder/process-3-threads.rec",
                                                     session + "/recorder/process-3.rec"}));
  EXPECT_FALSE(FindRecorderFiles(session + "/nowhere"));
}

}  // namespace
}  // namespace manta::contracts
