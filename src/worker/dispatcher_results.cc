// How tasks end: their results, failures, retries and cancellation.

#include "worker/dispatcher.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "model/error_codec.h"
#include "worker/clock.h"
#include "worker/function_names.h"
#include "worker/error_stack.h"
#include "worker/result_stream.h"

namespace manta::worker {

// ---- Results

void Dispatcher::Finish(uint32_t index, TaskRecord* task, const Outcome& outcome, ProcessId worker) {
  if (outcome.status != shm::TaskStatus::kOk && ShouldRetry(task, outcome)) {
    const bool lacked_room = FirstError(outcome).kind == MANTA_ERROR_OBJECT_STORE_FULL;
    if (task->retries_left > 0) --task->retries_left;
    if (task->body.attempt < UINT8_MAX) ++task->body.attempt;
    if (outcome.has_kept && !outcome.in_place) {
      ResultReader reader(outcome.bytes, outcome.size);
      NextEntry(&reader);
      references_->TaskCompleted(task->nested, worker, KeptIn(&reader), {});
    }
    Renew(task);
    Requeue(index, task, lacked_room ? Again::kLast : Again::kFirstAtFirst);
    return;
  }
  TaskTarget* target = task->target;
  const bool constructor_failed =
      outcome.status != shm::TaskStatus::kOk && (task->body.flags & shm::kActorCreation) != 0;
  if (constructor_failed) {
    target->creation = 0;
    Error death = FirstError(outcome);
    death.kind = MANTA_ERROR_ACTOR_DIED;
    death.message = "the actor died because of an error raised in its creation task: " + Account(death);
    CloseActor(target, death);
  }
  SetResults(task, outcome, worker);
  if (task->nested != nullptr && task->nested->stream != nullptr) EndStream(*task, outcome);
  if (__builtin_expect((task->body.flags & shm::kActorCreation) != 0, 0)) {
    CreationDone(index, task, worker);
    return;
  }
  ReleaseTask(index, task);
}

void Dispatcher::SetResults(TaskRecord* task, const Outcome& outcome, ProcessId worker) {
  // Only one result of a task that went well can stand inline; whatever else says so is damaged, and reads as no list either.
  if (outcome.is_list || outcome.status != shm::TaskStatus::kOk || task->body.results > 1) {
    SetResultsFromList(task, outcome, worker);
    return;
  }
  if (task->body.results == 1) owner_->SetBytes(task->result, outcome.bytes, outcome.size);
  if (task->holds_references() && !outcome.in_place) {
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
    if (i == 0 || !failed) entry = NextEntry(&reader);
    SetValue(*task, object, entry, outcome.in_place, &deferred);
  }
  if (task->body.results == 0 && failed) reader.Next(&entry);  // the error, that of a constructor
  std::vector<model::KeptReference> kept;
  if (outcome.has_kept) kept = KeptIn(&reader);
  if (!outcome.in_place && (task->holds_references() || !deferred.empty())) {
    references_->TaskCompleted(task->nested, worker, std::move(kept), std::move(deferred));
  }
}

// Behind the values.
std::vector<model::KeptReference> Dispatcher::KeptIn(ResultReader* reader) {
  std::vector<model::KeptReference> kept;
  for (const shm::WireReference& reference : reader->Kept()) kept.push_back({reference.object, reference.number});
  return kept;
}

// An error that cannot be read where the list ends too early.
ResultReader::Entry Dispatcher::NextEntry(ResultReader* reader) {
  ResultReader::Entry entry;
  if (reader->Next(&entry)) return entry;
  entry = {};
  entry.kind = shm::ValueKind::kError;
  return entry;
}

// A value that contains references of another process's becomes one of `deferred`: they are registered first.
void Dispatcher::SetValue(const TaskRecord& task, ObjectRecord* object, const ResultReader::Entry& entry, bool in_place,
                          std::vector<References::ReceivedResult>* deferred) {
  if (entry.references.empty()) return SetResult(task, object, entry);
  References::ReceivedResult result{object, {entry.kind, {entry.bytes, entry.bytes + entry.size}, true, {}}, {}};
  for (const shm::WireReference& reference : entry.references) {
    result.value.inners.push_back(reference.object);
    result.passed.push_back({reference.object, reference.number});
  }
  if (in_place) {
    references_->GiveValue(object, std::move(result.value));
  } else {
    deferred->push_back(std::move(result));
  }
}

void Dispatcher::SetResult(const TaskRecord& task, ObjectRecord* object, const ResultReader::Entry& entry) {
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
  owner_->SetError(object, Attributed(task, model::DecodeError(entry.bytes, entry.size)));
}

Error Dispatcher::Attributed(const TaskRecord& task, Error error) const {
  const bool of_actor = error.kind == MANTA_ERROR_ACTOR_DIED || error.kind == MANTA_ERROR_ACTOR_UNAVAILABLE;
  // One that an argument has brought says already what it is about.
  if (of_actor && !error.actor && task.target != nullptr) error.actor = task.target->actor;
  if (error.kind == MANTA_ERROR_TASK_CANCELLED && !error.task && task.body.results > 0) {
    error.task = owner_->IdOf(task.body.results == 1 ? *task.result : *task.results[0]);
  }
  return error;
}

bool Dispatcher::ShouldRetry(TaskRecord* task, const Outcome& outcome) const {
  if (outcome.status != shm::TaskStatus::kFailed || RetriesLeft(task) == 0 || task->cancelled) {
    return false;
  }
  if (task->retry_rule == nullptr) return false;
  switch (task->retry_rule->exceptions) {
    case RetryRule::Exceptions::kAll:
      return true;
    case RetryRule::Exceptions::kListed:
      return std::count(task->retry_rule->types.begin(), task->retry_rule->types.end(),
                        FirstError(outcome).type_name) > 0;
    case RetryRule::Exceptions::kNone:
      break;
  }
  return false;
}

Error Dispatcher::FirstError(const Outcome& outcome) {
  ResultReader reader(outcome.bytes, outcome.size);
  ResultReader::Entry entry;
  if (!reader.Next(&entry)) entry = {};
  return model::DecodeError(entry.bytes, entry.size);
}

void Dispatcher::Fail(uint32_t index, TaskRecord* task, const Error& error) {
  FailResults(task, error);
  ReleaseTask(index, task);
}

void Dispatcher::FailResults(TaskRecord* task, const Error& cause) {
  const Error error = Attributed(*task, cause);
  for (uint32_t i = 0; i < task->body.results; ++i) {
    owner_->SetError(task->body.results == 1 ? task->result : task->results[i], error);
  }
  if (task->nested != nullptr && task->nested->stream != nullptr) task->nested->stream->End(&error);
}

bool Dispatcher::Cancel(uint32_t index, TaskRecord* task, bool force, bool recursive, ProcessId* kill) {
  const auto cancelled = [task] {
    return MakeError(MANTA_ERROR_TASK_CANCELLED, "the task '" + NameOfTask(*task) + "' was cancelled before it started");
  };
  TaskTarget* target = task->target;
  task->cancelled = true;
  switch (task->state) {
    case TaskState::kWaiting:
      Abandon(task, cancelled());
      return true;
    case TaskState::kQueued:
      target->queue.Remove(index);
      if (task->unready > 0) {
        Abandon(task, cancelled());
        Dispatch(target);  // the calls that it has held back
      } else {
        Fail(index, task, cancelled());
      }
      return true;
    case TaskState::kPushed: {
      OwnerChannel* channel = task->channel;
      if (channel->TakeBack(task)) {
        Left(channel, task);
        Fail(index, task, cancelled());
        return true;
      }
      if (channel->remote() && !target->ordered) port_->TakeBack(channel->worker(), index, task->body.generation);
      references_->SendInterrupt(channel->worker(), task->body, recursive);
      if (force && !target->ordered) {
        task->forced = true;
        *kill = channel->worker();
      }
      return false;
    }
    case TaskState::kRunningHere:
      references_->SendInterrupt(owner_->process(), task->body, recursive);
      return false;
    case TaskState::kFree:
    case TaskState::kKept:
    case TaskState::kAbandoned:
      return false;
  }
  return false;
}

void Dispatcher::CancelChildren(const ObjectId& parent, std::vector<ProcessId>* kill) {
  std::vector<uint32_t> children;
  owner_->ForEachTask([&](uint32_t index, const TaskRecord& task) {
    if (task.parent == parent && (task.body.flags & shm::kActorCreation) == 0) children.push_back(index);
  });
  for (uint32_t index : children) {
    TaskRecord* task = owner_->Task(index);
    if (task->state == TaskState::kFree || task->parent != parent) continue;  // a failure above has ended it, too
    ProcessId worker;
    Cancel(index, task, false, true, &worker);
    if (worker) kill->push_back(worker);
  }
}

void Dispatcher::FailForDependency(uint32_t index, TaskRecord* task, Error error) {
  if ((task->body.flags & shm::kActorCreation) != 0) {
    task->target->creation = 0;
    Error death = error;
    death.kind = MANTA_ERROR_ACTOR_DIED;
    death.actor = {};  // another one
    death.message = "the actor died because an argument of its creation task has failed: " + error.message;
    CloseActor(task->target, death);
  }
  Fail(index, task, error);
}

// What a task has beyond its record.
void Dispatcher::ReleaseHoldings(TaskRecord* task) {
  if (task->nested != nullptr) {
    if (task->holds_references()) references_->UnpinTask(task->nested);
    for (ObjectRecord* object : task->nested->objects) owner_->ReleaseLocked(object);
    FreePayload(task);
    delete task->nested;
    task->nested = nullptr;
  }
  if (task->body.dependencies != 0) {
    for (uint32_t i = 0; i < task->body.dependencies; ++i) owner_->ReleaseLocked(task->dependencies[i]);
    owner_->heap().Free(task->dependencies, sizeof(ObjectRecord*) * task->body.dependencies);
    task->dependencies = nullptr;
    task->body.dependencies = 0;
  }
  if (task->has_args_block()) owner_->heap().Free(task->args_block(), task->body.args_bytes);
  if (task->body.results > 1) {
    owner_->heap().Free(task->results, sizeof(ObjectRecord*) * task->body.results);
  }
}

// Another attempt needs a number of its own in the reference table, and a payload that says it.
void Dispatcher::Renew(TaskRecord* task) {
  if (task->nested == nullptr) return;
  if (task->holds_references()) references_->PinTask(task->nested);
  FreePayload(task);
}

void Dispatcher::FreePayload(TaskRecord* task) {
  const shm::SharedHandle payload = std::exchange(task->nested->payload, {});
  if (payload.size > 0) owner_->FreeLater(payload);
}

// Once ahead of the others, as later ones may wait for it. What has failed more than once goes behind them: it might fail for ever, or
// until one of them has run, as what finds no room for its result does.
void Dispatcher::QueueAgain(uint32_t index, TaskRecord* task, Again where) {
  TaskTarget* const target = task->target;
  if (target->ordered || (where == Again::kFirstAtFirst && task->body.attempt <= 1)) {
    target->queue.PushFront(index);
  } else {
    target->queue.PushBack(index);
  }
}

void Dispatcher::Requeue(uint32_t index, TaskRecord* task, Again where) {
  TaskTarget* target = task->target;
  QueueAgain(index, task, where);
  Dispatch(target);
  if (!target->queue.empty() && target->channels.empty() && target->wanted == 0) {
    UpdateDemand(target, NowNs());
  }
}

}  // namespace manta::worker
