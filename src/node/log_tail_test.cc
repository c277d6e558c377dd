#include "node/log_tail.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace manta::node {
namespace {

class LogTailTest : public testing::Test {
 protected:
  ~LogTailTest() override { std::remove(path.c_str()); }
  std::string Tail(const std::string& text, size_t bytes = 2048, size_t lines = 20) {
    std::ofstream(path, std::ios::trunc) << text;
    return ReadLogTail(path, bytes, lines);
  }
  const std::string path = testing::TempDir() + "log_tail_test." + std::to_string(getpid());
};

TEST_F(LogTailTest, SmallFilesComeWhole) {
  EXPECT_EQ(Tail("one\ntwo\n"), "one\ntwo");
  EXPECT_EQ(Tail("without end"), "without end");
  EXPECT_EQ(Tail(""), "");
  EXPECT_EQ(Tail("\n\n"), "");
}

TEST_F(LogTailTest, TheLastLinesOnly) {
  EXPECT_EQ(Tail("1\n2\n3\n4\n", 2048, 2), "3\n4");
  EXPECT_EQ(Tail("1\n2\n3\n4", 2048, 4), "1\n2\n3\n4");
  EXPECT_EQ(Tail("\n2\n", 2048, 2), "\n2");
}

TEST_F(LogTailTest, WholeLinesWherePossible) {
  EXPECT_EQ(Tail("first line\nsecond line\n", 15), "second line");
  EXPECT_EQ(Tail(std::string(100, 'x') + "\n", 10), std::string(9, 'x'));
}

TEST_F(LogTailTest, OfAWorkerHasNoMarks) {
  const WorkerLog log{path};
  std::ofstream(log.out()) << ":task_name:f\none\n:task_name:g\ntwo\n";
  EXPECT_EQ(log.Tail(), "one\ntwo");
  std::ofstream(log.err()) << ":actor_name:a\n";
  EXPECT_EQ(log.Tail(), "one\ntwo");
  std::ofstream(log.err()) << ":task_name:f\nwrong\n";
  EXPECT_EQ(log.Tail(), "[standard output]\none\ntwo\n[standard error]\nwrong");
  std::remove(log.out().c_str());
  std::remove(log.err().c_str());
}

TEST_F(LogTailTest, NoFileIsNoText) { EXPECT_EQ(ReadLogTail("/nowhere/at/all"), ""); }

}  // namespace
}  // namespace manta::node
