// A thousand simulated clusters. A failure names its seed: `simulate --seeds 1 --first-seed S
// --verbose` replays it.
#include <gtest/gtest.h>

#include <cstdint>

#include "testing/simulator/config.h"
#include "testing/simulator/simulation.h"

namespace manta::simulator {
namespace {

constexpr uint64_t kParts = 10;  // they can run side by side
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeedsPerPart = 10;
#else
constexpr uint64_t kSeedsPerPart = 100;
#endif

class SimulatedClusters : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SimulatedClusters, KeepsItsPromises) {
  for (uint64_t seed = GetParam(); seed < GetParam() + kSeedsPerPart; ++seed) {
    const SimulationResult result = Simulate(seed);
    ASSERT_TRUE(result.ok()) << "seed " << seed << ": " << result.violation << "\n("
                             << result.config << ")";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimulatedClusters,
                         ::testing::Range<uint64_t>(1, 1 + kParts * kSeedsPerPart, kSeedsPerPart));

TEST(SimulatorTest, TheSameSeedGivesTheSameRun) {
  const SimulationResult first = Simulate(5), second = Simulate(5);
  EXPECT_EQ(first.events, second.events);
  EXPECT_EQ(first.runs, second.runs);
  EXPECT_EQ(first.grants, second.grants);
  EXPECT_EQ(first.revocations, second.revocations);
}

// Otherwise a thousand green seeds would say little.
TEST(SimulatorTest, TheSeedsCoverWhatGoesWrong) {
  uint32_t calm = 0, fair = 0, worker_crashes = 0, driver_crashes = 0, node_crashes = 0, pauses = 0;
  uint64_t revocations = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Config config = ConfigOf(seed);
    calm += config.IsCalm();
    fair += config.fairness;
    worker_crashes += config.worker_crashes > 0;
    driver_crashes += config.driver_crashes > 0;
    node_crashes += config.node_crashes > 0 && config.nodes > 1;
    pauses += config.pauses > 0;
    if (seed <= 20) revocations += Simulate(seed).revocations;
  }
  for (const uint32_t seeds : {calm, fair, worker_crashes, driver_crashes, node_crashes, pauses}) {
    EXPECT_GE(seeds, 5u);
  }
  EXPECT_GT(revocations, 0u);
}

}  // namespace
}  // namespace manta::simulator
