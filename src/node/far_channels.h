// Task channels whose owner and worker are on different nodes. Each has its half of the channel in its node's shared memory and knows
// nothing else; the daemons play the missing ends and carry descriptors and completions over the trunk.
//
// The daemon at the owner's node claims what the owner pushes: from there on the slot cannot be taken back, so what has not begun
// comes back as a completion that says kReturned: when the owner asks (TakeBack), and without being asked when the worker blocks,
// its lease is revoked, or it dies. The daemon at the worker's node pushes in the order in which tasks came; a task waits for local
// copies of its shared arguments, and later ones of the channel behind it.
//
// Back pressure: while much waits in the trunk, the daemons claim nothing more and read no more completions. What is not claimed
// waits in the rings and in its owner's backlog, from where the owner takes it back or cancels it without asking anybody; workers wait
// for room for their results as they do for an owner that does not read. What arrives is always read, so that two directions that are
// full cannot hold each other up; how much of it waits for a worker is bounded by its owners' windows. Everything else that is sent
// (requests and answers of few bytes) passes at any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "node/control_arena.h"
#include "node/doorbell_watch.h"
#include "node/event_loop.h"
#include "node/object_copies.h"
#include "node/trunk_link.h"
#include "shm/channel.h"
#include "shm/payload_ring.h"
#include "trunk/frames.h"

namespace manta::node {

class FarChannels {
 public:
  // After so many looks in a row that found nothing the daemon sleeps until its doorbell rings; alone on its core it spins for about 50
  // microseconds then, as everybody does. What others do with a core that it yields in between is no reason to sleep, up to a limit.
  static constexpr int kIdleLooks = 64;
  static constexpr Nanoseconds kLongestSpin = 2 * kMillisecond;
  static constexpr Nanoseconds kRetry = kMillisecond;  // while the ring of a worker or of an owner has no room
  // An owner that does not read (stopped, in a debugger) holds up the news of a worker's death for the others no longer than this. What it
  // has not read by then it has lost: the worker's death is the outcome of those tasks for it.
  static constexpr Nanoseconds kLongestFarewell = 2 * kSecond;
  // Nothing of this kind is sent while so much waits in the trunk, until it has drained (TrunkLink::kDrained). Completions may fill it
  // more: they set free what tasks hold, and neither kind can take all of the room.
  static constexpr size_t kMostTasks = 4u << 20;
  static constexpr size_t kMostCompletions = 6u << 20;

  // `page`: the daemon's own process page, at which the other ends ring. `spin`: there are cores for it.
  FarChannels(EventLoop& loop, ControlArena& arena, ObjectCopies& copies, uint32_t page, bool spin);
  ~FarChannels();

  void Connect(std::shared_ptr<TrunkLink> link);
  // The trunk has room again.
  void OnDrained();
  // The other node is dead: all channels end; what their owners pushed and nobody answered is theirs to deal with.
  void Disconnect();

  // `offset` of the half in this node's arena; opening one again changes nothing.
  void OpenAtOwner(ProcessId owner, ProcessId worker, uint64_t offset);
  void OpenAtWorker(ProcessId owner, ProcessId worker, uint64_t offset);

  // While on, nothing begins at `worker` for `owner`: what has not begun goes back.
  void Recall(ProcessId owner, ProcessId worker, bool on);
  // The owner asks for one task. Of a channel at the owner's end.
  void AskBack(ProcessId owner, ProcessId worker, uint32_t record, uint32_t generation);

  // A worker of this node has died, before anybody is told: its completions go out, then what it had not begun.
  void WorkerGone(ProcessId worker);
  // Any process: its channels end.
  void ProcessGone(ProcessId process);

  // Calls `deliver` once all completions that came before it for (owner, worker) are in the owner's ring.
  void AfterCompletions(ProcessId owner, ProcessId worker, std::function<void()> deliver);

  // The same for all channels of a worker, which is gone; at the latest after kLongestFarewell.
  void AfterCompletionsOf(ProcessId worker, std::function<void()> deliver);

  // Frames of the other node. False: it breaks the protocol.
  bool OnFrame(const trunk::FrameView& frame);

 private:
  // A completion on its way into the owner's ring, or what comes after it.
  struct Held {
    shm::CompletionBody body{};
    std::vector<uint8_t> payload;
    uint32_t awaited = 0;  // copies of objects
    std::vector<shm::SharedHandle> copies;  // those that are there
    bool asked = false;    // for space in the arena, as its list has no room in the ring
    std::optional<Error> failed;
    std::function<void()> then;
  };
  struct AtOwner {
    trunk::ChannelName name;
    shm::ChannelView view;
    shm::ProcessPage* owner_page;
    shm::SlotConsumer<shm::RealAtomics, shm::TaskBody> slots;
    shm::MessageProducer<shm::RealAtomics, shm::CompletionBody> completions;
    shm::PayloadRing payload;
    void ReclaimPayload() {
      payload.Reclaim(shm::Before{view.header->completions_consumed.load(std::memory_order_acquire)});
    }
    bool closing = false;  // claims nothing more
    std::deque<std::shared_ptr<Held>> held;
  };
  struct Farewell {
    std::function<void()> deliver;
    std::unique_ptr<Timer> limit;
  };
  using Uses = std::vector<std::shared_ptr<const void>>;  // of copies of a task's arguments, until it has ended here
  struct Arriving {
    trunk::TaskFrame frame;
    std::vector<uint8_t> payload;
    shm::SharedHandle place{};  // of a payload that is an object; size 0: none
    Uses uses;
    uint32_t awaited = 0;
    std::optional<Error> failed;
  };
  struct Begun {  // or waiting in the worker's ring
    uint32_t position;
    uint32_t generation;
    uint32_t results;
    shm::SharedHandle payload{};  // to be freed; size 0: none
    Uses uses;
  };
  struct AtWorker {
    trunk::ChannelName name;
    shm::ChannelView view;
    shm::ProcessPage* worker_page;
    shm::SlotProducer<shm::RealAtomics, shm::TaskBody> slots;
    shm::MessageConsumer<shm::RealAtomics, shm::CompletionBody> completions;
    shm::PayloadRing payload;
    void ReclaimPayload() {
      payload.Reclaim([this](uint32_t position) { return slots.IsReleased(position); });
    }
    bool recalled = false;
    std::unordered_map<uint32_t, Begun> in_ring;  // by the owner's record
    std::deque<std::shared_ptr<Arriving>> arriving;
  };

