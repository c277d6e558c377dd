// The actors that this process can name: those that it created and those whose handles came to it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "manta/manta_c.h"
#include "worker/answers.h"
#include "worker/control_client.h"
#include "worker/dispatcher.h"
#include "worker/node_memory.h"
#include "worker/owner.h"

namespace manta::worker {

class Runtime;

// One per actor and process, so that all handles of a process share one order of calls. `target` serves its calls.
struct ActorRecord {
  uint32_t references = 1;  // guarded by the owner's lock, as all below
  Runtime* runtime = nullptr;
  ActorId id;
  TaskTarget* target = nullptr;
  bool created_here = false;
  bool detached = false;
  // The object whose references are the handles of all processes, one of them held while this process has handles or calls under way.
  // nullptr: handles do not keep the actor alive.
  ObjectRecord* life = nullptr;
};

// Thread-safe, but where [lock] says that the owner's lock must be held.
class ActorLinks {
 public:
  ActorLinks(Runtime* runtime, Owner* owner, References* references, Dispatcher* dispatcher, ControlClient* control,
             NodeMemory* memory);
  ~ActorLinks();

  // Bytes of a name, and of a namespace.
  static constexpr size_t kMostName = 64 << 10;

  // A record for a new actor whose creation task the caller submits next, and then calls ConcludeCreation. For a named one the daemon is asked first: errors are
  // ACTOR_NAME_TAKEN; with get_if_exists the existing actor comes back (`*existed` true: nothing to submit).
  Result<ActorRecord*> Create(const std::string& class_name, TargetOptions shape,
                              const manta_actor_options& options, bool* existed);
  // The creation task of an actor that Create has made is submitted, or will not be: other threads may call it from now on.
  void ConcludeCreation(const ActorId& id);
  // The record for an id from a value: found and connected in the background, calls wait meanwhile. `weak`: an id from elsewhere, whose
  // handle does not keep the actor alive.
  ActorRecord* Import(const ActorId& id, bool weak = false);
  // Error ACTOR_NOT_FOUND.
  Result<ActorRecord*> Find(const std::string& name, const std::string& ray_namespace);
  // What its creator has told of it; empty: nothing, or it has died.
  Result<std::string> Describe(const ActorId& id);

  void Retain(ActorRecord* actor);
  // The record of an actor that this process knows already, retained; nullptr when it is forgotten, since it is dead.
  ActorRecord* FindKnown(const ActorId& id);
  // Between the two this process, a steward, creates an actor for another one. False: it is about to end, and takes no more.
  // From then on it ends for good when no actor that it has created needs it: each is dead, or alive for the last time.
  bool BeginAdoption();
  void EndAdoption();
  // The last release in all processes ends the actor after the calls that were submitted, unless it is detached.
  void Release(ActorRecord* actor);
  ObjectRecord* LifeOf(const ActorRecord* actor);
  // [lock] Lets go of actors whose last handle here has gone while calls were under way, and whose calls are done; ends this process
  // if it ends with its actors. Returns whether it is to be called again soon.
  bool Tick();
  Result<> Kill(ActorRecord* actor, bool no_restart);

  // [lock] What is to be told of an actor created here: where it is, whether it is alive, or dead.
  void Changed(const TaskTarget& target, ProcessId host);
  // [lock] Asks where an actor of another process is, or will be.
  void AskFor(const ActorId& id);

  // Service thread.
  void OnRegistered(const wire::ActorRegistered& message);
  void OnFound(const wire::ActorFound& message);
  void OnChannelOpened(const wire::ChannelOpened& message);
  // Somebody asks for an actor of ours that the daemon does not know.
  void OnUnknown(uint64_t serial);
  // Somebody wants an actor of ours killed that had no process when the daemon looked.
  void OnKill(const ActorId& id, bool no_restart);
  void FailAll(const Error& error);
  // [lock] The connection has ended: lets go of what kept actors alive that nobody here has a handle to, or that need none.
  void ForgetLives();

  // Actors that this process has handles to.
  size_t in_use() const {
    return static_cast<size_t>(std::count_if(actors_.begin(), actors_.end(),
                                             [](const auto& entry) { return entry.second->references > 0; }));
  }

 private:
  struct Found {
    ActorId id;  // nil: nobody
    std::string description;
  };
  Result<Found> Search(wire::FindActorT question);
  ActorRecord* NewRecord(const ActorId& id, TaskTarget* target);
  void Acquire(ActorRecord* actor, bool weak);
  void LifeEnded(const ObjectId& life);
  void SweepDead();
  void Forget(ActorRecord* actor);
  void QueueKill(const ActorId& id, bool no_restart);
  void Close(const ActorId& id, const std::string& reason);

  Runtime* const runtime_;
  Owner* const owner_;
  References* const references_;
  Dispatcher* const dispatcher_;
  ControlClient* const control_;
  NodeMemory* const memory_;
  Answers<ActorId> registrations_;  // who holds the name already; nil: nobody
  Answers<Found> searches_;
  std::mutex creating_mutex_;
  std::condition_variable created_one_;
  std::set<ActorId> creating_;  // named ones, between Create and ConcludeCreation: no other thread may make a record of its own for them
  // Guarded by the owner's lock:
  std::unordered_map<ActorId, std::unique_ptr<ActorRecord>> actors_;
  // Of actors created here that are not dead: what does not change in what is told of them.
  struct Created {
    TaskTarget* target;
    wire::RegisterActorT registration;
  };
  std::unordered_map<ActorId, Created> created_;
  std::unordered_map<uint64_t, ActorId> opening_;                  // by the process that a channel was asked for
  bool ends_with_last_actor_ = false;
  bool ending_ = false;
  uint32_t adoptions_ = 0;  // under way
  static constexpr int64_t kLingerNs = 1'000'000'000;  // others may be on their way
  int64_t settled_since_ = 0;                          // no actor needs this process; 0: one does
  static constexpr size_t kFirstSweep = 64;
  size_t sweep_at_ = kFirstSweep;  // as many records as this are looked through
  std::vector<ActorRecord*> lingering_;  // without handles here, with calls under way
};

}  // namespace manta::worker
