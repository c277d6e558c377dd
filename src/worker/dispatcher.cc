#include "worker/dispatcher.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "model/error_codec.h"
#include "worker/clock.h"

namespace manta::worker {
namespace {

// A window holds about this much work per worker: enough to hide a wake-up, little enough to be given elsewhere.
constexpr int64_t kWindowNs = 200'000;
constexpr uint32_t kUnmeasuredWindow = 2;
// One more worker is worth asking for per this much work that waits.
constexpr int64_t kWorkPerLeaseNs = 500'000;
// What submitting and collecting a task costs its owner: more workers than this can feed are of no use.
constexpr int64_t kOwnerNsPerTask = 150;
// A generous bound for how long a parked process takes to wake up on a busy machine.
constexpr int64_t kWakeUpNs = 1'000'000;
constexpr int64_t kLeaseIdleNs = 80'000'000;
constexpr int64_t kBusyTickNs = 1'000'000;
constexpr int64_t kQuietTickNs = 10'000'000;

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

TaskTarget* Dispatcher::TargetFor(const TargetOptions& options) {
  for (const auto& target : targets_) {
    if (!target->ordered && target->options.SameShape(options)) return target.get();
  }
  targets_.push_back(
      std::make_unique<TaskTarget>(owner_, static_cast<uint32_t>(targets_.size()), options, false));
  return targets_.back().get();
}

TaskTarget* Dispatcher::NewActorTarget(TargetOptions options) {
  targets_.push_back(std::make_unique<TaskTarget>(owner_, static_cast<uint32_t>(targets_.size()),
                                                  std::move(options), true));
  TaskTarget* target = targets_.back().get();
  target->wanted = 1;
  port_->SetDemand(*target);
  return target;
}

TaskTarget* Dispatcher::NewForeignActorTarget() {
  targets_.push_back(std::make_unique<TaskTarget>(owner_, static_cast<uint32_t>(targets_.size()),
                                                  TargetOptions{}, true));
  targets_.back()->foreign = true;
  return targets_.back().get();
}

void Dispatcher::ConnectActor(TaskTarget* target, const GrantedLease& link) {
  std::unique_ptr<OwnerChannel>& channel = channels_[link.worker];
  if (channel == nullptr) {
    channel = std::make_unique<OwnerChannel>(link.channel, link.worker_page, link.worker);
  }
  channel->target = target;
  target->channels.push_back(channel.get());
  Dispatch(target);
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

void Dispatcher::Submit(uint32_t index, TaskRecord* task, TaskTarget* target) {
  task->target = target;
  task->unready = 0;
  task->cancelled = false;
  if (target->closed) {
    Fail(index, task, target->death);
    return;
  }
  if (target->outstanding() == 0) target->backlog_since = NowNs();
  if (task->nested != nullptr) references_->PinTask(task->nested);
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
    } else if (!target->ordered) {
      task->state = TaskState::kWaiting;
      return;
    }
  }
  // The common case: nothing is ahead of it, and a worker has room.
  if (target->queue.empty() && task->unready == 0) {
    if (OwnerChannel* channel = Choose(target); channel != nullptr) {
      if (channel->Push(*owner_, index, task)) {
        ++target->in_flight;
        Activate(channel);
        return;
      }
    }
  }
  target->queue.PushBack(index);
  if (target->channels.empty()) {
    if (target->wanted == 0) UpdateDemand(target, NowNs());
  } else if ((target->queue.size() & 15) == 0) {
    for (OwnerChannel* channel : target->channels) PollChannel(channel);
    Dispatch(target);
  }
}

void Dispatcher::DependencyReady(uint32_t index) {
  TaskRecord* task = owner_->Task(index);
  if (--task->unready > 0) return;
  TaskTarget* target = task->target;
  if (ObjectRecord* failed = FailedDependency(*task); failed != nullptr || task->cancelled) {
    const bool queued = task->state == TaskState::kQueued;
    if (queued) target->queue.Remove(index);
    FailForDependency(index, task,
                      task->cancelled ? MakeError(MANTA_ERROR_TASK_CANCELLED, "the task was cancelled before it started")
                                      : *failed->error);
    if (queued) Dispatch(target);  // the calls that it has held back
    return;
  }
  if (target->closed) {
    Fail(index, task, target->death);
    return;
  }
  if (task->state == TaskState::kWaiting) target->queue.PushBack(index);
  Dispatch(target);
  if (!target->queue.empty() && target->channels.empty() && target->wanted == 0) {
    UpdateDemand(target, NowNs());
  }
}

uint32_t Dispatcher::WindowOf(const TaskTarget& target) const {
  if (target.ordered) return UINT32_MAX;
  if (target.service_ns == 0) return kUnmeasuredWindow;
  return static_cast<uint32_t>(std::clamp<int64_t>(kWindowNs / target.service_ns, 2, 1 << 16));
}

OwnerChannel* Dispatcher::Choose(TaskTarget* target) const {
  OwnerChannel* best = nullptr;
  for (OwnerChannel* channel : target->channels) {
    if (channel->revoked || channel->blocked || !channel->HasRoom()) continue;
    if (best == nullptr || channel->in_flight() < best->in_flight()) best = channel;
  }
  return best != nullptr && best->in_flight() < WindowOf(*target) ? best : nullptr;
}

void Dispatcher::Dispatch(TaskTarget* target) {
  while (!target->queue.empty()) {
    const uint32_t index = target->queue.front();
    TaskRecord* task = owner_->Task(index);
    if (task->unready > 0) return;  // ordered: later calls wait behind it
    OwnerChannel* channel = Choose(target);
    if (channel == nullptr) return;
    target->queue.Remove(index);
    if (!channel->Push(*owner_, index, task)) {
      target->queue.PushFront(index);
      return;
    }
    ++target->in_flight;
    Activate(channel);
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

// ---- Results

void Dispatcher::Finish(uint32_t index, TaskRecord* task, const Outcome& outcome, ProcessId worker) {
  if (outcome.status != shm::TaskStatus::kOk && ShouldRetry(*task, outcome)) {
    if (task->retries_left > 0) --task->retries_left;
    ++task->body.attempt;
    Renew(task);
    Requeue(index, task);
    return;
  }
  TaskTarget* target = task->target;
  const bool constructor_failed =
      outcome.status != shm::TaskStatus::kOk && (task->body.flags & shm::kActorCreation) != 0;
  if (constructor_failed) {
    Error death = FirstError(outcome);
    death.kind = MANTA_ERROR_ACTOR_DIED;
    death.message = "the actor died because of an error raised in its creation task: " + death.message;
    CloseActor(target, death);
  }
  SetResults(task, outcome, worker);
  ReleaseTask(index, task);
}

void Dispatcher::SetResults(TaskRecord* task, const Outcome& outcome, ProcessId worker) {
  if (outcome.is_list) {
    SetResultsFromList(task, outcome, worker);
    return;
  }
  if (task->body.results == 1) owner_->SetBytes(task->result, outcome.bytes, outcome.size);
  if (task->nested != nullptr && !outcome.in_place) {
    references_->TaskCompleted(task->nested, worker, {}, {});
  }
}

void Dispatcher::SetResultsFromList(TaskRecord* task, const Outcome& outcome, ProcessId worker) {
  const bool failed = outcome.status != shm::TaskStatus::kOk;
  ResultReader reader(outcome.bytes, outcome.size);
  std::vector<References::ReceivedResult> deferred;
  ResultReader::Entry entry;
  for (uint32_t i = 0; i < task->body.results; ++i) {
    ObjectRecord* object = task->body.results == 1 ? task->result : task->results[i];
    // One error serves all results.
    if ((i == 0 || !failed) && !reader.Next(&entry)) {
      entry = {};
      entry.kind = shm::ValueKind::kError;
    }
    if (entry.references.empty()) {
      SetResult(object, entry);
      continue;
    }
    References::ReceivedResult result{object, {entry.kind, {entry.bytes, entry.bytes + entry.size}, true, {}}, {}};
    for (const shm::WireReference& reference : entry.references) {
      result.value.inners.push_back(reference.object);
      result.passed.push_back({reference.object, reference.number});
    }
    if (outcome.in_place) {
      references_->GiveValue(object, std::move(result.value));
    } else {
      deferred.push_back(std::move(result));
    }
  }
  if (task->body.results == 0) reader.Next(&entry);
  std::vector<model::KeptReference> kept;
  if (outcome.has_kept) {
    for (const shm::WireReference& reference : reader.Kept()) kept.push_back({reference.object, reference.number});
  }
  if (!outcome.in_place && (task->nested != nullptr || !deferred.empty())) {
    references_->TaskCompleted(task->nested, worker, std::move(kept), std::move(deferred));
  }
}

void Dispatcher::SetResult(ObjectRecord* object, const ResultReader::Entry& entry) {
  if (entry.kind == shm::ValueKind::kInline) {
    owner_->SetBytes(object, entry.bytes, entry.size);
    return;
  }
  shm::SharedHandle handle;
  if (entry.kind == shm::ValueKind::kShared && entry.size == sizeof handle) {
    std::memcpy(&handle, entry.bytes, sizeof handle);
    if (owner_->memory().Contains(handle)) {
      owner_->SetShared(object, handle, true);
      return;
    }
  }
  owner_->SetError(object, model::DecodeError(entry.bytes, entry.size));
}

bool Dispatcher::ShouldRetry(const TaskRecord& task, const Outcome& outcome) const {
  if (outcome.status != shm::TaskStatus::kFailed || task.retries_left == 0 || task.cancelled) {
    return false;
  }
  if (task.retry_rule == nullptr) return false;
  switch (task.retry_rule->exceptions) {
    case RetryRule::Exceptions::kAll:
      return true;
    case RetryRule::Exceptions::kListed:
      return std::count(task.retry_rule->types.begin(), task.retry_rule->types.end(),
                        FirstError(outcome).type_name) > 0;
    case RetryRule::Exceptions::kNone:
      break;
  }
  return false;
}

Error Dispatcher::FirstError(const Outcome& outcome) {
  shm::ResultHeader header{};
  if (outcome.size >= sizeof header) std::memcpy(&header, outcome.bytes, sizeof header);
  const size_t bytes = std::min<size_t>(header.bytes, outcome.size - std::min<size_t>(outcome.size, sizeof header));
  return model::DecodeError(outcome.bytes + sizeof header, bytes);
}

void Dispatcher::Fail(uint32_t index, TaskRecord* task, const Error& error) {
  for (uint32_t i = 0; i < task->body.results; ++i) {
    owner_->SetError(task->body.results == 1 ? task->result : task->results[i], error);
  }
  ReleaseTask(index, task);
}

bool Dispatcher::Cancel(uint32_t index, TaskRecord* task, bool force, bool recursive, ProcessId* kill) {
  const Error cancelled = MakeError(MANTA_ERROR_TASK_CANCELLED, std::string("the task '") +
                                                                    (task->name != nullptr ? task->name : "?") +
                                                                    "' was cancelled before it started");
  TaskTarget* target = task->target;
  task->cancelled = true;
  switch (task->state) {
    case TaskState::kWaiting:
      return true;  // fails when its dependencies are there: they still name it
    case TaskState::kQueued:
      if (task->unready > 0) return true;
      target->queue.Remove(index);
      Fail(index, task, cancelled);
      return true;
    case TaskState::kPushed: {
      OwnerChannel* channel = task->channel;
      if (channel->TakeBack(task)) {
        Left(channel, task);
        Fail(index, task, cancelled);
        return true;
      }
      references_->SendInterrupt(channel->worker(), index, task->body.generation, recursive);
      if (force && !target->ordered) *kill = channel->worker();
      return false;
    }
    case TaskState::kFree:
    case TaskState::kRunningHere:
      return false;
  }
  return false;
}

void Dispatcher::CancelChildren(const ObjectId& parent, std::vector<ProcessId>* kill) {
  std::vector<uint32_t> children;
  owner_->ForEachTask([&](uint32_t index, const TaskRecord& task) {
    if (task.parent == parent) children.push_back(index);
  });
  for (uint32_t index : children) {
    TaskRecord* task = owner_->Task(index);
    if (task->state == TaskState::kFree || task->parent != parent) continue;
    ProcessId worker;
    Cancel(index, task, false, true, &worker);
    if (worker) kill->push_back(worker);
  }
}

void Dispatcher::FailForDependency(uint32_t index, TaskRecord* task, Error error) {
  if ((task->body.flags & shm::kActorCreation) != 0) {
    Error death = error;
    death.kind = MANTA_ERROR_ACTOR_DIED;
    death.message = "the actor died because an argument of its creation task has failed: " + error.message;
    CloseActor(task->target, death);
  }
  Fail(index, task, error);
}

void Dispatcher::ReleaseTask(uint32_t index, TaskRecord* task) {
  if (task->nested != nullptr) {
    references_->UnpinTask(task->nested);
    for (ObjectRecord* object : task->nested->objects) owner_->ReleaseLocked(object);
    delete task->nested;
    task->nested = nullptr;
  }
  if (task->body.dependencies != 0) {
    for (uint32_t i = 0; i < task->body.dependencies; ++i) owner_->ReleaseLocked(task->dependencies[i]);
    owner_->heap().Free(task->dependencies, sizeof(ObjectRecord*) * task->body.dependencies);
    task->dependencies = nullptr;
    task->body.dependencies = 0;
  }
  if (task->args != nullptr) {
    owner_->heap().Free(task->args, task->body.args_bytes);
    task->args = nullptr;
  }
  if (task->body.results > 1) {
    owner_->heap().Free(task->results, sizeof(ObjectRecord*) * task->body.results);
  }
  TaskTarget* target = task->target;
  owner_->FreeTask(index);
  if (target != nullptr && target->outstanding() == 0) target->idle_since = 0;  // set by the next tick
}

// Another attempt needs a number of its own in the reference table.
void Dispatcher::Renew(TaskRecord* task) {
  if (task->nested != nullptr) references_->PinTask(task->nested);
}

void Dispatcher::Requeue(uint32_t index, TaskRecord* task) {
  TaskTarget* target = task->target;
  target->queue.PushFront(index);
  Dispatch(target);
  if (!target->queue.empty() && target->channels.empty() && target->wanted == 0) {
    UpdateDemand(target, NowNs());
  }
}

// ---- Channels

void Dispatcher::Activate(OwnerChannel* channel) {
  if (channel->active_index != 0) return;
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

void Dispatcher::Left(OwnerChannel* channel, TaskRecord* task) {
  --task->target->in_flight;
  if (channel->in_flight() > 0) return;
  Deactivate(channel);
  if (channel->revoked && channel->lease) ReturnLease(channel);
}

void Dispatcher::ReturnLease(OwnerChannel* channel) {
  assert(channel->in_flight() == 0);
  std::erase(channel->target->channels, channel);
  leases_.erase(channel->lease);
  port_->ReturnLease(channel->lease);
  channel->lease = {};
  channel->target = nullptr;
  channel->revoked = channel->blocked = false;
}

uint32_t Dispatcher::PollChannel(OwnerChannel* channel) {
  uint32_t count = 0;
  uint64_t ticks = 0;
  TaskTarget* target = channel->target;
  while (const shm::CompletionBody* completion = channel->Front()) {
    ticks += completion->run_ticks;
    Complete(channel, *completion);
    channel->Pop();
    if (++count == 128) break;
  }
  if (count == 0) return 0;
  channel->PublishConsumed();
  if (target != nullptr && !target->ordered) MeasureService(target, ticks, count);
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
  target->progressed = true;
}

void Dispatcher::Complete(OwnerChannel* channel, const shm::CompletionBody& completion) {
  TaskRecord* task = owner_->FindTask(completion.record, completion.generation);
  // Garbage, or an answer that comes after the task was settled otherwise: nobody waits for it.
  if (task == nullptr || task->channel != channel) return;
  channel->Forget(task);
  Left(channel, task);
  Outcome outcome;
  outcome.status = completion.status;
  outcome.has_kept = (completion.flags & shm::kKeptReferences) != 0;
  if ((completion.flags & shm::kResultsInRing) != 0) {
    outcome.is_list = true;
    outcome.bytes = channel->ResultPayload(completion);
    outcome.size = outcome.bytes == nullptr ? 0 : completion.payload_bytes;
  } else {
    outcome.bytes = completion.inline_result;
    outcome.size = std::min<uint32_t>(completion.inline_bytes, shm::kInlineResult);
  }
  if ((completion.flags & shm::kResultsShared) != 0) {
    FinishFromArena(channel, completion, task);
    return;
  }
  Finish(completion.record, task, outcome, channel->worker());
}

void Dispatcher::FinishFromArena(OwnerChannel* channel, const shm::CompletionBody& completion,
                                 TaskRecord* task) {
  Outcome outcome;
  outcome.status = completion.status;
  outcome.has_kept = (completion.flags & shm::kKeptReferences) != 0;
  outcome.is_list = true;
  shm::SharedHandle handle;
  std::memcpy(&handle, completion.inline_result, sizeof handle);
  if (owner_->memory().Contains(handle)) {
    outcome.bytes = owner_->memory().Readable(handle.offset);
    outcome.size = static_cast<uint32_t>(handle.size);
    owner_->FreeLater(handle);
  }
  Finish(completion.record, task, outcome, channel->worker());
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
    if (!channel->TakeBack(task)) continue;
    Left(channel, task);
    Renew(task);
    task->target->queue.PushFront(tasks[i]);
  }
}

void Dispatcher::Rebalance(TaskTarget* target) {
  if (target->ordered || !target->queue.empty() || target->channels.size() < 2) return;
  const auto [least, most] = std::minmax_element(
      target->channels.begin(), target->channels.end(),
      [](const OwnerChannel* a, const OwnerChannel* b) { return a->in_flight() < b->in_flight(); });
  if ((*least)->in_flight() > 0 || (*most)->in_flight() < 2) return;
  TakeBackUnclaimed(*most, (*most)->in_flight() / 2);
  Dispatch(target);
}

// ---- Events

TaskTarget* Dispatcher::LeaseGranted(uint32_t key, const GrantedLease& granted) {
  TaskTarget* target = key < targets_.size() ? targets_[key].get() : nullptr;
  if (target == nullptr || target->closed) {
    port_->ReturnLease(granted.lease);
    return nullptr;
  }
  std::unique_ptr<OwnerChannel>& channel = channels_[granted.worker];
  if (channel == nullptr) {
    channel = std::make_unique<OwnerChannel>(granted.channel, granted.worker_page, granted.worker);
  }
  channel->lease = granted.lease;
  channel->target = target;
  channel->revoked = channel->blocked = false;
  leases_[granted.lease] = channel.get();
  target->channels.push_back(channel.get());
  Rebalance(target);
  Dispatch(target);
  return target;
}

void Dispatcher::LeaseRevoked(LeaseId lease) {
  const auto found = leases_.find(lease);
  if (found == leases_.end()) return;
  OwnerChannel* channel = found->second;
  TaskTarget* target = channel->target;
  if (channel->in_flight() == 0) {
    ReturnLease(channel);
    return;
  }
  channel->revoked = true;
  TakeBackUnclaimed(channel, 0);
  Dispatch(target);
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

void Dispatcher::WorkerGone(ProcessId worker, const Error& cause) {
  const auto found = channels_.find(worker);
  if (found == channels_.end()) return;
  OwnerChannel* channel = found->second.get();
  while (PollChannel(channel) > 0) {
  }
  TaskTarget* target = channel->target;
  const std::vector<uint32_t> tasks = channel->InFlight();
  if (target != nullptr) {
    std::erase(target->channels, channel);
    leases_.erase(channel->lease);
    channel->lease = {};
    channel->revoked = true;
  }
  Error verdict = cause;
  if (target != nullptr && target->ordered) {
    verdict.kind = MANTA_ERROR_ACTOR_DIED;
    verdict.message = "the actor died: " + cause.message;
  }
  for (size_t i = tasks.size(); i-- > 0;) {
    TaskRecord* task = owner_->Task(tasks[i]);
    const bool started = !channel->TakeBack(task);
    if (started) channel->Forget(task);
    Left(channel, task);
    const bool again = !target->ordered && (!started || (task->retries_left != 0 && !task->cancelled));
    if (!again) {
      if (task->cancelled) {
        verdict = MakeError(MANTA_ERROR_TASK_CANCELLED, "the task was cancelled while it ran, and its worker with it");
      }
      Fail(tasks[i], task, verdict);
      continue;
    }
    if (started) {
      if (task->retries_left > 0) --task->retries_left;
      ++task->body.attempt;
    }
    Renew(task);
    target->queue.PushFront(tasks[i]);
  }
  Deactivate(channel);
  channels_.erase(found);
  if (target == nullptr) return;
  if (target->ordered) {
    CloseActor(target, verdict);
    return;
  }
  Dispatch(target);
  UpdateDemand(target, NowNs());
}

void Dispatcher::CloseActor(TaskTarget* target, const Error& cause) {
  if (target->closed) return;
  target->closed = true;
  target->death = cause;
  if (target->wanted != 0) {
    target->wanted = 0;
    port_->SetDemand(*target);
  }
  while (!target->queue.empty()) {
    const uint32_t index = target->queue.front();
    TaskRecord* task = owner_->Task(index);
    if (task->unready > 0) {
      // Its dependencies still name it: it fails when they are there.
      target->queue.Remove(index);
      task->state = TaskState::kWaiting;
      continue;
    }
    target->queue.Remove(index);
    Fail(index, task, cause);
  }
}

void Dispatcher::RetireActor(TaskTarget* target) {
  if (target->closed) return;
  if (target->channels.empty()) {
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
  task->args = nullptr;
  task->nested = nullptr;
  task->retries_left = 0;
  task->retry_rule = nullptr;
  Submit(index, task, target);
}

ProcessId Dispatcher::KillActor(TaskTarget* target) {
  if (target->closed) return {};
  if (!target->channels.empty()) return target->channels.front()->worker();
  CloseActor(target, MakeError(MANTA_ERROR_ACTOR_DIED, "the actor was killed by manta::Kill"));
  return {};
}

void Dispatcher::DemandInfeasible(uint32_t key, const std::string& reason) {
  if (key >= targets_.size()) return;
  TaskTarget* target = targets_[key].get();
  if (target->ordered) {
    CloseActor(target, MakeError(MANTA_ERROR_ACTOR_UNSCHEDULABLE, reason));
    return;
  }
  const Error error = MakeError(MANTA_ERROR_TASK_UNSCHEDULABLE, reason);
  while (!target->queue.empty()) {
    const uint32_t index = target->queue.front();
    target->queue.Remove(index);
    Fail(index, owner_->Task(index), error);
  }
  target->wanted = 0;
  port_->SetDemand(*target);
}

// ---- Demand

void Dispatcher::UpdateDemand(TaskTarget* target, int64_t now) {
  if (target->ordered) return;
  const int64_t outstanding = target->outstanding();
  if (outstanding == 0) return;  // leases stay for a while, see Tick
  uint32_t usable = 0;
  for (const OwnerChannel* channel : target->channels) usable += !channel->blocked;
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
  const uint32_t blocked = static_cast<uint32_t>(target->channels.size()) - usable;
  const uint32_t wanted = static_cast<uint32_t>(std::max<int64_t>(useful, 1)) + blocked;
  if (wanted <= target->wanted) return;  // shrinks by idleness only
  target->wanted = wanted;
  port_->SetDemand(*target);
}

int64_t Dispatcher::Tick(int64_t now) {
  int64_t next = -1;
  const auto within = [&next](int64_t ns) { next = next < 0 ? ns : std::min(next, ns); };
  for (const auto& target : targets_) {
    if (target->ordered) {
      if (target->outstanding() > 0) {
        Dispatch(target.get());
        within(target->queue.empty() ? kQuietTickNs : kBusyTickNs);
      }
      continue;
    }
    if (target->outstanding() > 0) {
      target->idle_since = 0;
      Rebalance(target.get());
      Dispatch(target.get());  // room can appear without a completion, where tasks were taken back
      UpdateDemand(target.get(), now);
      within(target->wanted > target->channels.size() || !target->queue.empty() ? kBusyTickNs
                                                                               : kQuietTickNs);
      continue;
    }
    if (target->wanted == 0) continue;
    if (target->idle_since == 0) target->idle_since = now;
    if (now - target->idle_since < kLeaseIdleNs) {
      within(kQuietTickNs);
      continue;
    }
    target->wanted = 0;
    port_->SetDemand(*target);
    while (!target->channels.empty()) ReturnLease(target->channels.back());
  }
  return next;
}

uint64_t Dispatcher::outstanding() const {
  uint64_t count = 0;
  for (const auto& target : targets_) count += target->outstanding();
  return count;
}

void Dispatcher::FailAll(const Error& error) {
  std::vector<ProcessId> workers;
  for (const auto& [worker, channel] : channels_) workers.push_back(worker);
  for (const auto& target : targets_) {
    target->closed = true;
    target->death = error;
  }
  for (ProcessId worker : workers) {
    OwnerChannel* channel = channels_[worker].get();
    while (PollChannel(channel) > 0) {
    }
    for (uint32_t index : channel->InFlight()) {
      TaskRecord* task = owner_->Task(index);
      channel->Forget(task);
      --task->target->in_flight;
      Fail(index, task, error);
    }
    Deactivate(channel);
  }
  for (const auto& target : targets_) {
    while (!target->queue.empty()) {
      const uint32_t index = target->queue.front();
      target->queue.Remove(index);
      TaskRecord* task = owner_->Task(index);
      if (task->unready == 0) Fail(index, task, error);
    }
    target->channels.clear();
  }
  leases_.clear();
}

}  // namespace manta::worker
