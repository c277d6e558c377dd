#include "worker/worker_output.h"

#include <gtest/gtest.h>

namespace manta::worker {
namespace {

TEST(WorkerOutputTest, EachLineSaysWhereItComesFrom) {
  EXPECT_EQ(WithPrefix({"", 12, 0}, "one\n\ntwo\n", false), "(pid=12) one\n(pid=12) \n(pid=12) two\n");
  EXPECT_EQ(WithPrefix({"Counter", 12, 3}, "no end", false), "(Counter pid=12, node=3) no end");
  EXPECT_EQ(WithPrefix({"", 1, 0}, "", false), "");
}

TEST(WorkerOutputTest, OnlyThePrefixIsColored) {
  EXPECT_EQ(WithPrefix({"", 12, 0}, "red\n", true), "\x1b[36m(pid=12)\x1b[0m red\n");
}

}  // namespace
}  // namespace manta::worker
