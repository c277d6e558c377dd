#include "node/far_channels.h"

#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "trunk/shared_values.h"

namespace manta::node {
namespace {

constexpr uint32_t kBodyHeader = offsetof(shm::TaskBody, payload);
constexpr uint32_t kBurst = 64;  // of one channel in a row
constexpr int kLooksPerTurn = 8;  // before other descriptors of the loop get theirs

}  // namespace

FarChannels::FarChannels(EventLoop& loop, ControlArena& arena, ObjectCopies& copies, uint32_t page,
                         bool spin)
    : loop_(loop),
      arena_(arena),
      copies_(copies),
      page_(page),
      spin_(spin),
      watch_(loop, arena.page(page).doorbell,
             [this] {
               armed_ = false;
               Turn();
             }),
      retry_(loop, [this] { TurnSoon(); }) {
  TurnSoon();
}

FarChannels::~FarChannels() = default;

void FarChannels::Disconnect() {
  if (link_ != nullptr) link_->set_polled(false);
  link_.reset();
  at_owner_.clear();
  at_worker_.clear();
}

void FarChannels::OpenAtOwner(ProcessId owner, ProcessId worker, uint64_t offset) {
  const trunk::ChannelName name{owner, worker};
  if (at_owner_.contains(name)) return;
  AtOwner& channel = at_owner_[name];
  channel.name = name;
  channel.view = shm::ViewChannel(arena_.base(), offset);
  shm::ChannelHeader& header = *channel.view.header;
  header.remote = 1;
  channel.owner_page = &arena_.page(header.owner_page);
  channel.slots = {channel.view.slots, header.log2_slots};
  channel.completions = {channel.view.completions, header.log2_completions};
  channel.payload = shm::PayloadRing(header.result_payload_bytes);
}

void FarChannels::OpenAtWorker(ProcessId owner, ProcessId worker, uint64_t offset) {
  const trunk::ChannelName name{owner, worker};
  if (const auto known = at_worker_.find(name); known != at_worker_.end()) {
    known->second.recalled = false;  // leased again
    return;
  }
  AtWorker& channel = at_worker_[name];
  channel.name = name;
  channel.view = shm::ViewChannel(arena_.base(), offset);
  shm::ChannelHeader& header = *channel.view.header;
  header.remote = 1;
  channel.worker_page = &arena_.page(header.worker_page);
  channel.slots = {channel.view.slots, header.log2_slots};
  channel.completions = {channel.view.completions, header.log2_completions};
  channel.payload = shm::PayloadRing(header.task_payload_bytes);
}

// ---- The loop -----------------------------------------------------------------------------------------

void FarChannels::TurnSoon() {
  if (std::exchange(turn_posted_, true)) return;
  loop_.Post([this] {
    turn_posted_ = false;
    Turn();
  });
}

bool FarChannels::HasWork() const {
  return std::any_of(at_owner_.begin(), at_owner_.end(),
                     [](const auto& entry) {
                       return !entry.second.closing && entry.second.slots.HasWork();
                     }) ||
         std::any_of(at_worker_.begin(), at_worker_.end(),
                     [](const auto& entry) { return entry.second.completions.HasWork(); });
}

// Goes on while there is something to do and for a while after; then the doorbell calls. Between two looks that found nothing it
// lets others run: a task's way leads through four processes that all wait for each other, mostly on fewer cores.
void FarChannels::Turn() {
  shm::ProcessPage& page = arena_.page(page_);
  // Channels that have left the table were forgotten before (ProcessGone).
  page.channel_version_seen.store(page.channel_version.load(std::memory_order_acquire),
                                  std::memory_order_release);
  if (link_ != nullptr) link_->set_polled(true);
  for (int look = 0; look < kLooksPerTurn; ++look) {
    const bool any = Look();
    const Nanoseconds now = EventLoop::Now();
    if (any) {
      worked_at_ = now;
      idle_looks_ = 0;
    } else if (spin_ && ++idle_looks_ < kIdleLooks && now - worked_at_ < kLongestSpin) {
      sched_yield();
    } else {
      return Arm();
    }
  }
  TurnSoon();
}

// One round over the rings and the trunk; whether anything came.
bool FarChannels::Look() {
  uint32_t count = 0;
  for (auto& [name, channel] : at_owner_) count += SendTasks(channel);
  for (auto& [name, channel] : at_worker_) {
    count += SendCompletions(channel);
    PushArriving(channel);
  }
  const std::shared_ptr<TrunkLink> link = link_;
  return (link != nullptr && link->Exchange()) || count > 0;
}

void FarChannels::Arm() {
  if (link_ != nullptr) link_->set_polled(false);
  if (armed_) return;
  shm::ProcessPage& page = arena_.page(page_);
  page.doorbell.Announce();
  if (HasWork()) {
    page.doorbell.Cancel();
    return TurnSoon();
  }
  armed_ = true;
  watch_.Arm();
}

// ---- The worker's end, at the owner's node ------------------------------------------------------------

uint32_t FarChannels::SendTasks(AtOwner& channel) {
  if (channel.closing || link_ == nullptr) return 0;
  uint32_t count = 0;
  uint32_t position;
  while (count < kBurst) {
    const shm::TaskBody* slot = channel.slots.Claim(&position);
    if (slot == nullptr) break;
    ++count;
    trunk::TaskFrame frame{};
    frame.channel = channel.name;
    std::memcpy(&frame.body, slot, kBodyHeader);
    const bool in_ring = (frame.body.flags & shm::kPayloadInRing) != 0;
    const uint32_t room = in_ring ? channel.view.header->task_payload_bytes : shm::kInlinePayload;
    const uint32_t begin = in_ring ? frame.body.payload_offset : 0;
    if (frame.body.payload_bytes > room || begin > room - frame.body.payload_bytes) {
      frame.body.payload_bytes = 0;  // damaged: the worker says so
      frame.body.args_bytes = UINT32_MAX;
    }
    const unsigned char* payload = in_ring ? channel.view.task_payload + begin : slot->payload;
    frame.body.payload_offset = 0;
    frame.body.flags &= static_cast<uint8_t>(~shm::kPayloadInRing);
    link_->Send(trunk::FrameKind::kTask, trunk::BytesOf(frame), {payload, frame.body.payload_bytes});
    // Copied: the slot may be used again, but its owner waits for the completion before it does.
    channel.slots.Release(position);
  }
  return count;
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
  if (has_list && frame.body.status == shm::TaskStatus::kOk) {
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

// Replaces the handle at `offset` of the item's payload by that of a local copy.
template <class Item>
void FarChannels::AwaitCopy(const std::shared_ptr<Item>& item, uint32_t offset, ProcessId move_to,
                            std::function<void()> done) {
  shm::SharedHandle origin;
  std::memcpy(&origin, item->payload.data() + offset, sizeof origin);
  auto answer = [weak = std::weak_ptr<Item>(item), offset,
                 done = std::move(done)](const Result<shm::SharedHandle>& local) {
    const std::shared_ptr<Item> waiting = weak.lock();
    if (waiting == nullptr) return;  // its channel has ended
    if (local) {
      std::memcpy(waiting->payload.data() + offset, &local.value(), sizeof(shm::SharedHandle));
    } else if (!waiting->failed) {
      waiting->failed = local.error();
    }
    --waiting->awaited;
    done();
  };
  if (move_to) {
    copies_.Move(origin, move_to, std::move(answer));
  } else {
    copies_.Copy(origin, std::move(answer));
  }
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

// False: it waits for room in the object arena.
bool FarChannels::Write(AtOwner& channel, const std::shared_ptr<Held>& held) {
  if (held->failed) {
    held->payload = trunk::ErrorList(*std::exchange(held->failed, std::nullopt));
    held->body.status = shm::TaskStatus::kNotRunnable;
    held->body.flags = shm::kResultsInRing;
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
      held->awaited = 1;
      copies_.Make(channel.name.owner, held->payload,
                   [this, weak = std::weak_ptr<Held>(held), name = channel.name](const auto& local) {
                     const std::shared_ptr<Held> waiting = weak.lock();
                     if (waiting == nullptr) return;
                     --waiting->awaited;
                     waiting->payload.clear();
                     waiting->body.flags &= static_cast<uint8_t>(~shm::kResultsInRing);
                     if (local) {
                       waiting->body.flags |= shm::kResultsShared;
                       std::memcpy(waiting->body.inline_result, &local.value(),
                                   sizeof(shm::SharedHandle));
                     } else {
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
  // When the last copy of it goes; in a turn of its own, because channels that end let go of theirs, too.
  const std::shared_ptr<void> last(nullptr, [this, deliver = std::move(deliver)](void*) {
    loop_.Post(deliver);
  });
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

// ---- The owner's end, at the worker's node ------------------------------------------------------------

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
    const Arriving& task = *channel.arriving.front();
    if (task.failed) {
      shm::CompletionBody body{};
      body.record = task.frame.body.record;
      body.generation = task.frame.body.generation;
      body.status = shm::TaskStatus::kNotRunnable;
      body.flags = shm::kResultsInRing;
      SendCompletion(channel.name, body, 0, trunk::ErrorList(*task.failed));
    } else if (!Push(channel, task)) {
      if (!retry_.armed()) retry_.ExpireAfter(kRetry);
      return;
    }
    channel.arriving.pop_front();
  }
}

bool FarChannels::Push(AtWorker& channel, const Arriving& task) {
  shm::TaskBody* body = channel.slots.Reserve();
  if (body == nullptr) return false;
  const auto bytes = static_cast<uint32_t>(task.payload.size());
  const uint32_t position = channel.slots.position();
  std::memcpy(body, &task.frame.body, kBodyHeader);
  if (bytes > shm::kInlinePayload) {
    channel.ReclaimPayload();
    const std::optional<uint32_t> offset = channel.payload.Allocate(bytes, position);
    if (!offset) return false;
    std::memcpy(channel.view.task_payload + *offset, task.payload.data(), bytes);
    body->payload_offset = *offset;
    body->flags |= shm::kPayloadInRing;
  } else if (bytes > 0) {
    std::memcpy(body->payload, task.payload.data(), bytes);
  }
  if ((position & (channel.slots.size() - 1)) == 0) channel.ReclaimPayload();
  channel.in_ring[task.frame.body.record] = {position, task.frame.body.generation,
                                             task.frame.body.results};
  channel.slots.Publish();
  shm::Ring(channel.worker_page->doorbell);
  return true;
}

uint32_t FarChannels::SendCompletions(AtWorker& channel) {
  uint32_t count = 0;
  while (const shm::CompletionBody* front = channel.completions.Front()) {
    ++count;
    shm::CompletionBody body;
    std::memcpy(&body, front, sizeof body);
    const auto begun = channel.in_ring.find(body.record);
    if (begun != channel.in_ring.end() && begun->second.generation == body.generation) {
      const uint32_t results = std::max(begun->second.results, 1u);
      channel.in_ring.erase(begun);
      const uint32_t ring = channel.view.header->result_payload_bytes;
      std::span<const uint8_t> payload;
      Result<std::vector<uint8_t>> list = std::vector<uint8_t>();
      if ((body.flags & shm::kResultsShared) != 0) {
        shm::SharedHandle handle;
        std::memcpy(&handle, body.inline_result, sizeof handle);
        list = copies_.Consume(handle);
        if (!list) {
          body.status = shm::TaskStatus::kNotRunnable;
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
    if (count == kBurst) break;
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
  if (body.status == shm::TaskStatus::kOk && !payload.empty()) {
    if (const auto handles = trunk::HandlesInResults(payload, results)) {
      for (uint32_t offset : *handles) {
        shm::SharedHandle handle;
        std::memcpy(&handle, payload.data() + offset, sizeof handle);
        copies_.LetMove(handle);
      }
    } else {  // what a worker wrote is not to be trusted
      const std::vector<uint8_t> damaged = trunk::ErrorList(
          MakeError(MANTA_ERROR_SYSTEM, "the results arrived damaged at the worker's node daemon"));
      frame.body.status = shm::TaskStatus::kNotRunnable;
      frame.body.flags = shm::kResultsInRing;
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
  channel.in_ring.erase(found);
  Return(channel.name, record, generation);
  return true;
}

// The newest first: the owner puts each in front of its queue.
void FarChannels::ReturnUnbegun(AtWorker& channel) {
  for (size_t i = channel.arriving.size(); i-- > 0;) {
    const shm::TaskBody& body = channel.arriving[i]->frame.body;
    Return(channel.name, body.record, body.generation);
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
    channel.arriving.erase(arriving);
    Return(frame.channel, frame.record, frame.generation);
    return true;
  }
  const auto begun = channel.in_ring.find(frame.record);
  if (begun != channel.in_ring.end() && begun->second.generation == frame.generation) {
    TakeBack(channel, frame.record);
  }
  return true;
}

// ---- Ends ---------------------------------------------------------------------------------------------

void FarChannels::WorkerGone(ProcessId worker) {
  for (auto entry = at_worker_.begin(); entry != at_worker_.end();) {
    AtWorker& channel = entry->second;
    if (channel.name.worker != worker) {
      ++entry;
      continue;
    }
    while (SendCompletions(channel) > 0) {
    }
    if (link_ != nullptr) link_->Send(trunk::FrameKind::kClosing, trunk::BytesOf(channel.name));
    ReturnUnbegun(channel);
    entry = at_worker_.erase(entry);
  }
}

void FarChannels::ProcessGone(ProcessId process) {
  const auto concerns = [&](const auto& entry) {
    return entry.first.owner == process || entry.first.worker == process;
  };
  std::erase_if(at_owner_, concerns);
  std::erase_if(at_worker_, concerns);
}

bool FarChannels::OnFrame(const trunk::FrameView& frame) {
  std::span<const uint8_t> body = frame.body;
  switch (frame.kind) {
    case trunk::FrameKind::kTask: return OnTask(body);
    case trunk::FrameKind::kCompletion: return OnCompletion(body);
    case trunk::FrameKind::kTakeBack: return OnTakeBack(body);
    case trunk::FrameKind::kClosing: {
      trunk::ChannelName name;
      if (!trunk::Take(&body, &name)) return false;
      const auto found = at_owner_.find(name);
      if (found != at_owner_.end()) found->second.closing = true;
      return true;
    }
    default: return false;
  }
}

}  // namespace manta::node
