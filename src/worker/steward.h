// The creator of an actor brings it to life, and restarts it: it has the creation task. A detached actor is to outlive the process that
// makes it, even one that leaves at once, and so another process, its steward, becomes its creator: a detached actor of Manta's own, without resources, which runs
// the same executable. It ends with the last actor that it looks after.
#pragma once

#include <cstddef>
#include <mutex>

#include "base/result.h"
#include "manta/manta_c.h"
#include "worker/actor_links.h"
#include "worker/task_target.h"

namespace manta::worker {

class Runtime;

// This process's steward, started when it is first needed. Thread-safe.
class Steward {
 public:
  explicit Steward(Runtime* runtime) : runtime_(runtime) {}

  // As Runtime::CreateActor, in the steward: `options` are checked, and detached. Waits for the values
  // of its top-level references, of which the steward keeps copies for restarts, and until the actor is registered; not until it is
  // there. References inside of its arguments stay with their owners: a constructor that runs after their end finds OwnerDied there.
  Result<ActorRecord*> Create(const manta_task_spec& constructor, const TargetOptions& shape, const manta_actor_options& options);

 private:
  struct Answer {
    ActorId actor;
    bool existed;
  };
  // The steward's record, to be released.
  Result<ActorRecord*> Employ();
  Result<Answer> Ask(ActorRecord* steward, const manta_task_spec& constructor, const TargetOptions& shape,
                     const manta_actor_options& options);
  void Dismiss(ActorRecord* steward, bool unused);

  Runtime* const runtime_;
  std::mutex mutex_;
  ActorId steward_;      // nil: none
  size_t charges_ = 0;  // actors that it looks after, or is asked to
};

}  // namespace manta::worker
