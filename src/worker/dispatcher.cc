#include "worker/dispatcher.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "base/kill_point.h"
#include "model/error_codec.h"
#include "worker/clock.h"
#include "worker/function_names.h"

namespace manta::worker {
namespace {

// A window holds about this much work per worker: enough to hide a wake-up, little enough to be given elsewhere.
constexpr int64_t kWindowNs = 200'000;
// While nobody reads the results but the service thread with its ticks: enough until the next but one.
constexpr int64_t kUnattendedWindowNs = 3'000'000;
// Payloads that are too large for a channel are given space for, and wait for their turn, at one time.
constexpr uint32_t kMostPlacing = 4;
// Of tasks that take longer, none is given to a worker that has one: waking it up for the next costs little beside them, and no task
// waits behind a long one while another worker is free.
constexpr int64_t kLongTaskNs = 2'000'000;

model::ResourceSet OneCpu() {
  model::ResourceSet resources;
  resources.Set(model::kCpu, model::kResourceUnit);
  return resources;
}

}  // namespace

Dispatcher::Dispatcher(Owner* owner, References* references, LeasePort* port, uint32_t cores)
    : owner_(owner), references_(references), port_(port), cores_(std::max(cores, 1u)) {
  TargetOptions defaults;
  defaults.resources = defaults.placement = OneCpu();
  TargetFor(defaults);
}

TaskTarget* Dispatcher::NewTarget(TargetOptions options, bool ordered) {
  const uint32_t key = next_key_++;
  auto& target = targets_[key];
  target = std::make_unique<TaskTarget>(owner_, key, std::move(options), ordered);
  return target.get();
}

TaskTarget* Dispatcher::TargetFor(const TargetOptions& options) {
  TaskTarget*& target = shapes_[options.Shape() + options.placement.ToString()];
  if (target == nullptr) target = NewTarget(options, false);
  return target;
}

// ---- Submission

ObjectRecord* Dispatcher::FailedDependency(const TaskRecord& task) const {
  for (uint32_t i = 0; i < task.body.dependencies; ++i) {
    if (task.dependencies[i]->state.load(std::memory_order_relaxed) == ValueState::kError) {
      return task.dependencies[i];
    }
  }
  return nullptr;
}

void Dispatcher::SubmitSlowly(uint32_t index, TaskRecord* task, TaskTarget* target) {
  if (__builtin_expect(target->unavailable, 0) && (target->closed || RetriesLeft(task) == 0)) {
    Fail(index, task, target->death);
    return;
  }
  if (target->outstanding() == 0) target->backlog_since = NowNs();
  MarkBusy(target);
  if (task->holds_references()) references_->PinTask(task->nested);
  if (task->body.dependencies != 0) {
    for (uint32_t i = 0; i < task->body.dependencies; ++i) {
      ObjectRecord* object = task->dependencies[i];
      if (object->state.load(std::memory_order_relaxed) != ValueState::kPending) continue;
      owner_->AddDependent(object, nullptr, index);
      references_->Fetch(object);
      ++task->unready;
    }
    if (task->unready == 0) {
      if (ObjectRecord* failed = FailedDependency(*task)) {
        FailForDependency(index, task, *failed->error);
        return;
      }
      references_->AddContained(task);
    } else if (!target->ordered) {
      task->state = TaskState::kWaiting;
      return;
    }
  }
  if (target->queue.empty() && task->unready == 0 && PushTo(target, Choose(target), index, task)) return;
  target->queue.PushBack(index);
  if (target->channels.empty()) {
    if (target->wanted == 0) UpdateDemand(target, NowNs());
  } else if (target->queue.size() == 1) {
    Dispatch(target);
  } else if ((target->queue.size() & 15) == 0) {
    for (OwnerChannel* channel : target->channels) PollChannel(channel);
    Dispatch(target);
  }
}

void Dispatcher::DependencyReady(uint32_t index) {
  TaskRecord* task = owner_->Task(index);
  if (--task->unready > 0) return;
  if (task->state == TaskState::kAbandoned) return ReleaseTask(index, task);
  TaskTarget* target = task->target;
  if (ObjectRecord* failed = FailedDependency(*task)) {
    FailUnstarted(index, task, *failed->error);
    return;
  }
  if (target->closed) {
    FailUnstarted(index, task, target->death);
    return;
  }
  references_->AddContained(task);
  if (target->outstanding() == 0) target->backlog_since = NowNs();
  MarkBusy(target);
  if (task->state == TaskState::kWaiting) target->queue.PushBack(index);
  Dispatch(target);
  if (!target->queue.empty() && target->channels.empty() && target->wanted == 0) {
    UpdateDemand(target, NowNs());
  }
}

// One that waits in its target's queue, or outside of it.
void Dispatcher::FailUnstarted(uint32_t index, TaskRecord* task, const Error& error) {
  TaskTarget* target = task->target;
  const bool queued = task->state == TaskState::kQueued;
  if (queued) target->queue.Remove(index);
  FailForDependency(index, task, error);
  if (queued) Dispatch(target);  // the calls that it has held back
}

// Of one that waits for values, or for space, and is in no queue: its results fail now; its record goes when those come, since they name it.
void Dispatcher::Abandon(TaskRecord* task, const Error& error) {
  FailResults(task, error);
  if (task->body.results > 1) owner_->heap().Free(task->results, sizeof(ObjectRecord*) * task->body.results);
  task->body.results = 0;
  task->target = nullptr;
  task->state = TaskState::kAbandoned;
}

// ---- Payloads that are too large for a channel

void Dispatcher::PlacePayloadApart(uint32_t index, TaskRecord* task) {
  if (task->nested == nullptr) task->nested = new TaskNested();
  const uint64_t bytes = PayloadBytes(*owner_, *task);
  if (bytes > UINT32_MAX) {
    FailUnstarted(index, task, MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                                         "the arguments of '" + NameOfTask(*task) + "' take " + std::to_string(bytes) +
                                             " bytes: 4 GiB is the most"));
    return;
  }
  task->nested->awaits_payload = true;
  ++task->unready;
  ++placing_;
  if (!task->target->ordered) {  // others need not wait for it
    task->target->queue.Remove(index);
    task->state = TaskState::kWaiting;
  }
  port_->AskForPayloadSpace(index, task->body.generation, bytes);
}