  static constexpr size_t kBodyHeader = offsetof(shm::TaskBody, payload);
  // Of one channel in a row, before others get their turn.
  static constexpr uint32_t kBurst = 64;
  static constexpr size_t kBurstBytes = 256 * 1024;
  // Closes when `most` bytes wait in the trunk, opens when it has drained.
  struct Gate {
    size_t most;
    bool open = true;
    trunk::ChannelName last{};  // the channel at which it closed
  };

  void Turn();
  bool Look();
  void Arm();
  void TurnSoon();
  bool HasWork() const;
  bool Admits(Gate& gate);
  template <class Channel, class Send>
  uint32_t SendInTurn(std::map<trunk::ChannelName, Channel>& channels, Gate& gate, const Send& send);
  uint32_t SendTasks(AtOwner& channel);
  uint32_t SendCompletions(AtWorker& channel, bool all);
  void SendCompletion(const trunk::ChannelName& name, const shm::CompletionBody& body,
                      uint32_t results, std::span<const uint8_t> payload);
  bool OnTask(std::span<const uint8_t> body);
  bool OnCompletion(std::span<const uint8_t> body);
  bool OnTakeBack(std::span<const uint8_t> body);
  void PushArriving(AtWorker& channel);
  // True: it has gone into the ring, and what it used with it.
  bool Push(AtWorker& channel, Arriving& task);
  void SendApart(AtOwner& channel, trunk::TaskFrame frame, const shm::TaskBody& slot);
  void PlacePayloadApart(const trunk::ChannelName& name, const std::shared_ptr<Arriving>& task);
  // Of a task that waits here no more; nothing to do if it was in the ring.
  void FreePayload(const shm::SharedHandle& payload);
  void Return(const trunk::ChannelName& name, uint32_t record, uint32_t generation);
  void ReturnUnbegun(AtWorker& channel);
  bool TakeBack(AtWorker& channel, uint32_t record);
  void WriteHeld(const trunk::ChannelName& name);
  void WriteAllHeld();
  bool Write(AtOwner& channel, const std::shared_ptr<Held>& held);
  static void Fail(shm::CompletionBody* body);
  // Replaces the handle at `offset` of the item's payload by that of a local copy.
  template <class Item>
  void AwaitCopy(const std::shared_ptr<Item>& item, uint32_t offset, ProcessId move_to,
                 std::function<void()> done);

  EventLoop& loop_;
  ControlArena& arena_;
  ObjectCopies& copies_;
  const uint32_t page_;
  const bool spin_;
  std::shared_ptr<TrunkLink> link_;
  std::map<trunk::ChannelName, AtOwner> at_owner_;
  std::map<trunk::ChannelName, AtWorker> at_worker_;
  std::map<ProcessId, Farewell> farewells_;  // of workers whose completions are on their way to the owners
  Gate tasks_{kMostTasks};
  Gate completions_{kMostCompletions};
  DoorbellWatch watch_;
  Timer retry_;
  bool turn_posted_ = false;
  bool armed_ = false;
  Nanoseconds worked_at_ = 0;
  int idle_looks_ = 0;
};

template <class Item>
void FarChannels::AwaitCopy(const std::shared_ptr<Item>& item, uint32_t offset, ProcessId move_to,
                            std::function<void()> done) {
  shm::SharedHandle origin;
  std::memcpy(&origin, item->payload.data() + offset, sizeof origin);
  auto answer = [this, weak = std::weak_ptr<Item>(item), offset, is_result = static_cast<bool>(move_to),
                 done = std::move(done)](const Result<ObjectCopies::Local>& local) {
    const std::shared_ptr<Item> waiting = weak.lock();
    if (waiting == nullptr) {  // its channel has ended
      if (is_result && local) copies_.Free(local.value().handle);
      return;
    }
    if (local) {
      std::memcpy(waiting->payload.data() + offset, &local.value().handle, sizeof(shm::SharedHandle));
      if constexpr (requires { waiting->copies; }) waiting->copies.push_back(local.value().handle);
      if constexpr (requires { waiting->uses; }) waiting->uses.push_back(local.value().use);
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

}  // namespace manta::node
