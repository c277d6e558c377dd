#include "worker/cpu_lending.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "worker/clock.h"

namespace manta::worker {
namespace {

constexpr int64_t kMs = 1'000'000;

// On a made-up clock, but for what threads beside the task run in their waits.
class CpuLendingTest : public testing::Test {
 protected:
  // Ticks whenever it is asked for, for so long.
  void Pass(int64_t ns, bool computes = false) {
    for (const int64_t end = now + ns; now < end;) {
      const int64_t next = lending.Tick(now);
      const int64_t step = next < 0 ? end - now : std::min(next, end - now);
      now += step;
      if (computes) ran += step;
    }
  }
  void Compute(int64_t ns) { Pass(ns, true); }

  int64_t now = NowNs();
  int64_t ran = 0;     // the task's thread, or the process but for the service thread
  bool runs_a_task = true;
  std::atomic<int> wakes = 0;
  std::vector<bool> told;
  CpuLending lending{{.tell = [this](bool lent) { told.push_back(lent); },
                      .wake_ticker = [this] { ++wakes; },
                      .runs_a_task = [this] { return runs_a_task; },
                      .read_clock = [this](clockid_t) { return ran; },
                      .wanted = [this] { return ran; }}};
  CpuLending::Loan loan;
  using End = CpuLending::WaitBeside::End;
};

TEST_F(CpuLendingTest, TheFirstOfSeveralLendsAndTheLastTakesBack) {
  CpuLending::Loan other;
  lending.Lend(&loan);
  lending.Lend(&other);
  lending.TakeBack(&loan);
  EXPECT_EQ(told, std::vector{true});
  lending.TakeBack(&other);
  lending.TakeBack(&other);
  EXPECT_EQ(told, (std::vector{true, false}));
}

TEST_F(CpuLendingTest, WhoPollsLendsAllTheTimeAndSaysSoOnce) {
  lending.Lend(&loan);
  for (int i = 0; i < 1'000; ++i) {
    lending.Pause(&loan, now);
    Compute(kMs);
    EXPECT_TRUE(lending.Resume(&loan)) << i;
    Pass(kMs);
  }
  EXPECT_EQ(told, std::vector{true});
  lending.TakeBack(&loan);
  EXPECT_EQ(lending.Tick(now + CpuLending::kLongestPauseNs), -1);
}

TEST_F(CpuLendingTest, WhatATaskHasLentEndsWithIt) {
  {
    CpuLending::Loan gone;
    lending.Lend(&gone);
    lending.Pause(&gone, now);
  }
  EXPECT_EQ(told, (std::vector{true, false}));
  Pass(CpuLending::kLongestPauseNs);
}

TEST_F(CpuLendingTest, WhoRunsOnAfterAWaitThatGaveUpHasItBackSoon) {
  lending.Lend(&loan);
  lending.Pause(&loan, now);
  EXPECT_GT(wakes, 0);
  Compute(3 * CpuLending::kLookNs);
  EXPECT_EQ(told, (std::vector{true, false}));
  EXPECT_FALSE(lending.Resume(&loan));
}

TEST_F(CpuLendingTest, WhoHardlyGetsACoreStillLends) {
  lending.Lend(&loan);
  lending.Pause(&loan, now);
  for (int i = 0; i < 9; ++i) {
    ran += CpuLending::kRunsNs / 10;
    Pass(CpuLending::kLongestPauseNs / 10);
  }
  EXPECT_EQ(told, std::vector{true});
}

TEST_F(CpuLendingTest, WhoDoesNotWaitAgainHasItBackInTheEnd) {
  lending.Lend(&loan);
  lending.Pause(&loan, now);
  Pass(CpuLending::kLongestPauseNs - kMs);
  EXPECT_TRUE(loan.lent());
  Pass(CpuLending::kLookNs);
  EXPECT_FALSE(loan.lent());
}

TEST_F(CpuLendingTest, WhoIsInAWaitIsNotLookedAt) {
  lending.Lend(&loan);
  lending.Pause(&loan, now);
  lending.Resume(&loan);
  Compute(10 * CpuLending::kLongestPauseNs);
  EXPECT_EQ(told, std::vector{true});
}

TEST_F(CpuLendingTest, AProcessThatSleepsWhileAThreadWaitsLends) {
  {
    CpuLending::WaitBeside wait(&lending);
    Pass(CpuLending::kFirstLookNs / 2);
    EXPECT_TRUE(told.empty());
    Pass(CpuLending::kFirstLookNs);
    EXPECT_EQ(told, std::vector{true});
    wait.Ends(End::kReached);
  }
  EXPECT_EQ(told, (std::vector{true, false}));
  Pass(CpuLending::kLongestPauseNs);
  EXPECT_EQ(told.size(), 2u) << "nobody waits any more";
}

TEST_F(CpuLendingTest, OneThatComputesMeanwhileKeepsItOrTakesItBack) {
  CpuLending::WaitBeside wait(&lending);
  Compute(1'000 * kMs);
  EXPECT_TRUE(told.empty());
  Pass(100 * kMs);
  EXPECT_EQ(told, std::vector{true});
  Compute(100 * kMs);
  EXPECT_EQ(told, (std::vector{true, false}));
}

TEST_F(CpuLendingTest, OneThatRunsNoTaskHasNoCpuToLend) {
  runs_a_task = false;
  CpuLending::WaitBeside wait(&lending);
  Pass(100 * kMs);
  EXPECT_TRUE(told.empty());
}

TEST_F(CpuLendingTest, WaitsInVainCountAsOneUntilTheThreadDoesSomethingElse) {
  for (int i = 0; i < 100; ++i) {
    { const CpuLending::WaitBeside wait(&lending); }
    Pass(kMs);
  }
  EXPECT_EQ(told, std::vector{true});
  Pass(2 * CpuLending::kLongestPauseNs);
  EXPECT_EQ(told, (std::vector{true, false}));
  EXPECT_EQ(lending.Tick(now), -1);
}

TEST_F(CpuLendingTest, WhatAThreadDoesThatAsksForAChildWithoutWorkerIsNoComputing) {
  const auto spin = [&] {
    const int64_t began = ReadClock(CLOCK_THREAD_CPUTIME_ID);
    while (ReadClock(CLOCK_THREAD_CPUTIME_ID) - began < kMs / 2) {
    }
  };
  for (const End end : {End::kNeedsCpu, End::kGaveUp}) {
    told.clear();
    for (int i = 0; i < 100; ++i) {
      {
        CpuLending::WaitBeside wait(&lending);
        wait.Ends(end);
      }
      spin();
      now = NowNs();
      ran = ReadClock(CLOCK_THREAD_CPUTIME_ID);
      lending.Tick(now);
    }
    EXPECT_EQ(told.empty(), end == End::kGaveUp);
    CpuLending::WaitBeside(&lending).Ends(End::kReached);
  }
}

// What looks like computing in the clock of the process is its threads that look for what they wait for.
TEST_F(CpuLendingTest, WhatThreadsRunInTheirWaitsIsNoComputing) {
  std::vector<std::thread> threads;
  std::atomic<bool> done{false};
  std::atomic<int64_t> spun{0};
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        const CpuLending::WaitBeside wait(&lending);
        const int64_t began = ReadClock(CLOCK_THREAD_CPUTIME_ID);
        while (ReadClock(CLOCK_THREAD_CPUTIME_ID) - began < kMs) {
        }
        spun += ReadClock(CLOCK_THREAD_CPUTIME_ID) - began;
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    now = NowNs();
    ran = spun;
    lending.Tick(now);
  }
  done = true;
  for (std::thread& one : threads) one.join();
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(told.front());
}

}  // namespace
}  // namespace manta::worker
