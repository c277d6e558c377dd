// What the daemon tells and is told: leases granted, revoked, blocked and lost; the demand for them.

#include "worker/dispatcher.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "worker/clock.h"
#include "worker/function_names.h"

namespace manta::worker {
namespace {

// One more worker is worth asking for per this much work that waits.
constexpr int64_t kWorkPerLeaseNs = 500'000;
// What submitting and collecting a task costs its owner: more workers than this can feed are of no use.
constexpr int64_t kOwnerNsPerTask = 150;
// A generous bound for how long a parked process takes to wake up on a busy machine.
constexpr int64_t kWakeUpNs = 1'000'000;
constexpr int64_t kLeaseIdleNs = 80'000'000;
// Tasks of another kind that have waited so long for their first lease may need what an idle one holds; after the second time, it was not that.
constexpr int64_t kStarvingNs = 500'000;
constexpr int64_t kStarvedNs = 20'000'000;
// So long fewer workers must have been enough before one goes back: a driver whose processes share cores with a worker that
// it does not need runs slower with it.
constexpr int64_t kSurplusNs = 20'000'000;
// Of a target whose tasks run without end: when it is said that others wait, and when again.
constexpr int64_t kStuckAfterNs = 5'000'000'000;
constexpr int64_t kStuckAgainNs = 30'000'000'000;
constexpr int64_t kBusyTickNs = 1'000'000;
constexpr int64_t kSlowestBusyTickNs = 20'000'000;
constexpr int64_t kQuietTickNs = 10'000'000;

}  // namespace

// ---- Events

void Dispatcher::LeaseGranted(uint32_t key, const GrantedLease& granted) {
  OwnerChannel* channel = ChannelTo(granted);
  TaskTarget* target = FindTarget(key);
  // Not wanted any more: the withdrawal has crossed the grant.
  if (target == nullptr || target->closed || (!target->ordered && target->wanted == 0)) {
    port_->ReturnLease(granted.lease, true);
    return;
  }
  if (!target->ordered && target->outstanding() == 0 && target->channels.empty()) {
    // Who waited for these tasks has run them itself. Others may wait for this lease, and would get it after a quantum.
    DropDemand(target);
    port_->ReturnLease(granted.lease, true);
    return;
  }
  // Until WorkerGone: with two channels, calls would go before the creation.
  if (target->ordered && !target->channels.empty()) {
    early_grants_[key] = granted;
    return;
  }
  channel->lease = granted.lease;
  channel->target = target;
  channel->revoked = channel->blocked = channel->slow = false;
  channel->progress_at = 0;
  channel->set_overlapping(target->overlapping);
  leases_[granted.lease] = channel;
  target->channels.push_back(channel);
  Rebalance(target);
  if (target->ordered) {
    target->unavailable = false;
    port_->ActorChanged(*target, granted.worker);
  }
  Dispatch(target);
}

OwnerChannel* Dispatcher::ChannelTo(const GrantedLease& link) {
  std::unique_ptr<OwnerChannel>& channel = channels_[link.worker];
  if (channel == nullptr) {
    channel = std::make_unique<OwnerChannel>(link.channel, link.channel_offset, link.worker_page, link.worker);
  }
  return channel.get();
}

void Dispatcher::ForgetChannel(OwnerChannel* channel) {
  Deactivate(channel);
  port_->ReleaseChannel(channel->offset());
  channels_.erase(channel->worker());
}

void Dispatcher::LeaseRevoked(LeaseId lease) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return;
  OwnerChannel* channel = found->second;
  TaskTarget* target = channel->target;
  Retire(channel);
  Dispatch(target);
  ReturnIdleBesideRevoked(target);
}

// A revoked lease goes back after its running task, which may take long. The daemon does not know that another one is idle, which
// would do as well.
void Dispatcher::ReturnIdleBesideRevoked(TaskTarget* target) {
  if (!target->queue.empty()) return;
  const bool any_revoked = std::any_of(target->channels.begin(), target->channels.end(),
                                       [](const OwnerChannel* channel) { return channel->revoked && channel->in_flight() > 0; });
  if (!any_revoked) return;
  while (target->channels.size() > target->wanted) {
    const auto idle = std::find_if(target->channels.begin(), target->channels.end(),
                                   [](const OwnerChannel* channel) { return !channel->revoked && channel->in_flight() == 0; });
    if (idle == target->channels.end()) return;
    ReturnLease(*idle);
  }
}

