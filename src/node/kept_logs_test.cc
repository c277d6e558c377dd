#include "node/kept_logs.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "testing/temporary_directory.h"

namespace manta::node {
namespace {

namespace fs = std::filesystem;

class KeptLogsTest : public testing::Test {
 protected:
  WorkerLog Log(size_t worker) const { return {directory + "/worker-" + std::to_string(worker)}; }
  void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

  const test::TemporaryDirectory temporary;
  const std::string directory = temporary.path();
  KeptLogs kept;
};

TEST_F(KeptLogsTest, EmptyOnesGo) {
  Write(Log(1).out(), "");
  Write(Log(1).err(), "last words\n");
  kept.WorkerGone(Log(1));
  EXPECT_FALSE(fs::exists(Log(1).out()));
  EXPECT_TRUE(fs::exists(Log(1).err()));
  kept.WorkerGone(Log(2));  // has never had any
}

TEST_F(KeptLogsTest, OneWhoseTextIsInItsOlderPartIsNotEmpty) {
  Write(Log(1).out(), "");
  Write(OldLog(Log(1).out(), 1), "text");
  kept.WorkerGone(Log(1));
  EXPECT_TRUE(fs::exists(OldLog(Log(1).out(), 1)));
}

TEST_F(KeptLogsTest, TheNewestStay) {
  const size_t workers = KeptLogs::kKept + 1;
  Write(OldLog(Log(0).out(), 2), "older");
  for (size_t worker = 0; worker < workers; ++worker) {
    Write(Log(worker).out(), "text");
    Write(Log(worker).err(), "");
    kept.WorkerGone(Log(worker));
  }
  EXPECT_FALSE(fs::exists(Log(0).out()));
  EXPECT_FALSE(fs::exists(OldLog(Log(0).out(), 2)));
  EXPECT_TRUE(fs::exists(Log(1).out()));
  EXPECT_TRUE(fs::exists(Log(workers - 1).out()));
}

}  // namespace
}  // namespace manta::node
