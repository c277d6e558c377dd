// Results that come one by one, before their task has ended.

#include <utility>
#include <vector>

#include "worker/dispatcher.h"
#include "worker/result_stream.h"

namespace manta::worker {

// The completion is a copy: what is checked is what is used.
void Dispatcher::ReceiveItem(OwnerChannel* channel, shm::CompletionBody completion, uint32_t index, TaskRecord* task) {
  const Outcome outcome = OutcomeOf(channel, completion);
  ResultStream* const stream = task->nested == nullptr ? nullptr : task->nested->stream.get();
  ObjectRecord* const object = stream == nullptr ? nullptr : stream->Receive(completion.item);
  if (object == nullptr) return;  // damaged
  if (outcome.is_list) {
    ResultReader reader(outcome.bytes, outcome.size);
    std::vector<References::ReceivedResult> deferred;
    SetValue(*task, object, NextEntry(&reader), false, &deferred);
    if (!deferred.empty()) references_->TaskCompleted(nullptr, channel->worker(), {}, std::move(deferred));
  } else {
    owner_->SetBytes(object, outcome.bytes, outcome.size);
  }
  owner_->ReleaseLocked(object);
  // One that is tried again does not know what was taken before.
  if (completion.item == 0) TellTaken(index, *task, *stream);
}

void Dispatcher::EndStream(const TaskRecord& task, const Outcome& outcome) {
  ResultStream& stream = *task.nested->stream;
  if (outcome.status == shm::TaskStatus::kOk) return stream.End(nullptr);
  const Error error = Attributed(task, FirstError(outcome));
  stream.End(&error);
}

void Dispatcher::StreamTaken(const ResultStream& stream) {
  if (stream.task() == 0) return;
  const TaskRecord* const task = owner_->Task(stream.task());
  if (task->state == TaskState::kPushed) TellTaken(stream.task(), *task, stream);
}

void Dispatcher::TellTaken(uint32_t index, const TaskRecord& task, const ResultStream& stream) {
  if (stream.most_ahead() == 0 || stream.taken() == 0) return;
  references_->SendStreamTaken(task.channel->worker(), index, task.body.generation, stream.taken());
}

}  // namespace manta::worker
