// All actors of the cluster by id, and the named ones by name. Pure.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "contracts/actor_names.h"

namespace manta::control_store {

class ActorDirectory final : public contracts::ActorNames {
 public:
  // How many dead actors are remembered.
  explicit ActorDirectory(size_t remembered_dead = 1000) : remembered_dead_(remembered_dead) {}

  void Register(const contracts::ActorEntry& actor, RegisterAnswer answer) override;
  void Find(const std::string& name, const std::string& ray_namespace, ActorId id,
            FindAnswer answer) override;
  void Await(ActorId id, FindAnswer answer) override;
  contracts::HostVerdict ProcessGone(ProcessId process, bool for_good, const std::string& reason) override;
  void HostRetired(ProcessId process, const std::string& reason) override;
  void List(std::function<void(const std::vector<contracts::ActorEntry>&)> answer) override;

 private:
  using Name = std::pair<std::string, std::string>;  // namespace, name

  void End(contracts::ActorEntry* actor, const std::string& reason);
  void AnswerWaiting(ActorId id);

  const size_t remembered_dead_;
  std::map<ActorId, contracts::ActorEntry> actors_;
  std::map<Name, ActorId> names_;  // of actors that are not dead
  std::deque<ActorId> dead_;       // oldest first
  std::multimap<ActorId, FindAnswer> waiting_;
};

}  // namespace manta::control_store