const TaskRecord* Dispatcher::AwaitingPayload(uint32_t index, uint32_t generation) {
  const TaskRecord* task = owner_->FindTask(index, generation);
  return task != nullptr && task->nested != nullptr && task->nested->awaits_payload ? task : nullptr;
}

void Dispatcher::PayloadSpace(uint32_t index, const Result<shm::SharedHandle>& space) {
  TaskRecord* task = owner_->Task(index);
  task->nested->awaits_payload = false;
  --placing_;
  if (space) task->nested->payload = space.value();
  if (task->state == TaskState::kAbandoned) return DependencyReady(index);
  if (space) {
    // Next in line, so that no more space is asked for before this is used.
    if (task->state == TaskState::kWaiting && !task->target->ordered && !task->target->closed) {
      --task->unready;
      MarkBusy(task->target);
      task->target->queue.PushFront(index);
      Dispatch(task->target);
    } else {
      DependencyReady(index);
    }
    return;
  }
  --task->unready;
  FailUnstarted(index, task, space.error());
}

// ---- Sending

void Dispatcher::Dispatch(TaskTarget* target) {
  while (!target->queue.empty()) {
    const uint32_t index = target->queue.front();
    TaskRecord* task = owner_->Task(index);
    if (task->unready > 0) return;  // ordered: later calls wait behind it
    OwnerChannel* channel = Choose(target);
    if (channel == nullptr) return;
    target->queue.Remove(index);
    if (PushTo(target, channel, index, task)) continue;
    target->queue.PushFront(index);
    if (channel->CanHold(*owner_, *task) || placing_ == kMostPlacing) return;
    PlacePayloadApart(index, task);
  }
}

bool Dispatcher::Withdraw(uint32_t index, TaskRecord* task) {
  TaskTarget* target = task->target;
  if (target->ordered || task->unready > 0) return false;
  if (task->state == TaskState::kQueued) {
    target->queue.Remove(index);
  } else if (task->state == TaskState::kPushed) {
    OwnerChannel* channel = task->channel;
    if (!channel->TakeBack(task)) return false;
    Left(channel, task);
  } else {
    return false;
  }
  task->state = TaskState::kRunningHere;
  return true;
}

// ---- Channels

void Dispatcher::Activate(OwnerChannel* channel) {
  active_.push_back(channel);
  channel->active_index = static_cast<uint32_t>(active_.size());
}

