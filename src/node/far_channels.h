// Task channels whose owner and worker are on different nodes. Each has its half of the channel in its node's shared memory and knows
// nothing else; the daemons play the missing ends and carry descriptors and completions over the trunk.
//
// The daemon at the owner's node claims what the owner pushes: from there on the slot cannot be taken back, so what has not begun
// comes back as a completion that says kReturned: when the owner asks (TakeBack), and without being asked when the worker blocks,
// its lease is revoked, or it dies. The daemon at the worker's node pushes in the order in which tasks came; a task waits for local
// copies of its shared arguments, and later ones of the channel behind it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
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
  static constexpr Nanoseconds kRetry = kMillisecond;  // while a worker's ring has no room

  // `page`: the daemon's own process page, at which the other ends ring. `spin`: there are cores for it.
  FarChannels(EventLoop& loop, ControlArena& arena, ObjectCopies& copies, uint32_t page, bool spin);
  ~FarChannels();

  void Connect(std::shared_ptr<TrunkLink> link) { link_ = std::move(link); }
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

  // The same for all channels of a worker.
  void AfterCompletionsOf(ProcessId worker, std::function<void()> deliver);

  // Frames of the other node. False: it breaks the protocol.
  bool OnFrame(const trunk::FrameView& frame);

 private:
  // A completion on its way into the owner's ring, or what comes after it.
  struct Held {
    shm::CompletionBody body{};
    std::vector<uint8_t> payload;
    uint32_t awaited = 0;  // copies of objects
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
  struct Arriving {
    trunk::TaskFrame frame;
    std::vector<uint8_t> payload;
    uint32_t awaited = 0;
    std::optional<Error> failed;
  };
  struct Begun {  // or waiting in the worker's ring
    uint32_t position;
    uint32_t generation;
    uint32_t results;
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

  void Turn();
  bool Look();
  void Arm();
  void TurnSoon();
  bool HasWork() const;
  uint32_t SendTasks(AtOwner& channel);
  uint32_t SendCompletions(AtWorker& channel);
  void SendCompletion(const trunk::ChannelName& name, const shm::CompletionBody& body,
                      uint32_t results, std::span<const uint8_t> payload);
  bool OnTask(std::span<const uint8_t> body);
  bool OnCompletion(std::span<const uint8_t> body);
  bool OnTakeBack(std::span<const uint8_t> body);
  void PushArriving(AtWorker& channel);
  bool Push(AtWorker& channel, const Arriving& task);
  void Return(const trunk::ChannelName& name, uint32_t record, uint32_t generation);
  void ReturnUnbegun(AtWorker& channel);
  bool TakeBack(AtWorker& channel, uint32_t record);
  void WriteHeld(const trunk::ChannelName& name);
  bool Write(AtOwner& channel, const std::shared_ptr<Held>& held);
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
  DoorbellWatch watch_;
  Timer retry_;
  bool turn_posted_ = false;
  bool armed_ = false;
  Nanoseconds worked_at_ = 0;
  int idle_looks_ = 0;
};

}  // namespace manta::node
