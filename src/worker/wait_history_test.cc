#include "worker/wait_history.h"

#include <gtest/gtest.h>

#include <functional>

namespace manta::worker {
namespace {

constexpr int64_t kUs = 1'000, kMs = 1'000'000;

// A task on a made-up clock.
class WaitHistoryTest : public testing::Test {
 protected:
  void Compute(int64_t ns) {
    now += ns;
    times.ran += ns;
  }
  // Computes, and gets a core for one part in `share` of the time.
  void ComputeAmongOthers(int64_t ns, int64_t share) {
    Compute(ns);
    now += (share - 1) * ns;
    times.queued += (share - 1) * ns;
  }
  void Sleep(int64_t ns) { now += ns; }
  // Waits for so long in vain, and sleeps meanwhile; but for the time that it takes to look.
  void WaitFor(int64_t ns) {
    history.Begin(now, clock);
    Compute(kUs);
    Sleep(ns - kUs);
    history.GaveUp(now, needs_cpu, clock);
  }
  void Look() { WaitFor(kUs); }
  // How long a wait that sleeps now does so before it lends.
  int64_t Left() {
    history.Begin(now, clock);
    return history.LendsAt(now) - now;
  }

  WaitHistory history;
  int64_t now = kMs;
  ThreadTimes times;
  std::function<ThreadTimes()> clock = [this] {
    ++readings;
    return times;
  };
  int readings = 0;
  bool child_has_no_worker = false;
  std::function<bool()> needs_cpu = [this] { return child_has_no_worker; };
};

TEST_F(WaitHistoryTest, OneWaitLendsAfterAWhile) {
  EXPECT_EQ(Left(), WaitHistory::kLendAfterNs);
  EXPECT_EQ(readings, 0);
}

TEST_F(WaitHistoryTest, ShortWaitsOneAfterTheOtherLendAsALongOneDoes) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_GT(Left(), 0) << i;
    WaitFor(kMs);
    Compute(kUs);
  }
  WaitFor(kMs);
  EXPECT_EQ(Left(), 0);
}

TEST_F(WaitHistoryTest, SoDoLooksWithSleepsInBetween) {
  for (const int64_t pause : {100 * kUs, 4 * kMs}) {
    history = {};
    for (int64_t slept = 0; slept < 12 * kMs; slept += pause) {
      Look();
      Sleep(pause);
    }
    EXPECT_EQ(Left(), 0) << pause;
  }
}

TEST_F(WaitHistoryTest, SoDoLooksWithoutPauseWhichReadNoClockEachTime) {
  for (int i = 0; i < 6'000; ++i) {
    Look();
    Compute(kUs / 10);
  }
  EXPECT_EQ(Left(), 0);
  EXPECT_LE(readings, 16);
}

TEST_F(WaitHistoryTest, ATaskThatComputesInBetweenKeepsItsCpu) {
  for (int i = 0; i < 1'000; ++i) {
    WaitFor(kMs);
    Compute(3 * kMs);
    EXPECT_EQ(Left(), WaitHistory::kLendAfterNs) << i;
  }
}

// Where more of them are than cores, each spends most of its time in the queue for one.
TEST_F(WaitHistoryTest, SoDoesOneThatComputesAndLooksOnABusyMachine) {
  for (const int64_t step : {40 * kUs, 200 * kUs, kMs, 50 * kMs}) {
    history = {};
    int looks = 0;
    for (int64_t computed = 0; computed < 200 * kMs; computed += step) {
      Look();
      ComputeAmongOthers(step, 10);
      // What it queues for in the look itself, now and then, is no time in which it waits.
      history.Begin(now, clock);
      if (++looks % 10 == 0) {
        now += 30 * kMs;
        times.queued += 30 * kMs;
      }
      history.GaveUp(now, needs_cpu, clock);
    }
    EXPECT_GE(Left(), WaitHistory::kLendAfterNs - kMs) << step;
  }
}

TEST_F(WaitHistoryTest, SoDoesOneThatLosesItsCoreBetweenTwoReadingsOfTheTime) {
  Look();
  for (int i = 0; i < 20; ++i) {
    Compute(kMs);
    times.queued += 30 * kMs;  // after the time was read, and before these were
    Look();
    now += 30 * kMs;
  }
  EXPECT_GE(Left(), WaitHistory::kLendAfterNs - 10 * kUs);
}

TEST_F(WaitHistoryTest, ATaskThatWaitedForLongComputesAgain) {
  Look();
  WaitFor(1'000 * kMs);
  EXPECT_EQ(Left(), 0);
  Compute(20 * kMs);
  EXPECT_EQ(Left(), WaitHistory::kLendAfterNs);
}

TEST_F(WaitHistoryTest, OneThatHasLentWantsItBackWhenItComputes) {
  history.Begin(now, clock);
  Sleep(50 * kMs);
  history.Lent();
  history.GaveUp(now, needs_cpu, clock);
  EXPECT_FALSE(history.computes());
  WaitFor(kMs);
  EXPECT_FALSE(history.computes());
  for (int i = 0; i < 200; ++i) {
    Look();
    Compute(100 * kUs);
  }
  history.Begin(now, clock);
  EXPECT_TRUE(history.computes());
}

TEST_F(WaitHistoryTest, WhoAsksForAChildThatHasNoWorkerWaitsWhateverItDoesInBetween) {
  child_has_no_worker = true;
  for (int i = 0; i < 10; ++i) {
    Look();
    Compute(kMs);
  }
  Look();
  EXPECT_EQ(Left(), 0);
  child_has_no_worker = false;
  for (int i = 0; i < 30; ++i) {
    Look();
    Compute(kMs);
  }
  history.Begin(now, clock);
  EXPECT_TRUE(history.computes());
}

TEST_F(WaitHistoryTest, KnowsWhetherTheLastWaitWasInVain) {
  EXPECT_FALSE(history.in_vain());
  Look();
  EXPECT_TRUE(history.in_vain());
  history.Reached();
  EXPECT_FALSE(history.in_vain());
}

}  // namespace
}  // namespace manta::worker
