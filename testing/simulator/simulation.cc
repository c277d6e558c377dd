#include "testing/simulator/simulation.h"

#include "testing/simulator/cluster.h"
#include "testing/simulator/node.h"
#include "testing/simulator/process.h"

namespace manta::simulator {

SimulationResult Simulate(uint64_t seed, bool verbose) {
  const Config config = ConfigOf(seed);
  Cluster cluster(config, verbose);
  if (config.fairness) {
    cluster.After(config.fairness_time, [&] { cluster.oracle().CheckFairness(cluster.now()); });
  }
  cluster.Run();
  const Oracle& oracle = cluster.oracle();
  return {oracle.violation(), ToString(config),  cluster.events(),
          oracle.runs(),      oracle.grants(), oracle.revocations()};
}

}  // namespace manta::simulator
