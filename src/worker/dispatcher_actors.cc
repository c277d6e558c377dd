// Actors: their targets, their end, and how they start again.

#include "worker/dispatcher.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "worker/clock.h"

namespace manta::worker {

TaskTarget* Dispatcher::NewActorTarget(const ActorId& id, TargetOptions options, int32_t max_restarts) {
  TaskTarget* target = NewTarget(std::move(options), true);
  target->actor = id;
  target->life = model::ActorLife(max_restarts);
  target->wanted = 1;
  port_->SetDemand(*target);
  return target;
}

TaskTarget* Dispatcher::NewForeignActorTarget(const ActorId& id) {
  TaskTarget* target = NewTarget(TargetOptions{}, true);
  target->actor = id;
  target->foreign = true;
  return target;
}

void Dispatcher::DropActorTarget(TaskTarget* target) { dropped_.push_back(target); }

void Dispatcher::FreeDroppedTargets() {
  std::erase_if(dropped_, [this](const TaskTarget* target) {
    const bool in_use = !target->closed || target->outstanding() > 0 || target->creation != 0 ||
                        !target->channels.empty();
    if (!in_use) targets_.erase(target->key);
    return !in_use;
  });
}

void Dispatcher::ConnectActor(TaskTarget* target, const GrantedLease& link) {
  OwnerChannel* channel = ChannelTo(link);
  channel->target = target;
  channel->set_overlapping(target->overlapping);
  target->channels.push_back(channel);
  target->unavailable = target->closed;
  Dispatch(target);
}

bool Dispatcher::TooManyPending(TaskTarget* target) {
  // What the limit does not count: the creation. What it must not count: calls that are done, but were not looked at yet.
  const auto pending = [this, target] {
    const bool creating = target->creation != 0 && owner_->Task(target->creation)->state != TaskState::kKept;
    return target->outstanding() - (creating ? 1 : 0);
  };
  if (pending() < target->max_pending) return false;
  for (OwnerChannel* channel : target->channels) PollChannel(channel);
  return pending() >= target->max_pending;
}

int32_t& Dispatcher::RetriesLeft(TaskRecord* task) {
  if (task->retries_left == MANTA_DEFAULT_INT) task->retries_left = task->target->max_task_retries;
  return task->retries_left;
}

// ---- The end

void Dispatcher::CloseActor(TaskTarget* target, const Error& cause) {
  if (target->closed) return;
  target->closed = target->unavailable = true;
  target->death = cause;
  if (!target->foreign) {
    target->life.Die();
    port_->ActorChanged(*target, {});
  }
  if (target->wanted != 0) DropDemand(target);
  ForgetCreation(target);
  FailQueue(target, cause);
}

void Dispatcher::ActorEnded(LeaseId lease, const std::string& reason) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return;
  OwnerChannel* channel = found->second;
  channel->lease = {};
  leases_.erase(found);
  CloseActor(channel->target, MakeError(MANTA_ERROR_ACTOR_DIED, "the actor died: " + reason));
}

void Dispatcher::RetireActor(TaskTarget* target) {
  if (target->closed) return;
  target->life.Retire();
  port_->ActorChanged(*target, target->channels.empty() ? ProcessId{} : target->channels.front()->worker());
  ForgetCreation(target);
  const bool only_creation = target->creation != 0 && target->outstanding() == 1;
  if (target->channels.empty() && (only_creation || target->outstanding() == 0)) {
    CloseActor(target, MakeError(MANTA_ERROR_ACTOR_DIED, "the actor ended: no handle to it is left"));
    return;
  }
  uint32_t index;
  TaskRecord* task = owner_->NewTask(&index);
  task->body.function = {};
  task->body.args_bytes = task->body.payload_bytes = 0;
  task->body.dependencies = 0;
  task->body.flags = shm::kExitWorker;
  task->body.results = 0;
  task->body.attempt = 0;
  task->body.shape = 0;
  task->nested = nullptr;
  task->retries_left = -1;
  task->retry_rule = nullptr;
  task->parent = {};
  Submit(index, task, target);
}

bool Dispatcher::KillHomelessActor(TaskTarget* target, bool no_restart) {
  if (target->closed) return true;
  if (!target->channels.empty()) return false;
  // Without a process there is nothing that could start again.
  if (no_restart) CloseActor(target, MakeError(MANTA_ERROR_ACTOR_DIED, "the actor was killed"));
  return true;
}

// ---- Starting again

// The creation task is done. It is kept for as long as the actor may need it again.
void Dispatcher::CreationDone(uint32_t index, TaskRecord* task, ProcessId host) {
  TaskTarget* target = task->target;
  if (!target->closed) {
    target->life.Created();
    port_->ActorChanged(*target, host);
    if (target->life.may_restart()) {
      task->state = TaskState::kKept;
      if (task->nested != nullptr) FreePayload(task);  // made anew for a restart
      return;
    }
  }
  target->creation = 0;
  ReleaseTask(index, task);
}