void Dispatcher::Retire(OwnerChannel* channel) {
  if (channel->in_flight() == 0) {
    ReturnLease(channel);
    return;
  }
  channel->revoked = true;
  TakeBackUnclaimed(channel, 0);
}

void Dispatcher::LeaseBlocked(LeaseId lease, bool blocked) {
  const auto found = leases_.find(lease);
  if (found == leases_.end() || found->second->target->ordered) return;
  OwnerChannel* channel = found->second;
  TaskTarget* target = channel->target;
  channel->blocked = blocked;
  if (blocked) TakeBackUnclaimed(channel, 0);
  Dispatch(target);
  UpdateDemand(target, NowNs());
}

void Dispatcher::WorkerGone(ProcessId worker, const Departure& departure) {
  const auto found = channels_.find(worker);
  if (found == channels_.end()) return;
  OwnerChannel* channel = found->second.get();
  std::erase_if(early_grants_, [worker](const auto& early) { return early.second.worker == worker; });
  while (PollChannel(channel) > 0) {
  }
  TaskTarget* target = channel->target;
  if (target != nullptr) {
    std::erase(target->channels, channel);
    leases_.erase(channel->lease);
    channel->lease = {};
    channel->revoked = true;
  }
  if (target != nullptr && target->ordered) {
    ActorGone(channel, target, departure);
    ForgetChannel(channel);
    Dispatch(target);
    if (const auto early = early_grants_.extract(target->key)) LeaseGranted(target->key, early.mapped());
    return;
  }
  const std::vector<uint32_t> tasks = channel->InFlight();
  if (target != nullptr) {
    // What is tried again comes first, and so before what waits in the other channels.
    for (OwnerChannel* other : target->channels) {
      if (!other->remote()) TakeBackUnclaimed(other, 0);
    }
  }
  for (size_t i = tasks.size(); i-- > 0;) {
    TaskRecord* task = owner_->Task(tasks[i]);
    const bool started = !channel->TakeBack(task);
    if (started) channel->Forget(task);
    Left(channel, task);
    const bool is_final = departure.cause.kind == MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED;
    if (started && (task->retries_left == 0 || task->cancelled || is_final)) {
      const char* const cancelled = task->forced ? "the task was cancelled by force: its worker was killed"
                                                 : "the task was cancelled, and its worker died before it ended";
      Fail(tasks[i], task, task->cancelled ? MakeError(MANTA_ERROR_TASK_CANCELLED, cancelled) : departure.cause);
      continue;
    }
    if (started) {
      if (task->retries_left > 0) --task->retries_left;
      if (task->body.attempt < UINT8_MAX) ++task->body.attempt;
      TellOfCrashes(*task);
    }
    Renew(task);
    if (started) {
      QueueAgain(tasks[i], task, Again::kFirstAtFirst);
    } else {
      target->queue.PushFront(tasks[i]);
    }
  }
  ForgetChannel(channel);
  if (target == nullptr) return;
  Dispatch(target);
  UpdateDemand(target, NowNs());
}

// Of a task that crashes over and over nobody else hears as long as it is tried again.
void Dispatcher::TellOfCrashes(const TaskRecord& task) {
  constexpr uint8_t kFirst = 10;
  constexpr uint8_t kAgain = 100;
  if (task.body.attempt != kFirst && task.body.attempt != kAgain) return;
  news_.push_back("the task '" + NameOfTask(task) + "' has crashed its worker " + std::to_string(task.body.attempt) + " times and is tried again, " +
                  (task.retries_left < 0 ? "without end (max_retries=-1)" : std::to_string(task.retries_left + 1) + " times at most"));
}

void Dispatcher::DemandInfeasible(uint32_t key, const std::string& reason, bool group_removed) {
  TaskTarget* target = FindTarget(key);
  if (target == nullptr) return;
  if (target->ordered) {
    CloseActor(target, group_removed ? MakeError(MANTA_ERROR_ACTOR_PLACEMENT_GROUP_REMOVED, "the actor was not placed: " + reason)
                                     : MakeError(MANTA_ERROR_ACTOR_UNSCHEDULABLE, reason));
    return;
  }
  const Error error = group_removed ? MakeError(MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED, "the task did not run: " + reason)
                                    : MakeError(MANTA_ERROR_TASK_UNSCHEDULABLE, reason);
  while (!target->queue.empty()) {
    const uint32_t index = target->queue.front();
    target->queue.Remove(index);
    Fail(index, owner_->Task(index), error);
  }
  DropDemand(target);
}

// ---- Demand

