#include "node/far_channels.h"

#include <sched.h>

#include <algorithm>
#include <utility>

namespace manta::node {
namespace {

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
      retry_(loop, [this] {
        WriteAllHeld();
        TurnSoon();
      }) {
  TurnSoon();
}

FarChannels::~FarChannels() = default;

void FarChannels::Connect(std::shared_ptr<TrunkLink> link) {
  link_ = std::move(link);
  OnDrained();
}

void FarChannels::Disconnect() {
  if (link_ != nullptr) link_->set_polled(false);
  link_.reset();
  for (auto& [name, channel] : at_owner_) {
    for (const std::shared_ptr<Held>& held : std::exchange(channel.held, {})) {
      // What has come whole is delivered; of the rest its owners hear that the node has died.
      if (held->awaited == 0 && !held->then && Write(channel, held)) continue;
      for (const shm::SharedHandle& copy : held->copies) copies_.Free(copy);
    }
  }
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
  return (tasks_.open && std::any_of(at_owner_.begin(), at_owner_.end(),
                                     [](const auto& entry) {
                                       return !entry.second.closing && entry.second.slots.HasWork();
                                     })) ||
         (completions_.open &&
          std::any_of(at_worker_.begin(), at_worker_.end(),
                      [](const auto& entry) { return entry.second.completions.HasWork(); }));
}

// Goes on while there is something to do and for a while after; then the doorbell calls. Between two looks that found nothing it
// lets others run: a task's way leads through four processes that all wait for each other, mostly on fewer cores.
void FarChannels::Turn() {
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

bool FarChannels::Admits(Gate& gate) {
  if (gate.open && link_ != nullptr && link_->pending() >= gate.most) gate.open = false;
  return gate.open;
}

void FarChannels::OnDrained() {
  tasks_.open = completions_.open = true;
  TurnSoon();
}

// Once over the channels while the gate is open. It begins behind the channel at which the gate has closed the last time: one that
// always has something does not keep the others waiting.
template <class Channel, class Send>
uint32_t FarChannels::SendInTurn(std::map<trunk::ChannelName, Channel>& channels, Gate& gate,
                                 const Send& send) {
  uint32_t count = 0;
  auto next = channels.upper_bound(gate.last);
  for (size_t left = channels.size(); left > 0 && gate.open; --left, ++next) {
    if (next == channels.end()) next = channels.begin();
    count += send(next->second);
    if (!gate.open) gate.last = next->first;
  }
  return count;
}

// One round over the rings and the trunk; whether anything came.
bool FarChannels::Look() {
  uint32_t count =
      SendInTurn(at_owner_, tasks_, [this](AtOwner& channel) { return SendTasks(channel); });
  count += SendInTurn(at_worker_, completions_,
                      [this](AtWorker& channel) { return SendCompletions(channel, false); });
  for (auto& [name, channel] : at_worker_) PushArriving(channel);
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

// ---- Ends ---------------------------------------------------------------------------------------------

void FarChannels::WorkerGone(ProcessId worker) {
  for (auto entry = at_worker_.begin(); entry != at_worker_.end();) {
    AtWorker& channel = entry->second;
    if (channel.name.worker != worker) {
      ++entry;
      continue;
    }
    // Whatever waits: who is told of the death reads them first. They are no more than the rings hold, and lists in the object space.
    while (SendCompletions(channel, true) > 0) {
    }
    if (link_ != nullptr) link_->Send(trunk::FrameKind::kClosing, trunk::BytesOf(channel.name));
    ReturnUnbegun(channel);
    for (const auto& [record, begun] : channel.in_ring) FreePayload(begun.payload);
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