// A creation task that is under way stays: it is dealt with where it is.
void Dispatcher::ForgetCreation(TaskTarget* target) {
  if (target->creation == 0) return;
  TaskRecord* task = owner_->Task(target->creation);
  if (task->state != TaskState::kKept) return;
  ReleaseTask(std::exchange(target->creation, 0), task);
}

// Its calls that are tried again go back to the front of the queue in their order, behind the creation; the others fail.
void Dispatcher::ActorGone(OwnerChannel* channel, TaskTarget* target, const Departure& departure) {
  struct Lost {
    uint32_t index;
    uint32_t age;
    bool began;
  };
  std::vector<Lost> calls;  // oldest first
  for (const OwnerChannel::ReturnedCall& call : channel->returned) {
    TaskRecord* task = owner_->FindTask(call.task, call.generation);
    if (task == nullptr || task->state != TaskState::kQueued || task->target != target || call.task == target->creation) continue;
    target->queue.Remove(call.task);
    task->state = TaskState::kPushed;  // as what is in the channel still
    calls.push_back({call.task, channel->Age(call.position), false});
  }
  TaskRecord* creation = target->creation != 0 ? owner_->Task(target->creation) : nullptr;
  bool began = creation == nullptr || creation->state != TaskState::kQueued;
  bool creation_lost = false;
  for (uint32_t index : channel->InFlight()) {
    TaskRecord* task = owner_->Task(index);
    const uint32_t age = channel->Age(task->position);
    const bool claimed = !channel->TakeBack(task);
    if (claimed) channel->Forget(task);
    Left(channel, task);
    if (index == target->creation) {
      began = claimed;
      creation_lost = true;
    } else {
      calls.push_back({index, age, claimed});
    }
  }
  std::stable_sort(calls.begin(), calls.end(), [](const Lost& a, const Lost& b) { return a.age > b.age; });
  const auto verdict_on = [](const TaskRecord& task, const Error& verdict) {
    return task.cancelled ? MakeError(MANTA_ERROR_TASK_CANCELLED, "the call was cancelled before its actor died") : verdict;
  };
  const model::HostEnd end = departure.for_good ? model::HostEnd::kForGood
                             : began            ? model::HostEnd::kCrash
                                                : model::HostEnd::kUnused;
  const bool restarts = !target->closed && (target->foreign ? departure.actor_restarts : target->life.HostEnded(end));
  if (!restarts) {
    Error verdict = target->closed ? target->death : departure.cause;
    if (!target->closed) {
      verdict.kind = MANTA_ERROR_ACTOR_DIED;
      verdict.message = "the actor died: " + departure.cause.message;
      const std::string account = departure.for_good ? "" : target->life.Account();
      if (!account.empty()) verdict.message += "\n" + account;
    }
    for (const Lost& call : calls) Fail(call.index, owner_->Task(call.index), verdict_on(*owner_->Task(call.index), verdict));
    if (creation_lost) Fail(std::exchange(target->creation, 0), creation, verdict);
    CloseActor(target, verdict);
    return;
  }

  const bool unused = !target->foreign && end == model::HostEnd::kUnused;
  const auto tried_again = [&](TaskRecord* task) { return !task->cancelled && (unused || RetriesLeft(task) != 0); };
  target->unavailable = !unused;
  target->death = MakeError(MANTA_ERROR_ACTOR_UNAVAILABLE,
                            "The actor is restarting: " + departure.cause.message +
                                "\nThe call may or may not have run, and it has no retries (max_task_retries) left");
  std::vector<uint32_t> waiting;
  for (uint32_t index = target->queue.front(); index != 0; index = owner_->Task(index)->slab_next) waiting.push_back(index);
  for (size_t i = calls.size(); i-- > 0;) {
    TaskRecord* task = owner_->Task(calls[i].index);
    if (!tried_again(task)) continue;
    if (calls[i].began) {
      if (task->retries_left > 0) --task->retries_left;
      if (task->body.attempt < UINT8_MAX) ++task->body.attempt;
    }
    Renew(task);
    target->queue.PushFront(calls[i].index);
  }
  if (creation != nullptr) {
    if (creation->state == TaskState::kQueued) {  // it came back before
      target->queue.Remove(target->creation);
    } else {
      creation->body.attempt = static_cast<uint8_t>(std::min<uint32_t>(target->life.restarts(), UINT8_MAX));
      Renew(creation);
    }
    target->queue.PushFront(target->creation);
  }
  for (const Lost& call : calls) {
    TaskRecord* task = owner_->Task(call.index);
    if (task->state == TaskState::kPushed) Fail(call.index, task, verdict_on(*task, target->death));
  }
  for (uint32_t index : waiting) {
    TaskRecord* task = owner_->Task(index);
    // A failure above may have ended it, too.
    const bool still_waits = task->state == TaskState::kQueued && task->target == target && task->unready == 0;
    if (!still_waits || index == target->creation || tried_again(task)) continue;
    target->queue.Remove(index);
    Fail(index, task, target->death);
  }
  if (target->foreign) {
    port_->ActorMoved(*target);
  } else {
    port_->ActorChanged(*target, {});
    port_->SetDemand(*target);
  }
}

}  // namespace manta::worker
