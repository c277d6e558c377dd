#include "control_store/actor_directory.h"

#include <algorithm>
#include <utility>

namespace manta::control_store {

using contracts::ActorEntry;
using contracts::ActorState;

void ActorDirectory::Register(const ActorEntry& actor, RegisterAnswer answer) {
  const auto known = actors_.find(actor.id);
  if (known != actors_.end() && known->second.state == ActorState::kDead) {
    return answer(std::nullopt);  // late news of an actor that has ended: the end is final
  }
  if (actor.state != ActorState::kDead && !actor.name.empty()) {
    const auto [holder, free] = names_.try_emplace({actor.ray_namespace, actor.name}, actor.id);
    if (!free && holder->second != actor.id) return answer(actors_.at(holder->second));
  }
  if (known == actors_.end()) {
    ActorEntry& added = actors_[actor.id] = actor;
    if (added.state == ActorState::kDead) End(&added, actor.death);
    AnswerWaiting(actor.id);
    return answer(std::nullopt);
  }
  ActorEntry& entry = known->second;
  if (actor.state == ActorState::kDead) {
    End(&entry, actor.death);
    AnswerWaiting(actor.id);
    return answer(std::nullopt);
  }
  if (entry.name != actor.name || entry.ray_namespace != actor.ray_namespace) {
    names_.erase({entry.ray_namespace, entry.name});
  }
  std::string described = std::move(entry.description);
  entry = actor;
  if (entry.description.empty()) entry.description = std::move(described);
  AnswerWaiting(actor.id);
  answer(std::nullopt);
}

void ActorDirectory::End(ActorEntry* actor, const std::string& reason) {
  const auto name = names_.find({actor->ray_namespace, actor->name});
  if (name != names_.end() && name->second == actor->id) names_.erase(name);
  actor->state = ActorState::kDead;
  actor->process = {};
  actor->description.clear();
  actor->death = reason;
  dead_.push_back(actor->id);
  if (dead_.size() > remembered_dead_) {
    actors_.erase(dead_.front());
    dead_.pop_front();
  }
}

void ActorDirectory::AnswerWaiting(ActorId id) {
  const auto found = actors_.find(id);
  if (found != actors_.end() && found->second.state != ActorState::kAlive &&
      found->second.state != ActorState::kDead) {
    return;
  }
  std::optional<ActorEntry> actor;
  if (found != actors_.end()) actor = found->second;
  for (;;) {
    auto next = waiting_.extract(id);
    if (next.empty()) return;
    next.mapped()(actor);
  }
}

void ActorDirectory::Await(ActorId id, FindAnswer answer) {
  waiting_.emplace(id, std::move(answer));
  if (actors_.contains(id)) AnswerWaiting(id);
}

void ActorDirectory::Find(const std::string& name, const std::string& ray_namespace, ActorId id,
                          FindAnswer answer) {
  if (!id) {
    const auto named = names_.find({ray_namespace, name});
    if (named == names_.end()) return answer(std::nullopt);
    id = named->second;
  }
  const auto found = actors_.find(id);
  if (found == actors_.end()) return answer(std::nullopt);
  answer(found->second);
}

contracts::HostVerdict ActorDirectory::ProcessGone(ProcessId process, bool for_good, const std::string& reason) {
  std::vector<ActorId> ended;
  contracts::HostVerdict verdict;
  for (auto& [id, actor] : actors_) {
    if (actor.state == ActorState::kDead) continue;
    if (id.creator == process) {
      // A detached one lives on where it runs, but nobody is left to place it anew, or to say that its constructor is done.
      actor.restartable = false;
      if (!actor.detached || actor.state != ActorState::kAlive) ended.push_back(id);
    } else if (actor.process == process) {
      actor.process = {};
      // Its creator alone knows whether the constructor had begun; if not, another process takes its place.
      const bool creator_decides = actor.state != ActorState::kAlive && !for_good;
      if (creator_decides) {
        verdict.starts_again = true;
        continue;
      }
      if (!actor.restartable || for_good) {
        ended.push_back(id);
        if (actor.restarts > 0 && !for_good) {
          verdict.account = "the actor had been restarted " + std::to_string(actor.restarts) +
                            (actor.restarts == 1 ? " time" : " times") + " and may not restart again";
        }
        continue;
      }
      verdict.starts_again = true;
      actor.state = ActorState::kRestarting;
    }
  }
  for (ActorId id : ended) {
    const bool by_creator = id.creator == process;
    const std::string hosts = verdict.account.empty() ? reason : reason + "\n" + verdict.account;
    End(&actors_.at(id), by_creator ? "the process that created it has ended: " + reason : hosts);
    AnswerWaiting(id);
  }
  for (;;) {  // what it has never registered
    const auto orphan = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& waiting) {
      return waiting.first.creator == process && !actors_.contains(waiting.first);
    });
    if (orphan == waiting_.end()) return verdict;
    AnswerWaiting(orphan->first);
  }
}

void ActorDirectory::HostRetired(ProcessId process, const std::string& reason) {
  const auto hosted = std::find_if(actors_.begin(), actors_.end(), [&](const auto& entry) {
    return entry.second.process == process && entry.second.state != ActorState::kDead;
  });
  if (hosted == actors_.end()) return;
  const ActorId id = hosted->first;
  End(&hosted->second, reason);
  AnswerWaiting(id);
}

void ActorDirectory::List(std::function<void(const std::vector<ActorEntry>&)> answer) {
  std::vector<ActorEntry> list;
  for (const auto& [id, actor] : actors_) list.push_back(actor);
  answer(list);
}

}  // namespace manta::control_store
