// Where tasks of one kind go: the workers leased for a scheduling key, or the one worker that runs an actor.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/actor_life.h"
#include "model/bundles.h"
#include "model/node_constraint.h"
#include "model/resources.h"
#include "worker/owner.h"
#include "worker/owner_channel.h"

namespace manta::worker {

// A backlog through the task records: first in, first out, with removal from the middle. Guarded by the owner's lock.
class TaskQueue {
 public:
  explicit TaskQueue(Owner* owner) : owner_(owner) {}

  bool empty() const { return head_ == 0; }
  uint32_t size() const { return size_; }
  uint32_t front() const { return head_; }

  void PushBack(uint32_t index) {
    TaskRecord* task = owner_->Task(index);
    task->state = TaskState::kQueued;
    task->slab_next = 0;
    task->previous = tail_;
    (tail_ != 0 ? owner_->Task(tail_)->slab_next : head_) = index;
    tail_ = index;
    ++size_;
  }
  void PushFront(uint32_t index) {
    TaskRecord* task = owner_->Task(index);
    task->state = TaskState::kQueued;
    task->slab_next = head_;
    task->previous = 0;
    (head_ != 0 ? owner_->Task(head_)->previous : tail_) = index;
    head_ = index;
    ++size_;
  }
  void Remove(uint32_t index) {
    TaskRecord* task = owner_->Task(index);
    (task->previous != 0 ? owner_->Task(task->previous)->slab_next : head_) = task->slab_next;
    (task->slab_next != 0 ? owner_->Task(task->slab_next)->previous : tail_) = task->previous;
    --size_;
  }

 private:
  Owner* owner_;
  uint32_t head_ = 0;
  uint32_t tail_ = 0;
  uint32_t size_ = 0;
};

// What the tasks of a target ask of their worker.
struct TargetOptions {
  std::string name;
  ActorId actor;  // of an actor's target
  model::ResourceSet resources;
  model::ResourceSet placement;
  std::string environment;  // "": the job's
  model::BundleRef bundle;  // of the placement group that they run in
  bool captures = false;    // what they submit runs in the group, too
  model::NodeConstraint nodes;  // that will do

  // Tasks for which it is the same may run on each other's workers.
  std::string Shape() const {
    std::string text = resources.ToString() + environment + nodes.text();
    if (bundle) text += Hex(bundle.group) + "#" + std::to_string(bundle.index) + (captures ? "+" : "");
    return text;
  }
};

// Guarded by the owner's lock.
class TaskTarget {
 public:
  TaskTarget(Owner* owner, uint32_t key, TargetOptions options, bool ordered)
      : key(key),
        options(std::move(options)),
        ordered(ordered),
        shape(static_cast<uint16_t>(std::hash<std::string>()(this->options.Shape()))),
        queue(owner),
        window(ordered ? UINT32_MAX : kUnmeasuredWindow) {}

  // Before the first completion: a task that is given to a worker behind a long one waits for that, while later ones start elsewhere.
  static constexpr uint32_t kUnmeasuredWindow = 1;

  const uint32_t key;  // this process's number for it, in demands
  const TargetOptions options;
  const bool ordered;  // an actor: first in first out, one worker, nothing is taken back
  bool foreign = false;  // an actor that another process created: no lease of ours
  const uint16_t shape;  // a hash of the options
  TaskQueue queue;       // ready to run, except behind an unready call of an actor
  std::vector<OwnerChannel*> channels;  // leased now
  uint32_t in_flight = 0;               // over all channels
  uint32_t wanted = 0;                  // leases declared to the daemon
  int64_t service_ns = 0;               // smoothed time per task on one worker; 0: not known yet
  uint32_t window;                      // the most tasks in flight to one worker
  int64_t surplus_since = 0;            // since when fewer leases would have done; 0: they would not
  uint32_t needed = 0;                  // the most leases that would have been of use since then
  bool busy = false;                    // in the dispatcher's list
  int64_t idle_since = 0;               // when nothing was left to do
  int64_t backlog_since = 0;            // when it last turned from idle to busy
  bool progressed = false;              // completions came since progress_at was set
  int64_t progress_at = 0;
  int64_t stuck_at = 0;                 // when it was last said that nothing ends
  // Ordered targets:
  ActorId actor;
  bool closed = false;       // the actor is dead: calls fail with `death`
  bool unavailable = false;  // it is dead, or restarting: then calls that are never tried again fail with `death`, too
  Error death;
  model::ActorLife life;  // not of a foreign one
  uint32_t creation = 0;  // not of a foreign one: the record of its creation task, until that is not needed any more
  bool overlapping = false;  // it runs calls beside each other
  int32_t max_task_retries = 0;
  uint32_t max_pending = UINT32_MAX;  // calls that are not finished

  uint32_t outstanding() const { return queue.size() + in_flight; }
};

}  // namespace manta::worker
