// Tasks that several rows use, and the loops around them.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "harness.h"
#include "manta/manta.h"

namespace manta::bench {

// ---- Run in workers

// The empty task: distinct argument, distinct result.
uint64_t ScrambleTask(uint64_t argument);
// Where it runs; `nonce` keeps calls distinct.
struct Whereabouts {
  int32_t pid = 0;
  int32_t cpu = 0;
  uint64_t nonce = 0;
};
Whereabouts WhereTask(uint64_t nonce);

class Echo {
 public:
  uint64_t Scramble(uint64_t argument);
  Whereabouts Where(uint64_t nonce);
};

// ---- Run in drivers

// Init for the duration of a scope: shipped defaults unless a row is about something else.
class Cluster {
 public:
  Cluster() { Init(); }
  explicit Cluster(const Config& config) { Init(config); }
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
};

// RowFailed if the pid is this process's.
void RequireOtherProcess(int pid);
// Submits a task that tells where it ran, in another process than this one.
Whereabouts CheckTasksRunElsewhere();
// The same, for the placement of what was measured just before.
void LookWhereTasksRun(Placement* placement);

// Batches of tasks that are submitted, fetched and checked. Keeps its memory, as a careful user
// does.
class TaskBatch {
 public:
  explicit TaskBatch(size_t size) : size_(size), values_(size) { references_.reserve(size); }
  // The arguments are first, first + 1, ... Returns the number of tasks.
  uint64_t Run(uint64_t first);

 private:
  size_t size_;
  std::vector<ObjectRef<uint64_t>> references_;
  std::vector<uint64_t> values_;
};

// Sum of the results of tasks with the arguments first, first + 1, ...
uint64_t ExpectedSum(uint64_t first, uint64_t count);

// Tasks per second of this thread, in batches of 1,000 for so long.
double RateOfBatches(int64_t ns);

// Calls one at a time: `call` makes the call with a distinct argument and waits for its result
// (which is checked), `where` makes one that tells where it ran. Reports p50 and p99.
struct RoundTrips {
  std::string name;
  int64_t pause_ns = 0;  // slept before each call
  int calls = 0;         // each round
  std::optional<Target> target = {};
  std::vector<std::string> beside = {};
};
template <class Call, class Where>
void MeasureRoundTrips(RowContext& context, const RoundTrips& wanted, Call&& call, Where&& where,
                       Placement* placement);

// ---- Implementation of the template

template <class Call, class Where>
void MeasureRoundTrips(RowContext& context, const RoundTrips& wanted, Call&& call, Where&& where,
                       Placement* placement) {
  Latencies latencies(static_cast<size_t>(wanted.calls));
  LatencyRounds rounds;
  uint64_t argument = 0;
  const int warm_up = wanted.pause_ns == 0 ? wanted.calls / 10 : 2;
  // With pauses a look at where things run counts, too: it is a call like the others.
  const int look_every = wanted.pause_ns == 0 ? 256 : 16;
  for (int round = 0; round < context.rounds(); ++round) {
    int64_t last = NowNs();
    for (int i = -warm_up; i < wanted.calls; ++i) {
      ++argument;
      if (wanted.pause_ns != 0) {
        SleepNs(wanted.pause_ns);
        last = NowNs();
      }
      if (i % look_every == 0) {
        const Whereabouts there = where(argument);
        RequireOtherProcess(there.pid);
        placement->Saw(sched_getcpu(), there.cpu);
        last = NowNs();
        continue;
      }
      const uint64_t result = call(argument);
      const int64_t now = NowNs();
      if (i >= 0) latencies.Add(now - last);
      CheckSum("round trip", result, Scramble(argument));
      last = now;
    }
    rounds.Add(&latencies);
  }
  context.ReportLatency(wanted.name, rounds, wanted.target, wanted.beside);
}

}  // namespace manta::bench
