// At the worker's node: the owner's end of its channels. Pushes the tasks that come, takes back what may not begin, and sends the
// completions on.
#include <algorithm>
#include <cstring>
#include <utility>

#include "node/far_channels.h"
#include "trunk/shared_values.h"

namespace manta::node {

bool FarChannels::OnTask(std::span<const uint8_t> body) {
  auto task = std::make_shared<Arriving>();
  if (!trunk::Take(&body, &task->frame)) return false;
  if (body.size() != task->frame.body.payload_bytes) return false;
  const trunk::ChannelName name = task->frame.channel;
  const auto found = at_worker_.find(name);
  if (found == at_worker_.end()) return true;  // the news of the worker's end is on its way
  AtWorker& channel = found->second;
  if (channel.recalled) {
    Return(name, task->frame.body.record, task->frame.body.generation);
    return true;
  }
  task->payload.assign(body.begin(), body.end());
  channel.arriving.push_back(task);
  if (task->frame.body.dependencies > 0) {
    const auto handles = trunk::HandlesInTask(task->frame.body, task->payload);
    if (!handles) task->failed = MakeError(MANTA_ERROR_SYSTEM, "the task's descriptor arrived damaged");
    task->awaited = handles ? static_cast<uint32_t>(handles->size()) : 0;
    for (uint32_t offset : handles.value_or(std::vector<uint32_t>())) {
      AwaitCopy(task, offset, {}, [this, name] {
        const auto waiting = at_worker_.find(name);
        if (waiting != at_worker_.end()) PushArriving(waiting->second);
      });
    }
  }
  PushArriving(channel);
  TurnSoon();
  return true;
}

void FarChannels::PushArriving(AtWorker& channel) {
  while (!channel.arriving.empty() && channel.arriving.front()->awaited == 0) {
    Arriving& task = *channel.arriving.front();
    if (task.failed) {
      shm::CompletionBody body{};
      body.record = task.frame.body.record;
      body.generation = task.frame.body.generation;
      body.status = shm::TaskStatus::kNotRunnable;
      body.flags = shm::kResultsInRing;
      SendCompletion(channel.name, body, 0, trunk::ErrorList(*task.failed));
    } else if (task.payload.size() > channel.view.header->task_payload_bytes) {
      PlacePayloadApart(channel.name, channel.arriving.front());
      continue;
    } else if (!Push(channel, task)) {
      if (!retry_.armed()) retry_.ExpireAfter(kRetry);
      return;
    }
    channel.arriving.pop_front();
  }
}

// As the owner did: a payload that no room in the ring will do for becomes an object.
void FarChannels::PlacePayloadApart(const trunk::ChannelName& name, const std::shared_ptr<Arriving>& task) {
  task->awaited = 1;
  copies_.Make(name.owner, std::exchange(task->payload, {}), [this, weak = std::weak_ptr<Arriving>(task), name](const auto& place) {
    const std::shared_ptr<Arriving> waiting = weak.lock();
    if (waiting == nullptr) {
      if (place) copies_.Free(place.value().handle);
      return;
    }
    waiting->awaited = 0;
    if (place) {
      waiting->place = place.value().handle;
    } else {
      waiting->failed = place.error();
    }
    const auto found = at_worker_.find(name);
    if (found != at_worker_.end()) PushArriving(found->second);
  });
}

void FarChannels::FreePayload(const shm::SharedHandle& payload) {
  if (payload.size > 0) copies_.Free(payload);
}

bool FarChannels::Push(AtWorker& channel, Arriving& task) {
  shm::TaskBody* body = channel.slots.Reserve();
  if (body == nullptr) return false;
  const auto bytes = static_cast<uint32_t>(task.payload.size());
  const uint32_t position = channel.slots.position();
  std::memcpy(body, &task.frame.body, kBodyHeader);
  if (task.place.size > 0) {
    std::memcpy(body->payload, &task.place, sizeof task.place);
    body->flags |= shm::kPayloadShared;
  } else if (bytes > shm::kInlinePayload) {
    channel.ReclaimPayload();
    const std::optional<uint32_t> offset = channel.payload.Allocate(bytes, position);
    if (!offset) return false;
    std::memcpy(channel.view.task_payload + *offset, task.payload.data(), bytes);
    shm::SetRingOffset(*offset, body);
    body->flags |= shm::kPayloadInRing;
  } else if (bytes > 0) {
    std::memcpy(body->payload, task.payload.data(), bytes);
  }
  if ((position & (channel.slots.size() - 1)) == 0) channel.ReclaimPayload();
  channel.in_ring[task.frame.body.record] = {position, task.frame.body.generation,
                                             task.frame.body.results, task.place, std::move(task.uses)};
  channel.slots.Publish();
  shm::Ring(channel.worker_page->doorbell);
  return true;
}

// `all`: also while the link is full.
uint32_t FarChannels::SendCompletions(AtWorker& channel, bool all) {
  const size_t before = link_ == nullptr ? 0 : link_->pending();
  uint32_t count = 0;
  while (all || Admits(completions_)) {
    const shm::CompletionBody* front = channel.completions.Front();
    if (front == nullptr) break;
    ++count;
    shm::CompletionBody body;
    std::memcpy(&body, front, sizeof body);
    const auto begun = channel.in_ring.find(body.record);
    if (begun != channel.in_ring.end() && begun->second.generation == body.generation) {
      const bool goes_on = body.status == shm::TaskStatus::kItem;
      const uint32_t results = goes_on ? 1 : std::max(begun->second.results, 1u);
      if (!goes_on) {
        FreePayload(begun->second.payload);
        channel.in_ring.erase(begun);
      }
      const uint32_t ring = channel.view.header->result_payload_bytes;
      std::span<const uint8_t> payload;
      Result<std::vector<uint8_t>> list = std::vector<uint8_t>();
      if ((body.flags & shm::kResultsShared) != 0) {
        shm::SharedHandle handle;
        std::memcpy(&handle, body.inline_result, sizeof handle);
        list = copies_.Consume(handle, "results");
        if (!list) {
          Fail(&body);
          list = trunk::ErrorList(list.error());
        }
        payload = *list;
        body.flags = static_cast<uint8_t>((body.flags & ~shm::kResultsShared) | shm::kResultsInRing);
      } else if ((body.flags & shm::kResultsInRing) != 0 && body.payload_bytes <= ring &&
                 body.payload_offset <= ring - body.payload_bytes) {
        payload = {channel.view.result_payload + body.payload_offset, body.payload_bytes};
      }
      SendCompletion(channel.name, body, results, payload);
    }
    channel.completions.Pop();
    if (count == kBurst || (link_ != nullptr && link_->pending() - before >= kBurstBytes)) break;
  }
  if (count > 0) {
    channel.view.header->completions_consumed.store(channel.completions.position(),
                                                    std::memory_order_release);
  }
  return count;
}

void FarChannels::SendCompletion(const trunk::ChannelName& name, const shm::CompletionBody& body,
                                 uint32_t results, std::span<const uint8_t> payload) {
  if (link_ == nullptr) return;
  trunk::CompletionFrame frame{};
  frame.channel = name;
  frame.results = results;
  frame.body = body;
  frame.body.payload_bytes = static_cast<uint32_t>(payload.size());
  frame.body.payload_offset = 0;
  if (shm::HasValues(body.status) && !payload.empty()) {
    if (const auto handles = trunk::HandlesInResults(payload, results)) {
      for (uint32_t offset : *handles) {
        shm::SharedHandle handle;
        std::memcpy(&handle, payload.data() + offset, sizeof handle);
        copies_.LetMove(handle);
      }
    } else {  // what a worker wrote is not to be trusted
      const std::vector<uint8_t> damaged = trunk::ErrorList(
          MakeError(MANTA_ERROR_SYSTEM, "the results arrived damaged at the worker's node daemon"));
      Fail(&frame.body);
      frame.body.payload_bytes = static_cast<uint32_t>(damaged.size());
      return link_->Send(trunk::FrameKind::kCompletion, trunk::BytesOf(frame), damaged);
    }
  }
  link_->Send(trunk::FrameKind::kCompletion, trunk::BytesOf(frame), payload);
}

// ---- Taking back --------------------------------------------------------------------------------------

void FarChannels::Return(const trunk::ChannelName& name, uint32_t record, uint32_t generation) {
  shm::CompletionBody body{};
  body.record = record;
  body.generation = generation;
  body.status = shm::TaskStatus::kReturned;
  SendCompletion(name, body, 0, {});
}

bool FarChannels::TakeBack(AtWorker& channel, uint32_t record) {
  const auto found = channel.in_ring.find(record);
  if (found == channel.in_ring.end() || !channel.slots.TakeBack(found->second.position)) return false;
  const uint32_t generation = found->second.generation;
  FreePayload(found->second.payload);
  channel.in_ring.erase(found);
  Return(channel.name, record, generation);
  return true;
}

// The newest first: the owner puts each in front of its queue.
void FarChannels::ReturnUnbegun(AtWorker& channel) {
  for (size_t i = channel.arriving.size(); i-- > 0;) {
    const shm::TaskBody& body = channel.arriving[i]->frame.body;
    Return(channel.name, body.record, body.generation);
    FreePayload(channel.arriving[i]->place);
  }
  channel.arriving.clear();
  const uint32_t end = channel.slots.position();
  std::vector<std::pair<uint32_t, uint32_t>> by_age;  // slots ago, record
  for (const auto& [record, begun] : channel.in_ring) by_age.emplace_back(end - begun.position, record);
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [age, record] : by_age) TakeBack(channel, record);
}

