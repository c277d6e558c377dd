#include "testing/simulator/process.h"

#include <algorithm>

#include "testing/simulator/node.h"

namespace manta::simulator {

Process::Process(Cluster* cluster, ProcessId id, JobId job, ExecutableId executable)
    : cluster_(cluster), id_(id), job_(job), executable_(executable), table_(id) {}

Process::~Process() = default;

// ---- Handles

ObjectId Process::NewObject() {
  const ObjectId object{id_, ++last_object_, 1};
  table_.Own(object);
  handles_[object] = 1;
  objects_[object];
  return object;
}

void Process::Retain(ObjectId object) {
  if (handles_[object]++ == 0) table_.SetLocal(object, true);
}

void Process::Release(ObjectId object) {
  const auto found = handles_.find(object);
  if (--found->second > 0) return;
  handles_.erase(found);
  table_.SetLocal(object, false);
}

// ---- Values

// The value of an own object, or what is known of the fate of another's.
void Process::Resolve(ObjectId object, Value value) {
  const auto found = objects_.find(object);
  if (found == objects_.end()) return;  // nobody here wants it
  Local& local = found->second;
  if (local.ready) {
    if (object.owner == id_) oracle().Fail(now(), Hex(object) + " gets a second value");
    return;
  }
  if (object.owner == id_) oracle().OnResolved(now(), object, value.outcome);
  local.ready = true;
  local.value = std::move(value);
  local.deferred.reset();
  for (const ProcessId fetcher : std::exchange(local.fetchers, {})) Answer(fetcher, object);
  for (const uint64_t waiter : std::exchange(local.waiters, {})) {
    if (Activity* activity = Find(waiter)) activity->waits_for.reset();
    cluster_->AfterFor(id_, 0, [this, waiter] {
      Continue(waiter);
      Settle();
    });
  }
  const Value copy = local.value;
  for (const TaskPtr& task : std::exchange(local.dependents, {})) DependencyReady(task, copy);
}

void Process::Fetch(ObjectId object) {
  Local& local = objects_[object];
  if (object.owner == id_ || local.ready || local.fetching) return;
  if (table_.HasFailed(object)) {
    const bool owner_died = dead_.contains(object.owner);
    Resolve(object, {owner_died ? Outcome::kOwnerDied : Outcome::kObjectLost, {}});
    return;
  }
  local.fetching = true;
  cluster_->Send(id_, object.owner, [cluster = cluster_, from = id_, object] {
    cluster->Find(object.owner)->OnFetch(from, object);
  });
}

void Process::OnFetch(ProcessId from, ObjectId object) {
  const auto found = objects_.find(object);
  if (found == objects_.end() || !Knows(object)) {
    cluster_->Send(id_, from, [cluster = cluster_, from, object] {
      cluster->Find(from)->OnValue(object, std::nullopt);
    });
  } else if (found->second.ready) {
    Answer(from, object);
  } else {
    found->second.fetchers.insert(from);
  }
  Settle();
}

void Process::Answer(ProcessId to, ObjectId object) {
  cluster_->Send(id_, to, [cluster = cluster_, to, object, value = objects_[object].value] {
    cluster->Find(to)->OnValue(object, value);
  });
}

void Process::OnValue(ObjectId object, const std::optional<Value>& value) {
  const auto found = objects_.find(object);
  if (found != objects_.end() && !found->second.ready && Knows(object)) {
    if (value) {
      found->second.deferred = value;
      table_.ValueReceived(object, value->inners);
    } else {
      Resolve(object, {Outcome::kObjectLost, {}});
    }
  }
  Settle();
}

// ---- What the reference table wants done

void Process::OnReference(ProcessId from, const model::ReferenceMessage& message) {
  table_.Handle(from, message);
  Settle();
}

void Process::Apply() {
  for (;;) {
    const std::vector<model::ReferenceAction> actions = table_.TakeActions();
    if (actions.empty()) return;
    for (const model::ReferenceAction& action : actions) {
      std::visit([this](const auto& specific) { Do(specific); }, action);
    }
  }
}

void Process::Do(const model::SendReferenceMessage& action) {
  cluster_->Send(id_, action.to, [cluster = cluster_, from = id_, action] {
    cluster->Find(action.to)->OnReference(from, action.message);
  });
}

void Process::Do(const model::FreeObject& action) {
  const auto found = objects_.find(action.object);
  if (found == objects_.end()) return;
  if (!found->second.waiters.empty()) {
    oracle().Fail(now(), Hex(action.object) + " is freed while a get waits for it");
  }
  for (const ProcessId fetcher : found->second.fetchers) {
    cluster_->Send(id_, fetcher, [cluster = cluster_, fetcher, object = action.object] {
      cluster->Find(fetcher)->OnValue(object, std::nullopt);
    });
  }
  objects_.erase(found);
}

void Process::Do(const model::ValueVisible& action) {
  const auto found = objects_.find(action.outer);
  if (found == objects_.end() || !found->second.deferred) return;
  Resolve(action.outer, *std::exchange(found->second.deferred, std::nullopt));
}

void Process::Do(const model::ValueLost& action) {
  const auto found = objects_.find(action.outer);
  if (found == objects_.end()) return;
  found->second.deferred.reset();
  Resolve(action.outer, {Outcome::kObjectLost, {}});
}

void Process::Do(const model::ReferenceFailed& action) {
  const bool owner_died = action.reason == model::ReferenceFailed::Reason::kOwnerDied;
  if (!owner_died && !oracle().somebody_died()) {
    oracle().Fail(now(), Hex(action.object) + " is lost, but nobody died");
  }
  objects_[action.object].deferred.reset();
  Resolve(action.object, {owner_died ? Outcome::kOwnerDied : Outcome::kObjectLost, {}});
}

// ---- The end of each event

void Process::Settle() {
  Apply();
  PumpAll();
  Apply();
  // What the table has forgotten must not be remembered here: it would come back without what it
  // contains.
  std::erase_if(objects_, [this](const auto& entry) {
    return !Knows(entry.first) && entry.second.waiters.empty();
  });
  ExitIfIdle();
}

void Process::OnProcessGone(ProcessId process) {
  if (!dead_.insert(process).second) return;
  for (auto& [name, target] : targets_) {
    for (auto held = target.leases.begin(); held != target.leases.end();) {
      const auto next = std::next(held);
      if (held->second.channel->worker == process) LoseLease(&target, held->first);
      held = next;
    }
  }
  table_.ProcessDied(process);
  for (auto& [object, local] : objects_) local.fetchers.erase(process);
  Settle();
}

void Process::Check() {
  if (const char* broken = table_.BrokenInvariant()) {
    oracle().Fail(now(), Name() + ": " + broken);
  }
  for (const auto& [object, count] : handles_) {
    if (table_.HasFailed(object) || object.owner == id_) continue;
    const Process* owner = cluster_->Find(object.owner);
    if (owner == nullptr || owner->table_.Knows(object)) continue;
    if (table_.IsRegistered(object) || !oracle().somebody_died()) {
      oracle().Fail(now(), Hex(object) + " is freed while " + Name() + " holds it");
    }
  }
}

std::string Process::Describe() const {
  std::string text = Name() + (executable_ ? ": worker" : ": driver");
  for (const uint64_t id : stack_) {
    const Activity& activity = activities_.at(id);
    text += "\n    runs task " + std::to_string(activity.task.spec.id) + ", phase " +
            std::to_string(activity.phase);
    if (activity.waits_for) text += ", waits for " + Hex(*activity.waits_for);
  }
  for (const auto& [number, task] : tasks_) {
    text += "\n    task " + std::to_string(task->message.spec.id) + " in state " +
            std::to_string(static_cast<int>(task->state)) + ", key " + std::to_string(task->key) +
            " at node " + std::to_string(task->node) + ", makes " + Hex(task->message.result) +
            ", waits for " + std::to_string(task->unready) + " values";
  }
  for (const auto& [name, target] : targets_) {
    text += "\n    key " + std::to_string(name.second) + " at node " + std::to_string(name.first) +
            ": backlog " + std::to_string(target.backlog.size()) + ", wants " +
            std::to_string(target.demand.wanted) + ", has " + std::to_string(target.leases.size());
    for (const auto& [lease, held] : target.leases) {
      text += "\n      lease " + Hex(lease.lease.value) + " of worker " +
              Hex(held.channel->worker.value) + ": " + std::to_string(held.channel->slots.size()) +
              " slots" + (held.channel->claimed ? ", one claimed" : "") +
              (held.blocked ? ", blocked" : "") + (held.revoked ? ", revoked" : "");
    }
  }
  for (const ObjectId object : table_.Objects()) {
    text += "\n    knows " + Hex(object) + (handles_.contains(object) ? ", has a handle" : "");
    for (const ProcessId borrower : table_.BorrowersOf(object)) {
      text += ", lent to " + Hex(borrower.value);
    }
    const auto local = objects_.find(object);
    if (local == objects_.end()) continue;
    if (local->second.ready) text += std::string(", ") + simulator::Name(local->second.value.outcome);
    if (local->second.deferred) text += ", its value waits for what it contains";
    if (local->second.fetching) text += ", asked for";
    text += ", " + std::to_string(local->second.fetchers.size()) + " others asked";
  }
  return text;
}

void Process::CheckAtRest() {
  Check();
  if (!table_.empty()) {
    oracle().Fail(now(), Name() + " has references left: " + Hex(table_.Objects().front()));
  }
  if (!handles_.empty() || !objects_.empty() || !tasks_.empty() || !activities_.empty()) {
    oracle().Fail(now(), Name() + " is not at rest");
  }
  if (stop_) oracle().Fail(now(), "worker " + Name() + " was asked to stop, but lives");
}

}  // namespace manta::simulator