void Dispatcher::Deactivate(OwnerChannel* channel) {
  if (channel->active_index == 0) return;
  active_[channel->active_index - 1] = active_.back();
  active_[channel->active_index - 1]->active_index = channel->active_index;
  active_.pop_back();
  channel->active_index = 0;
}

// Its last task in flight has left.
void Dispatcher::ChannelEmptied(OwnerChannel* channel) {
  Deactivate(channel);
  if (channel->revoked && channel->lease) ReturnLease(channel);
}

void Dispatcher::ReturnLease(OwnerChannel* channel) {
  assert(channel->in_flight() == 0);
  std::erase(channel->target->channels, channel);
  leases_.erase(channel->lease);
  port_->ReturnLease(channel->lease, false);
  channel->lease = {};
  channel->target = nullptr;
  channel->revoked = channel->blocked = channel->slow = false;
}

inline void Dispatcher::Complete(OwnerChannel* channel, const shm::CompletionBody& completion) {
  TaskRecord* task = owner_->FindTask(completion.record, completion.generation);
  // Garbage, or an answer that comes after the task was settled otherwise: nobody waits for it.
  if (task == nullptr || task->channel != channel) return;
  if (__builtin_expect(completion.status == shm::TaskStatus::kItem, 0)) return ReceiveItem(channel, completion, completion.record, task);
  channel->Forget(task);
  Left(channel, task);
  // The common case: one small value, and nothing to tell anybody.
  if (completion.status == shm::TaskStatus::kOk && completion.flags == 0 && task->body.results == 1 &&
      task->nested == nullptr) {
    owner_->SetInline(task->result, completion.inline_result,
                      std::min<uint32_t>(completion.inline_bytes, shm::kInlineResult));
    ReleaseTask(completion.record, task);
    return;
  }
  CompleteSlowly(channel, completion, task);
}

uint32_t Dispatcher::PollChannel(OwnerChannel* channel) {
  uint32_t count = 0;
  uint64_t ticks = 0;
  TaskTarget* target = channel->target;
  uint32_t without_end = 0;  // of no execution
  while (const shm::CompletionBody* completion = channel->Front()) {
    ticks += completion->run_ticks;
    if (__builtin_expect(completion->status >= shm::TaskStatus::kReturned, 0)) ++without_end;
    Complete(channel, *completion);
    MANTA_KILL_POINT("owner.result_read");
    channel->Pop();
    if (++count == 128) break;
  }
  if (count == 0) return 0;
  channel->PublishConsumed();
  channel->progressed = true;
  channel->slow = false;
  if (target != nullptr && !target->ordered && count > without_end) MeasureService(target, ticks, count - without_end);
  return count;
}

void Dispatcher::MeasureService(TaskTarget* target, uint64_t ticks, uint32_t count) {
  const int64_t each = std::max<int64_t>(ticks_.ToNs(ticks / count), 1);
  // Falls fast and rises slowly: the first figures contain cold caches.
  if (target->service_ns == 0) {
    target->service_ns = each;
  } else if (each < target->service_ns) {
    target->service_ns = (target->service_ns + each) / 2;
  } else {
    target->service_ns += (each - target->service_ns + 7) / 8;
  }
  const int64_t most = unattended_ ? kUnattendedWindowNs : kWindowNs;
  const int64_t long_task = unattended_ ? 5 * kLongTaskNs : kLongTaskNs;  // by the latency of a tick
  target->window = static_cast<uint32_t>(std::clamp<int64_t>(most / target->service_ns, target->service_ns < long_task ? 2 : 1, 1 << 16));
  target->progressed = true;
}

// `task` is off the channel. The completion is a copy: what is checked is what is used.
void Dispatcher::CompleteSlowly(OwnerChannel* channel, shm::CompletionBody completion, TaskRecord* task) {
  if (completion.status == shm::TaskStatus::kReturned && channel->remote()) {
    Returned(channel, completion.record, task);
    return;
  }
  Finish(completion.record, task, OutcomeOf(channel, completion), channel->worker());
}

