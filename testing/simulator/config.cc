#include "testing/simulator/config.h"

#include <algorithm>

#include "testing/simulator/random.h"

namespace manta::simulator {
namespace {

void MakeFairness(Random* random, Config* config) {
  config->fairness = true;
  config->nodes = 1;
  config->gpus = 0;
  config->drivers = static_cast<uint32_t>(random->Between(2, 3));
  config->cpus = static_cast<uint32_t>(random->Between(config->drivers, 6));
  config->duration = random->Between(1, 8) * kMillisecond;
  config->depth = 0;
  config->most_leases = 16;
  config->actors = false;
  // Each change of hands takes a quantum and a task: the time of many of them.
  config->fairness_time = 60 * (config->quantum + config->duration);
}

void AddFaults(Random* random, Config* config) {
  const auto some = [random](uint32_t most) {
    return random->Chance(50) ? static_cast<uint32_t>(random->Below(most + 1)) : 0;
  };
  config->worker_crashes = some(30);
  config->driver_crashes = some(40);
  config->node_crashes = some(60);
  config->start_failures = some(30);
  config->pauses = some(30);
}

}  // namespace

Config ConfigOf(uint64_t seed) {
  Random random(seed * 2 + 1);
  Config config;
  config.seed = seed;
  config.quantum = random.Between(1, 20) * kMillisecond;
  config.max_starting = static_cast<uint32_t>(random.Between(1, 4));
  config.idle_kept = static_cast<uint32_t>(random.Below(3));
  config.idle_ttl = random.Between(1, 100) * kMillisecond;
  config.window = static_cast<uint32_t>(random.Between(1, 8));
  if (random.Chance(10)) {
    MakeFairness(&random, &config);
    return config;
  }
  config.nodes = static_cast<uint32_t>(random.Between(1, 3));
  config.cpus = static_cast<uint32_t>(random.Between(2, 5));
  config.gpus = static_cast<uint32_t>(random.Between(1, 2));
  config.drivers = static_cast<uint32_t>(random.Between(1, 3));
  config.tasks = static_cast<uint32_t>(random.Between(1, 25));
  config.depth = static_cast<uint32_t>(random.Below(4));
  config.children = static_cast<uint32_t>(random.Between(1, 3));
  config.duration = random.Between(10, 5000) * kMicrosecond;
  config.most_leases = static_cast<uint32_t>(random.Between(1, 8));
  config.retries = static_cast<uint32_t>(random.Below(4));
  config.actors = random.Chance(50);
  // An idle actor keeps its CPU for as long as its driver lives. On top of all of them there must be
  // room for a task that needs two: users who leave none wait for ever, and rightly so.
  if (config.actors) config.cpus += (config.drivers + config.nodes - 1) / config.nodes;
  config.in_place = random.Chance(50);
  config.user_errors = random.Chance(50) ? 10 : 0;
  config.delay = random.Between(1, 500) * kMicrosecond;
  if (random.Chance(20)) {
    // Few workers for several executables: a task that waits for another one could wait for ever.
    config.blocking = false;
    config.actors = false;
    config.depth = 0;
    config.max_workers = static_cast<uint32_t>(random.Between(1, 4));
  }
  if (random.Chance(70)) AddFaults(&random, &config);
  return config;
}

std::string ToString(const Config& config) {
  std::string text;
  const auto add = [&text](const char* name, int64_t value) {
    text += (text.empty() ? "" : ", ") + std::string(name) + " " + std::to_string(value);
  };
  add("nodes", config.nodes);
  add("cpus", config.cpus);
  add("gpus", config.gpus);
  add("drivers", config.drivers);
  add("tasks", config.tasks);
  add("depth", config.depth);
  add("fairness", config.fairness);
  add("quantum (us)", config.quantum / kMicrosecond);
  add("duration (us)", config.duration / kMicrosecond);
  add("in place", config.in_place);
  add("actors", config.actors);
  add("worker crashes", config.worker_crashes);
  add("driver crashes", config.driver_crashes);
  add("node crashes", config.node_crashes);
  add("start failures", config.start_failures);
  add("pauses", config.pauses);
  return text;
}

}  // namespace manta::simulator
