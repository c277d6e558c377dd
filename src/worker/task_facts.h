// What a flight recorder is told of a task that this process has run.
#pragma once

#include "manta/manta_c.h"
#include "shm/channel.h"
#include "shm/recorder_events.h"
#include "worker/execution.h"

namespace manta::worker {

inline shm::TaskFacts FactsOf(ProcessId owner, const shm::TaskBody& task, uint32_t function_key) {
  return {owner, task.first_result, task.generation, function_key, task.attempt,
          shm::EventOutcome::kOk};
}

inline shm::EventKind EventKindOf(const shm::TaskBody& task) {
  if (__builtin_expect((task.flags & (shm::kActorMethod | shm::kActorCreation)) == 0, 1)) return shm::EventKind::kTask;
  return (task.flags & shm::kActorMethod) != 0 ? shm::EventKind::kActorCall : shm::EventKind::kActorStart;
}

// Of the last run of `execution`.
inline shm::EventOutcome EventOutcomeOf(const Outcome& outcome, const Execution& execution) {
  if (__builtin_expect(outcome.status == shm::TaskStatus::kOk, 1)) return shm::EventOutcome::kOk;
  return execution.error().kind == MANTA_ERROR_TASK_CANCELLED ? shm::EventOutcome::kCancelled
                                                              : shm::EventOutcome::kError;
}

}  // namespace manta::worker
