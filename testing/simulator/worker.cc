// Processes as workers: tasks are claimed, block, run children in place, and end.
#include <algorithm>

#include "testing/simulator/node.h"
#include "testing/simulator/process.h"

namespace manta::simulator {

void Process::OnChannel(std::shared_ptr<Channel> channel) {
  channels_.push_back(std::move(channel));
  Claim();
}

// One task at a time: the next one only when nothing runs here.
void Process::Claim() {
  if (!stack_.empty()) return;
  std::erase_if(channels_, [](const auto& channel) { return channel->closed; });
  for (const std::shared_ptr<Channel>& channel : channels_) {
    if (channel->slots.empty()) continue;
    Activity activity;
    activity.task = channel->slots.front();
    activity.channel = channel;
    activity.node = node();
    activity.key = channel->key;
    channel->claimed = activity.task;
    channel->slots.pop_front();
    table_.TaskReceived(activity.task.owner, activity.task.number, activity.task.arguments);
    Start(std::move(activity));
    return;
  }
}

void Process::Start(Activity activity) {
  activity.id = ++last_activity_;
  const uint64_t id = activity.id;
  if (executable_) {
    oracle().OnRun(now(), activity.task.spec.id, activity.task.spec.retries);
    cluster_->Log(Name() + " runs task " + std::to_string(activity.task.spec.id));
  }
  activities_[id] = std::move(activity);
  stack_.push_back(id);
  cluster_->AfterFor(id_, 0, [this, id] {
    Continue(id);
    Settle();
  });
}

Process::Activity* Process::Find(uint64_t id) {
  const auto found = activities_.find(id);
  return found == activities_.end() ? nullptr : &found->second;
}

// It goes on unless it waits, or a child runs on top of it.
void Process::Continue(uint64_t id) {
  Activity* activity = Find(id);
  if (activity == nullptr || activity->waits_for || stack_.back() != id) return;
  if (blocked_) SetBlocked(false);
  Advance(activity);
}

void Process::Wait(Activity* activity, ObjectId object) {
  activity->waits_for = object;
  objects_[object].waiters.insert(activity->id);
  Fetch(object);
  if (Find(activity->id)->waits_for) WaitFurther();
}

void Process::WaitFurther() {
  if (!executable_) return;  // drivers hold no lease
  if (cluster_->config().in_place && random().Chance(70) && RunInPlace()) return;
  if (!blocked_) SetBlocked(true);
}

void Process::SetBlocked(bool blocked) {
  blocked_ = blocked;
  cluster_->Send(id_, Cluster::DaemonOf(node()), [cluster = cluster_, id = id_, blocked] {
    cluster->FindNode(NodeIndexOf(id))->OnBlocked(id, blocked);
  });
}

// The innermost task waits: if nobody has claimed the very child that makes what it waits for, that
// may run in its lease. No other one: it might wait for something further down on the stack.
bool Process::RunInPlace() {
  const Activity& waiting = activities_.at(stack_.back());
  const TaskPtr task = TakeChild(waiting.node, waiting.key, *waiting.waits_for);
  if (task == nullptr) return false;
  if (blocked_) SetBlocked(false);
  task->state = TaskState::kHere;
  Activity activity;
  activity.task = task->message;
  activity.own = task;
  activity.node = waiting.node;
  activity.key = waiting.key;
  Start(std::move(activity));
  return true;
}

Process::TaskPtr Process::TakeChild(uint32_t at, uint32_t key, ObjectId result) {
  const auto found = targets_.find({at, key});
  if (found == targets_.end() || found->second.demand.dedicated) return nullptr;
  Target& target = found->second;
  const auto makes_it = [result](const TaskMessage& message) { return message.result == result; };
  for (auto& [name, held] : target.leases) {
    std::deque<TaskMessage>& slots = held.channel->slots;
    const auto slot = std::find_if(slots.begin(), slots.end(), makes_it);
    if (slot == slots.end()) continue;
    const TaskPtr task = tasks_.at(slot->number);
    slots.erase(slot);
    return task;
  }
  const auto queued = std::find_if(target.backlog.begin(), target.backlog.end(),
                                   [&](const TaskPtr& task) { return makes_it(task->message); });
  if (queued == target.backlog.end()) return nullptr;
  const TaskPtr task = *queued;
  target.backlog.erase(queued);
  return task;
}

void Process::EndActivity(Activity* activity, Outcome outcome,
                          const std::vector<ObjectId>& returned) {
  const Activity ended = std::move(*activity);
  activities_.erase(ended.id);
  stack_.pop_back();
  const bool drop_before = random().Chance(50);
  const auto drop = [&](bool before) {
    for (const ObjectId handle : ended.handles) {
      const bool needed = std::find(returned.begin(), returned.end(), handle) != returned.end();
      if ((drop_before && !needed) == before) Release(handle);
    }
  };
  drop(true);
  if (ended.own != nullptr) {
    EndInPlace(ended.own, outcome, returned);
  } else {
    EndPushed(ended, outcome, returned);
  }
  drop(false);
  Settle();
  if (stack_.empty()) {
    Claim();
  } else if (activities_.at(stack_.back()).waits_for) {
    WaitFurther();
  } else {
    Continue(stack_.back());
  }
}

void Process::EndPushed(const Activity& activity, Outcome outcome,
                        const std::vector<ObjectId>& returned) {
  const std::shared_ptr<Channel> channel = activity.channel;
  CompletionMessage completion{activity.task.number, outcome, {}};
  completion.references = table_.TaskFinished(activity.task.owner, activity.task.number,
                                              {{activity.task.result, returned}});
  channel->completions.push_back(std::move(completion));
  channel->claimed.reset();
  cluster_->Wake(channel->owner, [cluster = cluster_, channel] {
    cluster->Find(channel->owner)->OnCompletions(channel);
  });
}

void Process::EndInPlace(const TaskPtr& task, Outcome outcome,
                         const std::vector<ObjectId>& returned) {
  if (outcome == Outcome::kTaskError && task->retries_left > 0) {
    Retry(task);
    return;
  }
  const ObjectId result = task->message.result;
  if (Knows(result)) table_.Put(result, returned);
  Finish(task);
  table_.UnpinTask(task->message.number);
  Resolve(result, {outcome, returned});
}

// ---- The end

void Process::OnStop() {
  stop_ = true;
  for (const ObjectId object : std::exchange(kept_, {})) Release(object);
  Settle();
}

void Process::ExitIfIdle() {
  if (!stop_ || !stack_.empty() || !tasks_.empty() || !table_.empty()) return;
  for (const auto& [name, target] : targets_) {
    if (!target.leases.empty() || target.demand.wanted > 0) return;
  }
  stop_ = false;
  cluster_->Retire(id_);
}

}  // namespace manta::simulator
