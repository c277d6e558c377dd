#include "node/exit_status.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace manta::node {
namespace {

constexpr int kExit3 = 3 << 8;
constexpr int kSegv = SIGSEGV;

TEST(ExitStatusTest, NamesSignals) {
  EXPECT_EQ(DescribeStatus(kSegv), "signal 11 (SIGSEGV)");
  EXPECT_EQ(DescribeStatus(kExit3), "exit status 3");
  const auto cause = CauseOf("worker 7", kSegv, "");
  EXPECT_EQ(cause.signal, SIGSEGV);
  EXPECT_EQ(cause.exit_code, 0);
  EXPECT_EQ(cause.message, "worker 7 was killed by signal 11 (SIGSEGV); for a core dump, start the cluster after `ulimit -c unlimited`");
}

TEST(ExitStatusTest, PointsAtTheOutOfMemoryKiller) {
  EXPECT_NE(CauseOf("worker 7", SIGKILL, "").message.find("out of memory"), std::string::npos);
  EXPECT_EQ(CauseOf("worker 7", SIGKILL, "cancelled").message, "worker 7 was ended: cancelled");
}

TEST(ExitStatusTest, KnowsExits) {
  const auto cause = CauseOf("worker 7", kExit3, "");
  EXPECT_EQ(cause.signal, 0);
  EXPECT_EQ(cause.exit_code, 3);
  EXPECT_EQ(cause.message, "worker 7 exited with status 3");
  EXPECT_EQ(CauseOf("worker 7", std::nullopt, "").message, "worker 7 closed its connection");
}

}  // namespace
}  // namespace manta::node
