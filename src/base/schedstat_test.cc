#include "base/schedstat.h"

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <thread>
#include <utility>
#include <vector>

namespace manta {
namespace {

constexpr int64_t kMs = 1'000'000;

int64_t Now(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void ComputeFor(int64_t ns) {
  const int64_t until = Now() + ns;
  while (Now() < until) {
  }
}

TEST(SchedStatTest, WhoComputesBesideTooManyRunsOrQueues) {
  std::vector<std::thread> others(2 * std::thread::hardware_concurrency());
  for (std::thread& one : others) one = std::thread(ComputeFor, 200 * kMs);
  const SchedStat stat = SchedStat::OfThisThread();
  const int64_t queued = stat.Queued(), ran = Now(CLOCK_THREAD_CPUTIME_ID), began = Now();
  ComputeFor(200 * kMs);
  const int64_t passed = Now() - began;
  const int64_t was_queued = stat.Queued() - queued, has_run = Now(CLOCK_THREAD_CPUTIME_ID) - ran;
  for (std::thread& one : others) one.join();
  EXPECT_GT(was_queued, 0);
  EXPECT_GE(has_run + was_queued, passed * 8 / 10);
}

TEST(SchedStatTest, WhoSleepsDoesNotQueue) {
  const SchedStat stat = SchedStat::OfMainThread(getpid());
  const int64_t before = stat.Queued(), began = Now();
  usleep(100'000);
  const int64_t queued = stat.Queued() - before;
  EXPECT_LE(queued, Now() - began - 99 * kMs) << "it may queue when it wakes";
}

TEST(SchedStatTest, OfNobodyIsNone) {
  SchedStat stat = SchedStat::OfMainThread(getpid() + 1'000'000'000);
  EXPECT_EQ(stat.Queued(), 0);
  stat = SchedStat();
  EXPECT_EQ(stat.Queued(), 0);
  stat = SchedStat::OfThisThread();
  const SchedStat moved = std::move(stat);
  EXPECT_GE(moved.Queued(), 0);
}

}  // namespace
}  // namespace manta
