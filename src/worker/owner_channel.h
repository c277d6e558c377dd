// The owner's end of a channel: tasks go out through slots, completions come in through messages.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/kill_point.h"
#include "shm/channel.h"
#include "shm/payload_ring.h"
#include "worker/copy_descriptor.h"
#include "worker/copy_few.h"
#include "worker/owner.h"
#include "worker/records.h"

namespace manta::worker {

class TaskTarget;

// What a task's payload takes, and the payload itself. The task's dependencies have values, and it holds them: no lock is needed.
uint64_t PayloadBytes(const Owner& owner, const TaskRecord& task);
void WritePayload(const Owner& owner, const TaskRecord& task, unsigned char* out);

// The dependency sections of a task whose dependencies all have values, as they stand in its payload.
void EncodeDependencies(const Owner& owner, const TaskRecord& task, std::vector<unsigned char>* out);

// One per worker that this process pushes to, as long as both live; a lease lets it be used. Guarded by the owner's lock.
class OwnerChannel {
 public:
  // `offset`: of the channel in the control arena, its name.
  OwnerChannel(const shm::ChannelView& view, uint64_t offset, shm::ProcessPage* worker_page, ProcessId worker);

  // Whether a descriptor can go out now. A slot that the worker has released may still have an unread completion. It stays
  // taken until that is read: otherwise an owner that submits without reading would let completions overwrite each other.
  bool HasRoom() {
    if (__builtin_expect(overlapping_, 0) && in_flight_ >= kMostOverlapping) return false;
    return pushed_[slots_.position() & (slots() - 1)] == 0 && slots_.Reserve() != nullptr;
  }
  // Writes the task's descriptor and its payload into the ring, which has room, and wakes the worker if need be. The task's
  // dependencies have values, none of them an error. False: no room for the payload just now.
  bool Push(Owner& owner, uint32_t index, TaskRecord* task) {
    assert(HasRoom());
    const uint32_t args = task->body.args_bytes;
    if (args <= shm::kInlinePayload && task->body.dependencies == 0 && task->nested == nullptr) {
      shm::TaskBody* body = slots_.Reserved();
      CopyDescriptor(task->body, body);
      CopyFew(body->payload, task->body.payload, args);
      body->payload_bytes = args;
    } else if (!WriteSlot(owner, *task)) {
      return false;
    }
    RecordPush(index, task, slots_.position());
    MANTA_KILL_POINT("owner.slot_claimed");
    slots_.Publish();
    MANTA_KILL_POINT("owner.slot_published");
    if (shm::Ring(worker_page_->doorbell) || remote()) owner.WokePeer();
    return true;
  }
  // Whether the task's payload has room in an empty channel; else it needs a place of its own (TaskNested::payload).
  bool CanHold(const Owner& owner, const TaskRecord& task) const {
    return (task.nested != nullptr && task.nested->payload.size > 0) ||
           PayloadBytes(owner, task) <= view_.header->task_payload_bytes;
  }
  // The task will not run there. False: it was claimed.
  bool TakeBack(TaskRecord* task);

  // The oldest unread completion, or nullptr; Pop when it has been dealt with.
  const shm::CompletionBody* Front() const { return completions_.Front(); }
  void Pop() { completions_.Pop(); }
  bool HasWork() const { return completions_.HasWork(); }
  // Tells the worker how far this end has read, so that it can reuse its payload ring.
  void PublishConsumed() {
    view_.header->completions_consumed.store(completions_.position(), std::memory_order_release);
  }
  // The bytes of a completion that did not fit inline, nullptr if it names none inside the ring.
  const unsigned char* ResultPayload(const shm::CompletionBody& completion) const;

  // Bookkeeping for a task that has left: completed, taken back, or lost.
  void Forget(TaskRecord* task) {
    pushed_[task->position & (slots() - 1)] = 0;
    if (__builtin_expect(overlapping_, 0)) overlapping_tasks_.erase(task->position);
    task->channel = nullptr;
    --in_flight_;
  }
  // Whether the worker has claimed it; of one on another node that is not known here.
  bool HasBegun(const TaskRecord& task) const { return !remote() && slots_.IsClaimed(task.position); }
  // Whether what the worker runs waits for objects; of one on another node that is not known here.
  bool worker_waits() const {
    return !remote() && (worker_page_->activity.load(std::memory_order_relaxed) & shm::kBlocked) != 0;
  }
  // How long ago that position was written, in slots.
  uint32_t Age(uint32_t position) const { return slots_.position() - position; }
  // Tasks pushed and not forgotten, oldest first.
  std::vector<uint32_t> InFlight() const;

  // For an actor that runs calls beside each other: its descriptors come back at once, so that more tasks than there are slots can be
  // in flight. While nothing is.
  void set_overlapping(bool overlapping) { overlapping_ = overlapping; }

  ProcessId worker() const { return worker_; }
  uint64_t offset() const { return offset_; }
  // The worker is on another node: nothing can be taken back here once the daemon has sent it on.
  bool remote() const { return view_.header->remote != 0; }
  uint32_t in_flight() const { return in_flight_; }
  uint32_t slots() const { return slots_.size(); }

  // What the dispatcher keeps here:
  LeaseId lease;                 // none: not ours at the moment
  TaskTarget* target = nullptr;  // whom the lease serves
  bool revoked = false;          // no more pushes; return the lease when nothing is in flight
  bool blocked = false;          // its task waits: no more pushes, what is unclaimed comes back
  bool slow = false;             // its task takes long: the same, until it ends
  // Of an actor on another node, whose host has died: calls that came back without having begun, and wait in the target's queue.
  struct ReturnedCall {
    uint32_t task;
    uint32_t generation;
    uint32_t position;
  };
  std::vector<ReturnedCall> returned;
  bool progressed = false;       // completions came since progress_at was set
  int64_t progress_at = 0;
  uint32_t active_index = 0;     // in the dispatcher's list of channels with tasks in flight, + 1

 private:
  // Of an actor that runs calls beside each other: in flight from one caller.
  static constexpr uint32_t kMostOverlapping = 8192;

  void ReclaimPayload() {
    payload_.Reclaim([this](uint32_t position) { return slots_.IsReleased(position); });
  }
  bool WriteSlot(const Owner& owner, const TaskRecord& task);
  void RecordPush(uint32_t index, TaskRecord* task, uint32_t position) {
    const uint32_t slot = position & (slots() - 1);
    assert(pushed_[slot] == 0);
    if (__builtin_expect(overlapping_, 0)) {
      overlapping_tasks_[position] = index;
    } else {
      pushed_[slot] = index;
    }
    if (__builtin_expect(slot == 0, 0)) ReclaimPayload();
    if (in_flight_ == 0) oldest_ = position;
    ++in_flight_;
    task->state = TaskState::kPushed;
    task->channel = this;
    task->position = position;
  }

  shm::ChannelView view_;
  uint64_t offset_;
  shm::ProcessPage* worker_page_;
  ProcessId worker_;
  shm::SlotProducer<shm::RealAtomics, shm::TaskBody> slots_;
  shm::MessageConsumer<shm::RealAtomics, shm::CompletionBody> completions_;
  shm::PayloadRing payload_;
  std::vector<uint32_t> pushed_;         // by slot: the task record, 0 for none
  uint32_t oldest_ = 0;                  // no task is in flight before this position
  uint32_t in_flight_ = 0;
  bool overlapping_ = false;
  std::unordered_map<uint32_t, uint32_t> overlapping_tasks_;  // by position, instead of pushed_
};

}  // namespace manta::worker
