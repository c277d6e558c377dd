#include "worker/wait_history.h"

#include <gtest/gtest.h>

#include <functional>

namespace manta::worker {
namespace {

constexpr int64_t kMs = 1'000'000;

// A task on a made-up clock.
class WaitHistoryTest : public testing::Test {
 protected:
  void Run(int64_t ns) {
    now += ns;
    cpu += ns;
  }
  void Sleep(int64_t ns) { now += ns; }
  // Waits for so long, in vain.
  void WaitFor(int64_t ns) {
    history.Begin(now, clock);
    now += ns;
    history.GaveUp(now, clock);
  }
  // How long a wait that sleeps now does so before it lends.
  int64_t Left() { return history.LendsAt(now) - now; }

  WaitHistory history;
  int64_t now = kMs, cpu = 0;
  std::function<int64_t()> clock = [this] {
    ++readings;
    return cpu;
  };
  int readings = 0;
};

TEST_F(WaitHistoryTest, OneWaitLendsAfterAWhile) {
  history.Begin(now, clock);
  EXPECT_EQ(Left(), WaitHistory::kLendAfterNs);
  EXPECT_EQ(readings, 0);
}

TEST_F(WaitHistoryTest, ShortWaitsOneAfterTheOtherLendAsALongOneDoes) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_GT(Left(), 0) << i;
    WaitFor(kMs);
    Run(1'000);
  }
  EXPECT_EQ(Left(), 0);
}

TEST_F(WaitHistoryTest, SoDoLooksWithSleepsInBetween) {
  for (int i = 0; i < 2; ++i) {
    WaitFor(100);
    Sleep(4 * kMs);
  }
  WaitFor(100);
  EXPECT_EQ(Left(), 0);
}

TEST_F(WaitHistoryTest, SoDoLooksWithoutPauseWhichReadNoClockEachTime) {
  for (int i = 0; i < 60'000; ++i) {
    WaitFor(90);
    Run(10);
  }
  EXPECT_EQ(Left(), 0);
  EXPECT_LE(readings, 15);
}

TEST_F(WaitHistoryTest, ATaskThatRunsInBetweenKeepsItsCpu) {
  for (int i = 0; i < 1'000; ++i) {
    WaitFor(kMs);
    Run(3 * kMs);
    history.Begin(now, clock);
    EXPECT_EQ(Left(), WaitHistory::kLendAfterNs) << i;
  }
}

TEST_F(WaitHistoryTest, ATaskThatWaitedForLongRunsAgain) {
  WaitFor(1'000 * kMs);
  EXPECT_EQ(Left(), 0);
  Run(20 * kMs);
  history.Begin(now, clock);
  EXPECT_EQ(Left(), WaitHistory::kLendAfterNs);
}

TEST_F(WaitHistoryTest, WhoHasLentSaysSoAgainButNotAllTheTime) {
  for (int i = 0; i < 20; ++i) WaitFor(kMs);
  history.Lent(now);
  EXPECT_TRUE(history.lent());
  EXPECT_EQ(Left(), WaitHistory::kLendAfterNs);
  Sleep(2 * kMs);
  EXPECT_EQ(Left(), WaitHistory::kLendAfterNs - 2 * kMs);
  Sleep(10 * kMs);
  EXPECT_EQ(Left(), 0);
  history.TookBack();
  EXPECT_FALSE(history.lent());
}

}  // namespace
}  // namespace manta::worker
