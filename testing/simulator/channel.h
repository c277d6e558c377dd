// The shared memory between an owner and a worker that it has leased. What stands in it outlives
// both.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "model/reference_table.h"
#include "testing/simulator/config.h"
#include "testing/simulator/oracle.h"

namespace manta::simulator {

// Leases are numbered per node.
struct LeaseName {
  uint32_t node = 0;
  LeaseId lease;
  auto operator<=>(const LeaseName&) const = default;
};

// What a task does, as far as its submitter decides.
struct TaskSpec {
  uint64_t id = 0;  // in the whole simulation; the same for all attempts
  uint32_t depth = 0;
  uint32_t retries = 0;
  Nanoseconds duration = 0;
  bool blocks = true;
};

struct TaskMessage {
  TaskSpec spec;
  ProcessId owner;
  model::TaskNumber number = 0;
  ObjectId result;
  std::vector<ObjectId> arguments;
};

struct CompletionMessage {
  model::TaskNumber number = 0;
  Outcome outcome = Outcome::kValue;
  model::CompletionReferences references;
};

struct Channel {
  LeaseName name;
  uint32_t key = 0;
  ProcessId owner;
  ProcessId worker;
  std::deque<TaskMessage> slots;       // full
  std::optional<TaskMessage> claimed;  // by the worker
  std::deque<CompletionMessage> completions;
  bool closed = false;  // the lease was returned

  bool unused() const { return slots.empty() && !claimed && completions.empty(); }
};

}  // namespace manta::simulator
