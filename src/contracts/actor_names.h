// The control store's table of actors, as a node daemon uses it. Answers come by callback: today at once, later over a connection.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace manta::contracts {

enum class ActorState { kPending, kAlive, kRestarting, kDead };

// As Ray writes them: "PENDING_CREATION", "ALIVE", "RESTARTING", "DEAD".
const char* ToString(ActorState state);

struct ActorEntry {
  ActorId id;
  std::string name;           // may be empty: found by id only
  std::string ray_namespace;
  std::string class_name;
  bool detached = false;
  bool restartable = false;
  ProcessId process;          // where it runs, or is being created; may be none unless alive
  ActorState state = ActorState::kPending;
  uint32_t restarts = 0;             // so far
  int32_t max_task_retries = 0;      // what its callers have to know
  int32_t max_pending_calls = -1;
  bool overlapping = false;
  std::string description;           // of a living one, for whoever finds it by name
  std::string death;                 // why it is dead
};

// What becomes of the actor in a process that has ended.
struct HostVerdict {
  bool starts_again = false;
  std::string account;  // of a dead one, for people: how often it had been restarted; "" for none, or never
};

class ActorNames {
 public:
  virtual ~ActorNames() = default;

  // Adds or changes an actor, whose description stays when the change has none; only its state `kDead` ends it, and frees its name. The
  // answer is none, or the living actor that has the name already (then nothing has changed).
  using RegisterAnswer = std::function<void(const std::optional<ActorEntry>& holder)>;
  virtual void Register(const ActorEntry& actor, RegisterAnswer answer) = 0;

  // By name if `id` is nil. None: unknown. A dead actor may be found for a while, so that callers can tell.
  using FindAnswer = std::function<void(const std::optional<ActorEntry>& actor)>;
  virtual void Find(const std::string& name, const std::string& ray_namespace, ActorId id,
                    FindAnswer answer) = 0;

  // By id, as soon as the actor is alive or dead. An unknown one is waited for as long as its creator lives, since the news of it may
  // be under way: ask the creator (who registers it as dead if there is no such actor). None: the creator is gone.
  virtual void Await(ActorId id, FindAnswer answer) = 0;

  // What it hosted is restarting or dead; what it created, unless detached, is dead. `for_good`: what it hosted does not start again.
  virtual HostVerdict ProcessGone(ProcessId process, bool for_good, const std::string& reason) = 0;

  // The process has not ended, but the actor that it hosted has, for good.
  virtual void HostRetired(ProcessId process, const std::string& reason) = 0;

  virtual void List(std::function<void(const std::vector<ActorEntry>&)> answer) = 0;
};

}  // namespace manta::contracts
