// Processes as owners: leases are wanted and returned, tasks pushed and taken back.
#include <algorithm>

#include "testing/simulator/node.h"
#include "testing/simulator/process.h"

namespace manta::simulator {
namespace {

constexpr uint32_t kFirstActorKey = 10;

}  // namespace

// Keys: 0 and 1 need little, 2 needs two CPUs and another executable, 3 a GPU; actors have one
// each. What had a GPU ends with its lease, and here a worker ends only when nobody needs what it
// owns. So GPUs have an executable of their own, whose tasks own nothing.
model::Demand Process::DemandOf(uint32_t key) const {
  model::Demand demand;
  demand.owner = id_;
  demand.key = key;
  demand.executable = ExecutableOf(job_, key == 2 ? 1 : key == 3 ? 2 : 0);
  const int64_t halves = key == 1 ? 1 : key == 2 ? 4 : 2;
  demand.placement.Set(model::kCpu, halves * model::kResourceUnit / 2);
  if (key == 3) demand.placement.Set(model::kGpu, model::kResourceUnit);
  demand.dedicated = key >= kFirstActorKey;
  if (!demand.dedicated || key % 2 == 0) demand.resources = demand.placement;
  return demand;
}

Process::Target& Process::TargetOf(uint32_t node, uint32_t key) {
  const auto [entry, added] = targets_.try_emplace({node, key});
  if (added) {
    entry->second.node = node;
    entry->second.demand = DemandOf(key);
    entry->second.lost = gone_nodes_.contains(node);
  }
  return entry->second;
}

// ---- Submitting

ObjectId Process::Submit(uint32_t node, uint32_t key, const TaskSpec& spec,
                         std::vector<ObjectId> arguments, std::vector<ObjectId> dependencies) {
  auto task = std::make_shared<Task>();
  task->message.spec = spec;
  task->message.owner = id_;
  task->message.number = ++last_number_;
  task->message.result = NewObject();
  task->message.arguments = arguments;
  task->retries_left = spec.retries;
  task->node = node;
  task->key = key;
  task->dependencies = dependencies;
  tasks_[task->message.number] = task;
  // Calls of an actor stand in the order of their submission from the start.
  if (key >= kFirstActorKey) TargetOf(node, key).backlog.push_back(task);
  table_.PinTask(task->message.number, arguments);
  const ObjectId result = task->message.result;
  for (const ObjectId dependency : dependencies) Retain(dependency);
  task->unready = 1;
  for (const ObjectId dependency : dependencies) {
    Local& local = objects_[dependency];
    if (local.ready) {
      if (local.value.outcome == Outcome::kValue) continue;
      FailTask(task, local.value.outcome);
      return result;
    }
    ++task->unready;
    local.dependents.push_back(task);
    Fetch(dependency);
  }
  DependencyReady(task, {});
  return result;
}

void Process::DependencyReady(const TaskPtr& task, const Value& value) {
  if (!tasks_.contains(task->message.number)) return;  // another dependency failed
  if (value.outcome != Outcome::kValue) {
    FailTask(task, value.outcome);
  } else if (--task->unready == 0) {
    Enqueue(task);
  }
}

void Process::Enqueue(const TaskPtr& task) {
  Target* target = &TargetOf(task->node, task->key);
  if (target->lost && target->demand.dedicated) {
    FailTask(task, Outcome::kActorDied);
    return;
  }
  if (target->lost) {
    task->node = node();
    target = &TargetOf(task->node, task->key);
  }
  const bool stands_there = std::exchange(task->state, TaskState::kQueued) == TaskState::kWaiting &&
                            target->demand.dedicated;
  if (!stands_there) target->backlog.push_back(task);
}

// ---- Leases

void Process::PumpAll() {
  for (auto& [name, target] : targets_) Pump(&target);
}

void Process::Pump(Target* target) {
  if (target->lost && !target->demand.dedicated) {
    for (const TaskPtr& task : std::exchange(target->backlog, {})) Enqueue(task);
  }
  // Breadth first: each lease gets one before any gets a second one.
  for (uint32_t filled = 1; filled <= cluster_->config().window; ++filled) {
    for (auto& [name, held] : target->leases) {
      const bool may = !held.revoked && !held.blocked;
      // A call whose arguments are not there yet holds the later ones back.
      while (may && !target->backlog.empty() &&
             target->backlog.front()->state != TaskState::kWaiting &&
             held.channel->slots.size() < filled) {
        const TaskPtr task = target->backlog.front();
        target->backlog.pop_front();
        Push(&held, task);
      }
    }
  }
  Balance(target);
  Declare(target);
  ReturnIdle(target);
}

void Process::Push(Held* held, const TaskPtr& task) {
  task->state = TaskState::kPushed;
  held->channel->slots.push_back(task->message);
  const ProcessId worker = held->channel->worker;
  cluster_->Wake(worker, [cluster = cluster_, worker] { cluster->Find(worker)->OnDoorbell(); });
}

// Nothing sits behind a long task while another lease has nothing to do.
void Process::Balance(Target* target) {
  if (!target->backlog.empty() || target->demand.dedicated) return;
  Held* idle = nullptr;
  Held* rich = nullptr;
  for (auto& [name, held] : target->leases) {
    if (held.channel->unused() && !held.revoked) idle = &held;
    const size_t slots = held.channel->slots.size();
    if (slots > 0 && held.channel->claimed && (!rich || slots > rich->channel->slots.size())) {
      rich = &held;
    }
  }
  if (idle == nullptr || rich == nullptr) return;
  TakeBack(rich, target, rich->channel->slots.size() - 1);
  const TaskPtr task = target->backlog.front();
  target->backlog.pop_front();
  Push(idle, task);
}

// What has not been claimed goes to the front of the backlog, in its order.
void Process::TakeBack(Held* held, Target* target, size_t keep) {
  std::deque<TaskMessage>& slots = held->channel->slots;
  while (slots.size() > keep) {
    const TaskPtr task = tasks_.at(slots.back().number);
    slots.pop_back();
    task->state = TaskState::kQueued;
    target->backlog.push_front(task);
  }
}

// The level of demand. Blocked leases do not count against the limit: what they wait for may stand
// in the backlog.
void Process::Declare(Target* target) {
  if (target->lost) return;
  uint32_t wanted = 0;
  if (target->demand.dedicated) {
    wanted = target->finished && target->backlog.empty() ? 0 : 1;
    for (const auto& [name, held] : target->leases) wanted |= !held.channel->unused();
  } else {
    size_t work = target->backlog.size();
    uint32_t blocked = 0;
    for (const auto& [name, held] : target->leases) {
      blocked += held.blocked;
      if (!held.blocked) work += held.channel->slots.size() + held.channel->claimed.has_value();
    }
    wanted = blocked + static_cast<uint32_t>(
                           std::min<size_t>(work, cluster_->config().most_leases));
  }
  if (wanted == target->demand.wanted) return;
  target->demand.wanted = wanted;
  const uint32_t at = target->node;
  cluster_->Send(id_, Cluster::DaemonOf(at), [cluster = cluster_, at, job = job_,
                                              demand = target->demand] {
    cluster->FindNode(at)->OnDemand(job, demand);
  });
}

void Process::ReturnIdle(Target* target) {
  for (auto held = target->leases.begin(); held != target->leases.end();) {
    const auto next = std::next(held);
    const bool useless = held->second.revoked || target->leases.size() > target->demand.wanted;
    if (held->second.channel->unused() && useless) {
      const LeaseName name = held->first;
      held->second.channel->closed = true;
      target->leases.erase(held);
      if (target->demand.dedicated) target->lost = true;
      cluster_->Send(id_, Cluster::DaemonOf(name.node), [cluster = cluster_, name] {
        cluster->FindNode(name.node)->OnReturn(name.lease);
      });
    }
    held = next;
  }
}

void Process::OnGranted(std::shared_ptr<Channel> channel) {
  Target& target = TargetOf(channel->name.node, channel->key);
  const bool worker_died = dead_.contains(channel->worker);
  if (!worker_died) target.leases[channel->name].channel = channel;
  if (target.lost && !worker_died) {
    // An actor that died gets a new worker, since the demand was not lowered in time.
    target.demand.wanted = 0;
    ReturnIdle(&target);
  }
  Settle();
}

std::pair<Process::Target*, Process::Held*> Process::FindLease(LeaseName name) {
  for (auto& [target_name, target] : targets_) {
    const auto held = target.leases.find(name);
    if (held != target.leases.end()) return {&target, &held->second};
  }
  return {nullptr, nullptr};
}

void Process::OnRevoked(LeaseName name) {
  const auto [target, held] = FindLease(name);
  if (held != nullptr) {
    held->revoked = true;
    TakeBack(held, target, 0);
  }
  Settle();
}

void Process::OnLeaseBlocked(LeaseName name, bool blocked) {
  const auto [target, held] = FindLease(name);
  if (held != nullptr) {
    held->blocked = blocked;
    // An actor's calls keep their order, they wait for it.
    if (blocked && !target->demand.dedicated) TakeBack(held, target, 0);
  }
  Settle();
}

void Process::OnLeaseLost(LeaseName name) {
  const auto [target, held] = FindLease(name);
  if (held != nullptr) LoseLease(target, name);
  Settle();
}

void Process::OnNodeGone(uint32_t index) {
  gone_nodes_.insert(index);
  for (auto& [name, target] : targets_) {
    if (name.first != index || target.lost) continue;
    target.lost = true;
    for (const TaskPtr& task : std::exchange(target.backlog, {})) Enqueue(task);
  }
  Settle();
}

// The worker is dead. What it had completed counts, what it was doing is tried again, what it had
// not claimed never ran.
void Process::LoseLease(Target* target, LeaseName name) {
  const std::shared_ptr<Channel> channel = target->leases.at(name).channel;
  ReadCompletions(channel);
  Held& held = target->leases.at(name);
  const std::optional<TaskMessage> claimed = std::exchange(channel->claimed, std::nullopt);
  if (!target->demand.dedicated) {
    TakeBack(&held, target, 0);
    target->leases.erase(name);
    if (claimed) Retry(tasks_.at(claimed->number));
    return;
  }
  target->lost = true;
  target->leases.erase(name);
  std::vector<TaskPtr> calls;
  if (claimed) calls.push_back(tasks_.at(claimed->number));
  for (const TaskMessage& slot : channel->slots) calls.push_back(tasks_.at(slot.number));
  calls.insert(calls.end(), target->backlog.begin(), target->backlog.end());
  target->backlog.clear();
  for (const TaskPtr& call : calls) {
    // Unless it needed the value of an earlier one, and has failed with it.
    if (tasks_.contains(call->message.number)) FailTask(call, Outcome::kActorDied);
  }
  if (target->demand.wanted == 0) return;
  target->demand.wanted = 0;
  cluster_->Send(id_, Cluster::DaemonOf(name.node), [cluster = cluster_, name, job = job_,
                                                     demand = target->demand] {
    cluster->FindNode(name.node)->OnDemand(job, demand);
  });
}

// ---- Completions

void Process::OnCompletions(const std::shared_ptr<Channel>& channel) {
  ReadCompletions(channel);
  Settle();
}

void Process::ReadCompletions(const std::shared_ptr<Channel>& channel) {
  while (!channel->completions.empty()) {
    const CompletionMessage completion = std::move(channel->completions.front());
    channel->completions.pop_front();
    Complete(channel, completion);
  }
}

void Process::Complete(const std::shared_ptr<Channel>& channel,
                       const CompletionMessage& completion) {
  const TaskPtr task = tasks_.at(completion.number);
  model::CompletionReferences references = completion.references;
  const bool again = completion.outcome == Outcome::kTaskError && task->retries_left > 0;
  if (again) {
    // The next attempt is pinned before this one ends.
    --task->retries_left;
    references.results.clear();
    tasks_.erase(completion.number);
    task->message.number = ++last_number_;
    tasks_[task->message.number] = task;
    table_.PinTask(task->message.number, task->message.arguments);
  } else {
    const auto object = objects_.find(task->message.result);
    if (object != objects_.end()) {
      Value value{completion.outcome, {}};
      for (const model::PassedReference& inner : references.results.at(0).inners) {
        value.inners.push_back(inner.object);
      }
      object->second.deferred = std::move(value);
    }
    Finish(task);
  }
  table_.TaskCompleted(completion.number, channel->worker, references);
  Apply();
  if (again) Enqueue(task);
}

void Process::Retry(TaskPtr task) {
  if (task->retries_left == 0) {
    FailTask(task, Outcome::kWorkerCrashed);
    return;
  }
  --task->retries_left;
  const model::TaskNumber former = task->message.number;
  tasks_.erase(former);
  task->message.number = ++last_number_;
  tasks_[task->message.number] = task;
  table_.PinTask(task->message.number, task->message.arguments);
  table_.UnpinTask(former);
  Enqueue(task);
}

void Process::FailTask(TaskPtr task, Outcome outcome) {
  if (task->key >= kFirstActorKey) std::erase(TargetOf(task->node, task->key).backlog, task);
  Finish(task);
  table_.UnpinTask(task->message.number);
  Resolve(task->message.result, {outcome, {}});
}

void Process::Finish(TaskPtr task) {
  tasks_.erase(task->message.number);
  for (const ObjectId dependency : task->dependencies) Release(dependency);
  task->dependencies.clear();
}

}  // namespace manta::simulator
