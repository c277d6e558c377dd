#include "model/start_attempts.h"

#include <gtest/gtest.h>

namespace manta::model {
namespace {

constexpr Nanoseconds kMillisecond = 1'000'000;
constexpr Nanoseconds kNow = 1000 * kMillisecond;

TEST(StartAttempts, BackOffFromMillisecondsToASecond) {
  StartAttempts attempts;
  EXPECT_LE(attempts.not_before(), kNow) << "the first start does not wait";
  for (const Nanoseconds delay : {10, 40, 160, 640, 1000, 1000, 1000}) {
    attempts.Failed(kNow, attempts.round());
    EXPECT_EQ(attempts.not_before() - kNow, delay * kMillisecond);
  }
}

TEST(StartAttempts, AreExhaustedAfterAFewInARow) {
  StartAttempts attempts;
  for (uint64_t failed = 1; failed <= StartAttempts::kLimit; ++failed) {
    EXPECT_FALSE(attempts.exhausted());
    attempts.Failed(kNow, attempts.round());
    EXPECT_EQ(attempts.failures(), failed);
  }
  EXPECT_TRUE(attempts.exhausted());
}

TEST(StartAttempts, OfOneRoundCountOnce) {
  StartAttempts attempts;
  const uint64_t round = attempts.round();
  for (int neighbour = 0; neighbour < 64; ++neighbour) attempts.Failed(kNow, round);
  EXPECT_EQ(attempts.failures(), 1u);
}

TEST(StartAttempts, AreForgottenWhenALaterOneServes) {
  StartAttempts attempts;
  attempts.Failed(kNow, attempts.round());
  attempts.Failed(kNow, attempts.round());
  attempts.Served(attempts.round());
  EXPECT_EQ(attempts.failures(), 0u);
}

// One worker runs, and the limit of processes leaves no room for a second.
TEST(StartAttempts, AreNotForgottenBecauseAnEarlierOneServes) {
  StartAttempts attempts;
  const uint64_t of_the_one_that_runs = attempts.round();
  for (uint64_t failed = 0; failed <= StartAttempts::kLimit; ++failed) {
    attempts.Served(of_the_one_that_runs);
    attempts.Failed(kNow, attempts.round());
  }
  EXPECT_TRUE(attempts.exhausted());
}

TEST(StartAttempts, BeginAnewAfterGivingUp) {
  StartAttempts attempts;
  while (!attempts.exhausted()) attempts.Failed(kNow, attempts.round());
  attempts.GiveUp(kNow);
  EXPECT_EQ(attempts.failures(), 0u);
  EXPECT_EQ(attempts.not_before(), kNow + StartAttempts::kLongestDelay);
  attempts.Failed(kNow, attempts.round());
  EXPECT_EQ(attempts.failures(), 1u);
}

}  // namespace
}  // namespace manta::model
