// One simulated run.
#pragma once

#include <cstdint>
#include <string>

namespace manta::simulator {

struct SimulationResult {
  std::string violation;  // empty: none
  std::string config;
  uint64_t events = 0;
  uint64_t runs = 0;  // of tasks
  uint64_t grants = 0;
  uint64_t revocations = 0;

  bool ok() const { return violation.empty(); }
};

// The same seed gives the same run. `verbose` prints what happens.
SimulationResult Simulate(uint64_t seed, bool verbose = false);

}  // namespace manta::simulator
