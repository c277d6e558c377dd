// Runs the simulation:
//   simulate [--seeds N] [--first-seed S] [--verbose]
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "testing/simulator/simulation.h"

namespace manta::simulator {
namespace {

int Usage() {
  std::fprintf(stderr, "usage: simulate [--seeds N] [--first-seed S] [--verbose]\n");
  return 2;
}

int Main(int argc, char** argv) {
  uint64_t seeds = 1000, first = 1;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
    } else if (std::strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--first-seed") == 0 && i + 1 < argc) {
      first = std::strtoull(argv[++i], nullptr, 10);
    } else {
      return Usage();
    }
  }
  const auto start = std::chrono::steady_clock::now();
  uint64_t failed = 0, events = 0, runs = 0, grants = 0, revocations = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const SimulationResult result = Simulate(seed, verbose);
    events += result.events;
    runs += result.runs;
    grants += result.grants;
    revocations += result.revocations;
    if (result.ok()) continue;
    ++failed;
    std::printf("seed %" PRIu64 ": %s\n  (%s)\n  replay: simulate --seeds 1 --first-seed %" PRIu64
                " --verbose\n",
                seed, result.violation.c_str(), result.config.c_str(), seed);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%" PRIu64 " seeds from %" PRIu64 ": %" PRIu64 " failed; %" PRIu64 " events, %" PRIu64
              " task runs, %" PRIu64 " leases, %" PRIu64 " revocations, %.1f s\n",
              seeds, first, failed, events, runs, grants, revocations, took.count());
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace manta::simulator

int main(int argc, char** argv) { return manta::simulator::Main(argc, argv); }