void FarChannels::Recall(ProcessId owner, ProcessId worker, bool on) {
  const auto found = at_worker_.find({owner, worker});
  if (found == at_worker_.end()) return;
  found->second.recalled = on;
  if (on) ReturnUnbegun(found->second);
}

bool FarChannels::OnTakeBack(std::span<const uint8_t> body) {
  trunk::TakeBackFrame frame;
  if (!trunk::Take(&body, &frame)) return false;
  const auto found = at_worker_.find(frame.channel);
  if (found == at_worker_.end()) return true;
  AtWorker& channel = found->second;
  const auto arriving =
      std::find_if(channel.arriving.begin(), channel.arriving.end(), [&](const auto& task) {
        return task->frame.body.record == frame.record &&
               task->frame.body.generation == frame.generation;
      });
  if (arriving != channel.arriving.end()) {
    FreePayload((*arriving)->place);
    channel.arriving.erase(arriving);
    Return(frame.channel, frame.record, frame.generation);
    PushArriving(channel);  // what has waited behind it
    TurnSoon();
    return true;
  }
  const auto begun = channel.in_ring.find(frame.record);
  if (begun != channel.in_ring.end() && begun->second.generation == frame.generation) {
    TakeBack(channel, frame.record);
  }
  return true;
}

}  // namespace manta::node
