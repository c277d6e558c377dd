// At the owner's node: the worker's end of its channels. Claims what the owner pushes and sends it on; writes the completions that come.
#include <cstring>
#include <utility>

#include "node/far_channels.h"
#include "trunk/shared_values.h"

namespace manta::node {

uint32_t FarChannels::SendTasks(AtOwner& channel) {
  if (channel.closing || link_ == nullptr) return 0;
  const size_t before = link_->pending();
  uint32_t count = 0;
  uint32_t position;
  while (count < kBurst && link_->pending() - before < kBurstBytes && Admits(tasks_)) {
    const shm::TaskBody* slot = channel.slots.Claim(&position);
    if (slot == nullptr) break;
    ++count;
    trunk::TaskFrame frame{};
    frame.channel = channel.name;
    std::memcpy(&frame.body, slot, kBodyHeader);
    if ((frame.body.flags & shm::kPayloadShared) != 0) {
      SendApart(channel, frame, *slot);
      channel.slots.Release(position);
      continue;
    }
    const bool in_ring = (frame.body.flags & shm::kPayloadInRing) != 0;
    const uint32_t room = in_ring ? channel.view.header->task_payload_bytes : shm::kInlinePayload;
    const uint32_t begin = in_ring ? shm::RingOffset(*slot) : 0;
    if (frame.body.payload_bytes > room || begin > room - frame.body.payload_bytes) {
      frame.body.payload_bytes = 0;  // damaged: the worker says so
      frame.body.args_bytes = UINT32_MAX;
    }
    const unsigned char* payload = in_ring ? channel.view.task_payload + begin : slot->payload;
    frame.body.flags &= static_cast<uint8_t>(~shm::kPayloadInRing);
    link_->Send(trunk::FrameKind::kTask, trunk::BytesOf(frame), {payload, frame.body.payload_bytes});
    // Copied: the slot may be used again, but its owner waits for the completion before it does.
    channel.slots.Release(position);
  }
  return count;
}

// A task whose payload is an object of its own.
void FarChannels::SendApart(AtOwner& channel, trunk::TaskFrame frame, const shm::TaskBody& slot) {
  shm::SharedHandle handle;
  std::memcpy(&handle, slot.payload, sizeof handle);
  frame.body.flags &= static_cast<uint8_t>(~shm::kPayloadShared);
  const Result<std::vector<uint8_t>> payload = copies_.Read(handle, "arguments");
  if (payload && payload.value().size() == frame.body.payload_bytes) {
    link_->Send(trunk::FrameKind::kTask, trunk::BytesOf(frame), payload.value());
    return;
  }
  auto refused = std::make_shared<Held>();
  refused->body.record = frame.body.record;
  refused->body.generation = frame.body.generation;
  refused->failed = payload ? MakeError(MANTA_ERROR_SYSTEM, "the task's descriptor arrived damaged") : payload.error();
  channel.held.push_back(std::move(refused));
  if (!retry_.armed()) retry_.ExpireAfter(0);  // what is written may end channels, which the caller goes through
}

bool FarChannels::OnCompletion(std::span<const uint8_t> body) {
  trunk::CompletionFrame frame;
  if (!trunk::Take(&body, &frame)) return false;
  const auto found = at_owner_.find(frame.channel);
  if (found == at_owner_.end()) return true;
  auto held = std::make_shared<Held>();
  held->body = frame.body;
  const bool has_list = (frame.body.flags & shm::kResultsInRing) != 0;
  if (has_list) {
    if (body.size() != frame.body.payload_bytes) return false;
    held->payload.assign(body.begin(), body.end());
  }
  held->body.flags &= static_cast<uint8_t>(~shm::kResultsShared);
  found->second.held.push_back(held);
  if (has_list && shm::HasValues(frame.body.status)) {
    const auto handles = trunk::HandlesInResults(held->payload, frame.results);
    if (!handles) return false;  // its sender has looked at it
    held->awaited = static_cast<uint32_t>(handles->size());
    for (uint32_t offset : *handles) {
      AwaitCopy(held, offset, frame.channel.owner, [this, name = frame.channel] { WriteHeld(name); });
    }
  }
  WriteHeld(frame.channel);
  return true;
}

void FarChannels::WriteHeld(const trunk::ChannelName& name) {
  for (;;) {
    const auto found = at_owner_.find(name);
    if (found == at_owner_.end()) return;
    AtOwner& channel = found->second;
    if (channel.held.empty() || channel.held.front()->awaited > 0) return;
    const std::shared_ptr<Held> next = channel.held.front();
    if (next->then) {
      channel.held.pop_front();
      next->then();  // may end the channel
      continue;
    }
    if (!Write(channel, next)) return;
    channel.held.pop_front();
  }
}

void FarChannels::WriteAllHeld() {
  std::vector<trunk::ChannelName> names;
  for (const auto& [name, channel] : at_owner_) {
    if (!channel.held.empty()) names.push_back(name);
  }
  for (const trunk::ChannelName& name : names) WriteHeld(name);
}

// Its values are lost, and its list says why.
void FarChannels::Fail(shm::CompletionBody* body) {
  // The task of an item goes on.
  if (body->status != shm::TaskStatus::kItem) body->status = shm::TaskStatus::kNotRunnable;
  body->flags = shm::kResultsInRing;
}

// False: it waits for room, in the ring or in the object arena.
bool FarChannels::Write(AtOwner& channel, const std::shared_ptr<Held>& held) {
  if (held->failed) {
    held->payload = trunk::ErrorList(*std::exchange(held->failed, std::nullopt));
    // Of the other results, which nobody will ask for.
    for (const shm::SharedHandle& copy : std::exchange(held->copies, {})) copies_.Free(copy);
    Fail(&held->body);
  }
  // An owner may have more calls of an actor with threads under way than its ring has entries: then it has to read first.
  const uint32_t unread = channel.completions.position() -
                          channel.view.header->completions_consumed.load(std::memory_order_acquire);
  if (unread >= channel.completions.size()) {
    shm::Ring(channel.owner_page->doorbell);
    if (!retry_.armed()) retry_.ExpireAfter(kRetry);
    return false;
  }
  shm::CompletionBody* body = channel.completions.Next();
  std::memcpy(body, &held->body, sizeof *body);
  body->payload_bytes = body->payload_offset = 0;
  if ((held->body.flags & shm::kResultsInRing) != 0) {
    channel.ReclaimPayload();
    const auto size = static_cast<uint32_t>(held->payload.size());
    const std::optional<uint32_t> offset =
        channel.payload.Allocate(size, channel.completions.position());
    if (!offset) {
      // What fits there waits for its owner to read what is before it, however full the arena is (as in Executor::PlaceList).
      const bool fits = size <= channel.view.header->result_payload_bytes;
      shm::Ring(channel.owner_page->doorbell);
      if (fits && !retry_.armed()) retry_.ExpireAfter(kRetry);
      if (std::exchange(held->asked, true)) return false;
      copies_.Make(channel.name.owner, held->payload,
                   [this, fits, weak = std::weak_ptr<Held>(held), name = channel.name](const auto& local) {
                     const std::shared_ptr<Held> waiting = weak.lock();
                     if (waiting == nullptr) {
                       if (local) copies_.Free(local.value().handle);
                       return;
                     }
                     if (local) {
                       waiting->payload.clear();
                       waiting->body.flags &= static_cast<uint8_t>(~shm::kResultsInRing);
                       waiting->body.flags |= shm::kResultsShared;
                       std::memcpy(waiting->body.inline_result, &local.value().handle,
                                   sizeof(shm::SharedHandle));
                     } else if (!fits) {
                       waiting->failed = local.error();
                     }
                     WriteHeld(name);
                   });
      return false;
    }
    std::memcpy(channel.view.result_payload + *offset, held->payload.data(), size);
    body->payload_offset = *offset;
    body->payload_bytes = size;
  }
  if ((channel.completions.position() & (channel.completions.size() - 1)) == 0) channel.ReclaimPayload();
  channel.completions.Publish();
  shm::Ring(channel.owner_page->doorbell);
  return true;
}

void FarChannels::AfterCompletions(ProcessId owner, ProcessId worker, std::function<void()> deliver) {
  const auto found = at_owner_.find({owner, worker});
  if (found == at_owner_.end() || found->second.held.empty()) return deliver();
  auto held = std::make_shared<Held>();
  held->then = std::move(deliver);
  found->second.held.push_back(std::move(held));
}

void FarChannels::AfterCompletionsOf(ProcessId worker, std::function<void()> deliver) {
  const auto end = [this, worker] {
    auto farewell = farewells_.extract(worker);
    if (!farewell.empty()) farewell.mapped().deliver();
  };
  Farewell& farewell = farewells_[worker];
  farewell.deliver = std::move(deliver);
  farewell.limit = std::make_unique<Timer>(loop_, end);
  farewell.limit->ExpireAfter(kLongestFarewell);
  // When the last copy of it goes; in a turn of its own, because channels that end let go of theirs, too.
  const std::shared_ptr<void> last(nullptr, [this, end](void*) { loop_.Post(end); });
  for (auto& [name, channel] : at_owner_) {
    if (name.worker != worker || channel.held.empty()) continue;
    auto held = std::make_shared<Held>();
    held->then = [last] {};
    channel.held.push_back(std::move(held));
  }
}

void FarChannels::AskBack(ProcessId owner, ProcessId worker, uint32_t record, uint32_t generation) {
  if (link_ == nullptr || !at_owner_.contains({owner, worker})) return;
  link_->Send(trunk::FrameKind::kTakeBack,
              trunk::BytesOf(trunk::TakeBackFrame{{owner, worker}, record, generation}));
}

}  // namespace manta::node