void Dispatcher::DropDemand(TaskTarget* target) {
  target->wanted = 0;
  port_->SetDemand(*target);
}

bool Dispatcher::IsStuck(uint32_t key, int64_t now) {
  TaskTarget* target = FindTarget(key);
  if (target == nullptr || target->channels.empty()) return true;
  if (!HasNewsOf(target, now)) return false;
  target->stuck_at = now;
  return true;
}

// Whether nothing has ended for long, which was not said lately.
bool Dispatcher::HasNewsOf(TaskTarget* target, int64_t now) {
  if (std::exchange(target->progressed, false)) target->progress_at = now;
  if (now - std::max(target->progress_at, target->backlog_since) < kStuckAfterNs) return false;
  return target->stuck_at == 0 || now - target->stuck_at >= kStuckAgainNs;
}

// Calls of an actor that wait behind one that waits itself: perhaps for them, and then for ever.
void Dispatcher::LookForBlockedActor(TaskTarget* target, int64_t now) {
  if (target->channels.empty() || target->overlapping) return;
  OwnerChannel& channel = *target->channels.front();
  if (std::exchange(channel.progressed, false)) target->progressed = true;
  if (!channel.worker_waits() || !HasNewsOf(target, now)) return;
  uint32_t first = target->queue.front();
  uint32_t count = target->queue.size();
  const std::vector<uint32_t> sent = channel.InFlight();
  for (size_t i = sent.size(); i-- > 0 && !channel.HasBegun(*owner_->Task(sent[i]));) {
    first = sent[i];
    ++count;
  }
  if (count == 0) return;
  target->stuck_at = now;
  const std::string name = "'" + NameOfTask(*owner_->Task(first)) + "'";
  news_.push_back((count == 1 ? "the call " + name + " has" : std::to_string(count) + " calls (the first is " + name + ") have") +
                  " waited for " + std::to_string(kStuckAfterNs / 1'000'000'000) +
                  " s: the actor runs another call, which waits itself. If it waits for one of these, "
                  "it does so for ever: let the actor run more calls at once, or return the reference instead of waiting");
}

void Dispatcher::UpdateDemand(TaskTarget* target, int64_t now) {
  if (target->ordered) return;
  int64_t outstanding = target->outstanding();
  if (outstanding == 0) return;  // leases stay for a while, see Tick
  MarkBusy(target);
  uint32_t blocked = 0;
  for (const OwnerChannel* channel : target->channels) {
    if (!channel->blocked) continue;
    ++blocked;
    if (channel->in_flight() > 0) --outstanding;  // the task that waits there needs no other worker
  }
  if (target->progressed) {
    target->progressed = false;
    target->progress_at = now;
  }
  // Tasks that have not come back for much longer than a wake-up takes say more than those that came back before.
  const int64_t silent = target->channels.empty() ? 0 : now - std::max(target->progress_at, target->backlog_since);
  const int64_t each = std::max({target->service_ns, silent > kWakeUpNs ? silent : 0, int64_t{1}});
  const int64_t feedable = 1 + each / kOwnerNsPerTask;
  const int64_t useful = std::min({outstanding * each / kWorkPerLeaseNs, outstanding, feedable,
                                   int64_t{4} * cores_});
  const uint32_t wanted = static_cast<uint32_t>(std::max<int64_t>(useful, outstanding > 0 ? 1 : 0)) + blocked;
  if (wanted >= target->wanted) {
    target->surplus_since = 0;
    if (wanted == target->wanted) return;
    target->wanted = wanted;
    port_->SetDemand(*target);
    return;
  }
  if (target->surplus_since == 0) {
    target->surplus_since = now;
    target->needed = 0;
  }
  target->needed = std::max(target->needed, wanted);
  if (now - target->surplus_since < kSurplusNs) return;
  target->surplus_since = 0;
  target->wanted = target->needed;
  port_->SetDemand(*target);
  RetireSurplus(target);
}

// The demand was lowered: leases beyond it go back, the least busy first.
void Dispatcher::RetireSurplus(TaskTarget* target) {
  const auto held = [&] {
    return std::count_if(target->channels.begin(), target->channels.end(),
                         [](const OwnerChannel* channel) { return !channel->revoked; });
  };
  while (held() > target->wanted) {
    OwnerChannel* least = nullptr;
    for (OwnerChannel* channel : target->channels) {
      if (channel->revoked || channel->blocked) continue;
      if (least == nullptr || channel->in_flight() < least->in_flight()) least = channel;
    }
    if (least == nullptr) break;
    Retire(least);
  }
  Dispatch(target);
}

int64_t Dispatcher::Tick(int64_t now) {
  int64_t next = -1;
  const auto within = [&next](int64_t ns) { next = next < 0 ? ns : std::min(next, ns); };
  FreeDroppedTargets();
  for (const auto& [key, target] : targets_) {
    if (!target->ordered || target->outstanding() == 0) continue;
    Dispatch(target.get());
    LookForBlockedActor(target.get(), now);
    within(target->queue.empty() ? kQuietTickNs : kBusyTickNs);
  }
  std::erase_if(busy_, [](TaskTarget* target) {
    target->busy = target->outstanding() > 0 || target->wanted > 0 || !target->channels.empty();
    return !target->busy;
  });
  const bool any_starves = std::any_of(busy_.begin(), busy_.end(), [now](const TaskTarget* target) {
    const int64_t waited = now - target->backlog_since;
    return target->outstanding() > 0 && target->channels.empty() && waited >= kStarvingNs && waited < kStarvedNs;
  });
  for (TaskTarget* target : busy_) {
    if (target->outstanding() > 0) {
      target->idle_since = 0;
      ReturnIdleBesideRevoked(target);
      Rebalance(target);
      TakeBackFromSlow(target, now);
      Dispatch(target);  // room can appear without a completion, where tasks were taken back
      UpdateDemand(target, now);
      // The longer nothing has ended, the rarer: what many wait for comes later the more of them look every millisecond.
      const int64_t quiet = now - std::max(target->progress_at, target->backlog_since);
      within(target->wanted > target->channels.size() || !target->queue.empty() ? std::clamp(quiet / 8, kBusyTickNs, kSlowestBusyTickNs)
                                                                               : kQuietTickNs);
      continue;
    }
    if (target->wanted == 0) continue;
    if (!target->channels.empty()) {
      if (target->idle_since == 0) target->idle_since = now;
      if (now - target->idle_since < (any_starves ? 0 : kLeaseIdleNs)) {
        within(kQuietTickNs);
        continue;
      }
    }
    DropDemand(target);
    while (!target->channels.empty()) ReturnLease(target->channels.back());
  }
  return next;
}

std::string Dispatcher::WaitersOf(uint32_t key) const {
  const TaskTarget* known = FindTarget(key);
  if (known == nullptr) return "tasks have";
  const TaskTarget& target = *known;
  if (target.ordered) return "the actor '" + target.options.name + "' has";
  const uint32_t count = target.queue.size();
  if (count == 0) return "tasks have";
  const std::string first = NameOfTask(*owner_->Task(target.queue.front()));
  if (count == 1) return "the task '" + first + "' has";
  return std::to_string(count) + " tasks (the first is '" + first + "') have";
}

void Dispatcher::ReturnIdleLeases() {
  // First: what goes back would be granted again.
  for (const auto& [key, target] : targets_) {
    if (!target->ordered && target->wanted > 0) DropDemand(target.get());
  }
  std::vector<OwnerChannel*> idle;
  for (const auto& [lease, channel] : leases_) {
    if (!channel->target->ordered && channel->in_flight() == 0) idle.push_back(channel);
  }
  for (OwnerChannel* channel : idle) ReturnLease(channel);
}

void Dispatcher::FailAll(const Error& error) {
  // Nothing goes out from here on, whatever the failures below set free.
  for (const auto& [key, target] : targets_) {
    target->closed = target->unavailable = true;
    target->death = error;
    target->channels.clear();
    ForgetCreation(target.get());
  }
  leases_.clear();
  early_grants_.clear();
  for (const auto& [worker, channel] : channels_) {
    channel->lease = {};
    while (PollChannel(channel.get()) > 0) {
    }
    for (uint32_t index : channel->InFlight()) {
      TaskRecord* task = owner_->Task(index);
      channel->Forget(task);
      --task->target->in_flight;
      Fail(index, task, error);
    }
    Deactivate(channel.get());
    channel->target = nullptr;  // which may be freed from here on
  }
  for (const auto& [key, target] : targets_) FailQueue(target.get(), error);
}

// Of a closed target.
void Dispatcher::FailQueue(TaskTarget* target, const Error& error) {
  while (!target->queue.empty()) {
    const uint32_t index = target->queue.front();
    TaskRecord* task = owner_->Task(index);
    target->queue.Remove(index);
    if (index == target->creation) target->creation = 0;
    if (task->unready > 0) {
      Abandon(task, error);
    } else {
      Fail(index, task, error);
    }
  }
}

}  // namespace manta::worker