// Its bytes lie in the channel, in the arena, or in `completion`.
Outcome Dispatcher::OutcomeOf(OwnerChannel* channel, const shm::CompletionBody& completion) {
  Outcome outcome;
  outcome.status = completion.status;
  outcome.has_kept = (completion.flags & shm::kKeptReferences) != 0;
  outcome.is_list = (completion.flags & (shm::kResultsInRing | shm::kResultsShared)) != 0;
  if ((completion.flags & shm::kResultsShared) != 0) {
    shm::SharedHandle handle;
    std::memcpy(&handle, completion.inline_result, sizeof handle);
    if (owner_->memory().Contains(handle)) {
      outcome.bytes = owner_->memory().Readable(handle.offset);
      outcome.size = static_cast<uint32_t>(handle.size);
      owner_->FreeLater(handle);
    }
  } else if (outcome.is_list) {
    outcome.bytes = channel->ResultPayload(completion);
    outcome.size = outcome.bytes == nullptr ? 0 : completion.payload_bytes;
  } else {
    outcome.bytes = completion.inline_result;
    outcome.size = std::min<uint32_t>(completion.inline_bytes, shm::kInlineResult);
  }
  return outcome;
}

uint32_t Dispatcher::Poll() {
  uint32_t count = 0;
  // Backwards: a channel that becomes idle leaves the list.
  for (size_t i = active_.size(); i-- > 0;) {
    if (i >= active_.size()) continue;
    OwnerChannel* channel = active_[i];
    TaskTarget* target = channel->target;
    const uint32_t polled = PollChannel(channel);
    count += polled;
    if (polled > 0 && target != nullptr) Dispatch(target);
  }
  if (count > 0) references_->Flush();
  return count;
}

bool Dispatcher::HasWork() const {
  return std::any_of(active_.begin(), active_.end(),
                     [](const OwnerChannel* channel) { return channel->HasWork(); });
}

void Dispatcher::TakeBackUnclaimed(OwnerChannel* channel, uint32_t keep) {
  const std::vector<uint32_t> tasks = channel->InFlight();
  for (size_t i = tasks.size(); i-- > keep;) {
    TaskRecord* task = owner_->Task(tasks[i]);
    if (!channel->TakeBack(task)) {
      if (channel->remote()) port_->TakeBack(channel->worker(), tasks[i], task->body.generation);
      continue;
    }
    Left(channel, task);
    Renew(task);
    task->target->queue.PushFront(tasks[i]);
  }
}

// A worker of another node has not begun it and will not: as if it had been taken back here.
void Dispatcher::Returned(OwnerChannel* channel, uint32_t index, TaskRecord* task) {
  TaskTarget* target = task->target;
  if (target->ordered) {
    // The actor's host has died, which is told when all are back. What went there until then would get out of order.
    channel->blocked = true;
    channel->returned.push_back({index, task->body.generation, task->position});
  }
  if (task->cancelled) {
    Fail(index, task, MakeError(MANTA_ERROR_TASK_CANCELLED, "the task was cancelled before it started"));
  } else if (target->closed) {
    Fail(index, task, target->death);
  } else {
    Renew(task);
    target->queue.PushFront(index);
  }
}

// A worker without tasks gets what is next in line, not what was submitted last: tasks start in the order of their submission, as
// those that wait for one another need.
void Dispatcher::Rebalance(TaskTarget* target) {
  if (target->ordered || !target->queue.empty() || target->channels.size() < 2) return;
  const auto [least, most] = std::minmax_element(
      target->channels.begin(), target->channels.end(),
      [](const OwnerChannel* a, const OwnerChannel* b) { return a->in_flight() < b->in_flight(); });
  if ((*least)->in_flight() > 0 || (*most)->in_flight() < 2) return;
  TakeBackUnclaimed(*most, 0);
  Dispatch(target);
}

// Nothing waits in a channel behind a task that takes much longer than those before it.
void Dispatcher::TakeBackFromSlow(TaskTarget* target, int64_t now) {
  for (OwnerChannel* channel : target->channels) {
    if (channel->remote()) continue;  // what has begun there is not known here
    if (std::exchange(channel->progressed, false) || channel->in_flight() == 0 || channel->progress_at == 0) {
      channel->progress_at = now;
    } else if (!channel->slow && channel->in_flight() > 1 && now - channel->progress_at > kLongTaskNs) {
      TakeBackUnclaimed(channel, 0);
      channel->slow = channel->in_flight() > 0;  // else the worker did not run at all, and may begin with whatever comes
    }
  }
}

}  // namespace manta::worker
