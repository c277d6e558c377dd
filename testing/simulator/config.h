// What one simulated run looks like. All of it follows from the seed.
#pragma once

#include <cstdint>
#include <string>

#include "model/time.h"

namespace manta::simulator {

using model::Nanoseconds;

inline constexpr Nanoseconds kMicrosecond = 1'000;
inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

struct Config {
  uint64_t seed = 0;

  // The cluster.
  uint32_t nodes = 1;
  uint32_t cpus = 2;
  uint32_t gpus = 1;
  Nanoseconds quantum = 10 * kMillisecond;
  uint32_t max_starting = 2;
  uint32_t max_workers = 1000;
  uint32_t idle_kept = 2;
  Nanoseconds idle_ttl = 50 * kMillisecond;

  // The users.
  uint32_t drivers = 2;
  uint32_t tasks = 20;        // that each driver submits itself
  uint32_t depth = 2;         // how deep tasks submit tasks
  uint32_t children = 2;      // at most, per task
  Nanoseconds duration = 2 * kMillisecond;  // of the computing of a task, at most
  uint32_t window = 4;        // slots per lease
  uint32_t most_leases = 8;   // of running tasks, per owner and key
  uint32_t retries = 2;       // at most
  bool actors = true;
  bool blocking = true;       // tasks wait for others
  bool in_place = true;       // blocked tasks run children themselves

  // What goes wrong. Percentages.
  uint32_t worker_crashes = 0;  // per worker
  uint32_t driver_crashes = 0;  // per driver
  uint32_t node_crashes = 0;    // per node but the first
  uint32_t start_failures = 0;  // per start
  uint32_t pauses = 0;          // per process
  uint32_t user_errors = 0;     // per task
  Nanoseconds delay = 100 * kMicrosecond;   // of a message, at most, mostly less

  // Every driver has work all the time, the tasks do not block and nothing goes wrong: measured is
  // how fairly leases are shared.
  bool fairness = false;
  Nanoseconds fairness_time = 500 * kMillisecond;

  bool IsCalm() const { return worker_crashes + driver_crashes + node_crashes == 0; }
};

Config ConfigOf(uint64_t seed);
std::string ToString(const Config& config);

}  // namespace manta::simulator
