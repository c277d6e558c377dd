// Results that a task gives one by one, on their way to its owner.

#include <algorithm>
#include <memory>
#include <mutex>

#include "worker/clock.h"
#include "worker/executor.h"

namespace manta::worker {
namespace {

constexpr int64_t kOwnerAgainNs = 100'000'000;

}  // namespace

// nullptr: the owner is gone.
std::shared_ptr<Executor::Incoming> Executor::ChannelOf(ProcessId owner) {
  std::unique_lock<std::mutex> guard;
  if (threads_ != nullptr) guard = std::unique_lock(threads_->channels);
  const auto found = std::find_if(channels_.begin(), channels_.end(),
                                  [&](const auto& channel) { return channel->view.header->owner == owner.value; });
  return found == channels_.end() ? nullptr : *found;
}

// Whether the daemon has taken the channel away, as it does when the owner is dead. With threads the main thread has seen that, and the
// place may be another channel's by now. A thread that has none to help it sees it itself; the place is not used again until it has confirmed
// what it has seen, after its task.
bool Executor::IsGone(Incoming& channel) const {
  if (threads_ != nullptr) {
    std::lock_guard guard(channel.completing);
    return channel.closed;
  }
  const shm::ProcessPage& page = owner_->memory().my_page();
  const uint32_t count = std::min(page.channel_count.load(std::memory_order_acquire), shm::kMaxChannelsPerProcess);
  return std::none_of(page.channels, page.channels + count,
                      [&](const auto& offset) { return offset.load(std::memory_order_acquire) == channel.offset; });
}

// Until `done()`; kStop: never, since the owner is gone or this process ends. `task`: which lends its CPU meanwhile, if any.
ItemSink::Sent Executor::AwaitOwner(Incoming& channel, TaskWaits* task, int64_t again_ns, FunctionRef<bool()> done) {
  for (;;) {
    Waiting::Request request;
    request.done = done;
    request.deadline = NowNs() + again_ns;
    request.task = task;
    if (waiting_->Wait(request)) return Sent::kYes;
    if (phase_.load(std::memory_order_relaxed) == Phase::kStopped || IsGone(channel)) return Sent::kStop;
  }
}

ItemSink::Sent Executor::SendItem(const Outcome& item, Room room) {
  const ExecutionContext& context = *current();
  const std::shared_ptr<Incoming> channel = ChannelOf(context.task.owner);
  if (channel == nullptr) return Sent::kStop;
  shm::TaskBody task{};
  task.record = context.task.index;
  task.generation = context.task.generation;
  // What the ring never holds would be tried in vain.
  const bool goes_apart = item.is_list && item.size > channel->view.header->result_payload_bytes;
  if (threads_ != nullptr && (room == Room::kLater || (room == Room::kTry && goes_apart))) {
    return CompleteFromThread(*channel, task, item), Sent::kYes;
  }
  Unsent unsent{.outcome = item, .may_ask = room != Room::kTry};
  Sent sent = Sent::kNotNow;
  const auto send = [&] {
    if (sent != Sent::kNotNow) return true;  // whoever waits asks again
    if (threads_ == nullptr) {
      // What the slots' tasks will say has room, whatever else is unread.
      if (channel->unread() >= channel->completions.size() / 2) return false;
      if (CompletePlaced(*channel, task, &unsent, 0)) sent = Sent::kYes;
    } else {
      std::lock_guard guard(channel->completing);
      if (channel->closed) {
        sent = Sent::kStop;
      } else if (CompleteIfRoom(*channel, task, &unsent)) {
        sent = Sent::kYes;
      }
    }
    return sent != Sent::kNotNow;
  };
  if (send() || room == Room::kTry) return sent;
  return AwaitOwner(*channel, current()->its_waits(), kRoomAgainNs, send) == Sent::kStop ? Sent::kStop : sent;
}

ItemSink::Sent Executor::AwaitWindow(uint32_t sent, uint32_t most_ahead, bool may_wait) {
  const ObjectId task = current()->task;
  const auto may_go_on = [&] { return interrupts_.Contains(task) || item_windows_.Admits(task, sent, most_ahead); };
  if (!may_go_on()) {
    const std::shared_ptr<Incoming> channel = ChannelOf(task.owner);
    if (channel == nullptr || IsGone(*channel)) return Sent::kStop;
    if (!may_wait) return Sent::kNotNow;
    if (AwaitOwner(*channel, current()->its_waits(), kOwnerAgainNs, may_go_on) == Sent::kStop) return Sent::kStop;
  }
  return interrupts_.Contains(task) ? Sent::kStop : Sent::kYes;
}

void Executor::BeginWindow() { item_windows_.Begin(current()->task); }
void Executor::EndWindow() { item_windows_.Forget(current()->task); }

void Executor::StreamTaken(const ObjectId& task, uint32_t count) { item_windows_.Taken(task, count); }

}  // namespace manta::worker
