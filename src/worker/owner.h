// The owner's side of a process: the objects that it can name, their values and references, and the slabs of task records.
// Every process of a job is an owner, drivers and workers alike.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "worker/copy_few.h"
#include "worker/node_memory.h"
#include "worker/records.h"
#include "worker/slab.h"
#include "worker/small_heap.h"
#include "worker/spin_lock.h"
#include "worker/turns.h"

namespace manta::worker {

// Told, under the owner's lock, what a new value sets free.
class ReadyListener {
 public:
  virtual void DependencyReady(uint32_t task) = 0;
  virtual void WaiterReady(Waiter* waiter) = 0;

 protected:
  ~ReadyListener() = default;
};

// Told, under the owner's lock, of objects that other processes know, or that contain references.
class BorderListener {
 public:
  virtual ObjectId IdOf(const ObjectRecord& object) const = 0;
  // The last handle of a borrowed or listed object went: the listener frees it when nothing else holds it.
  virtual void LastHandleGone(ObjectRecord* object) = 0;
  // The object got its value, and other processes have asked for it.
  virtual void FetchersReady(ObjectRecord* object) = 0;
  // A value that contained references is about to go.
  virtual void ValueFreed(ObjectRecord* object) = 0;
  // Whether there is something to tell other processes.
  virtual bool HasMessages() const = 0;

 protected:
  ~BorderListener() = default;
};

// Methods marked [lock] require lock() to be held; the others take it themselves or need none.
class Owner {
 public:
  // `memory` outlives the owner.
  Owner(ProcessId process, NodeMemory* memory);
  ~Owner();

  SpinLock& lock() { return lock_; }
  Turns& turns() { return turns_; }
  SmallHeap& heap() { return heap_; }
  ProcessId process() const { return process_; }
  NodeMemory& memory() { return *memory_; }
  void set_listener(ReadyListener* listener) { listener_ = listener; }
  void set_border(BorderListener* border) { border_ = border; }
  // [lock]
  ObjectId IdOf(const ObjectRecord& object) const { return border_->IdOf(object); }
  // Runs without locks after a Release that left something to tell the daemon or other processes.
  void set_freed_hook(std::function<void()> hook) { freed_hook_ = std::move(hook); }

  // Any thread. A process that sleeps was woken, or a daemon has to carry what was written to another node: it may need the core of
  // the caller, who should yield that before spinning.
  void WokePeer() { woke_peer_.store(true, std::memory_order_relaxed); }
  bool TakeWokePeer() {
    if (!woke_peer_.load(std::memory_order_relaxed)) return false;
    woke_peer_.store(false, std::memory_order_relaxed);
    return true;
  }

  // ---- Objects

  // [lock] A pending object with one reference.
  [[gnu::always_inline]] ObjectRecord* NewObject() {
    ObjectRecord* object = objects_.Allocate();
    object->references.store(1, std::memory_order_relaxed);
    object->state.store(ValueState::kPending, std::memory_order_relaxed);
    object->arena_owned = object->pinned = object->borrowed = object->listed = object->contains =
        object->fetching = false;
    object->sealing.store(false, std::memory_order_relaxed);
    object->in_use = true;
    object->task = 0;
    ++object->generation;
    object->dependents = nullptr;
    return object;
  }
  // [lock] Gives a pending object its value. An object that nobody refers to any more is freed instead.
  void SetInline(ObjectRecord* object, const void* bytes, uint32_t size) {  // size <= kInlineResult
    assert(size <= sizeof object->bytes);
    CopyFew(object->bytes, bytes, size);
    object->size = size;
    MarkReady(object, ValueState::kInline);
  }
  void SetHeap(ObjectRecord* object, void* block, uint32_t size);          // takes the block of heap()
  void SetBytes(ObjectRecord* object, const void* bytes, uint32_t size);   // copies
  void SetShared(ObjectRecord* object, const shm::SharedHandle& handle, bool arena_owned);
  void SetError(ObjectRecord* object, Error error);
  // Any thread. How many objects have failed so far: who has looked for failures need not look again until this changes.
  uint32_t failures() const { return failures_.load(std::memory_order_acquire); }

  // [lock] A put of up to the size of a heap value: an unsealed object with one reference and the place to write its bytes to.
  ObjectRecord* BeginPut(uint32_t size, void** data);
  // [lock] The same for a value in the arena.
  ObjectRecord* BeginSharedPut(const shm::SharedHandle& handle);
  // The bytes are written. By the thread that began, before it shares the reference.
  void Seal(ObjectRecord* object);

  // The bytes of a ready object that is no error; valid while the caller holds a reference.
  manta_bytes Value(const ObjectRecord& object) const {
    if (__builtin_expect(object.state.load(std::memory_order_acquire) == ValueState::kInline, 1)) return {object.bytes, object.size};
    return ValueElsewhere(object);
  }
  // [lock] The record in use with this index and generation, or nullptr.
  ObjectRecord* FindObject(uint32_t index, uint32_t generation) const;
  // [lock] Of an object without handles that is neither listed nor borrowed any more; a pending one goes with its task.
  void FreeUnlisted(ObjectRecord* object);

  // Any thread. The last Release frees the object, or leaves it to the task that will bring its value.
  static void Retain(ObjectRecord* object) {
    object->references.fetch_add(1, std::memory_order_relaxed);
  }
  static void Release(ObjectRecord* object) {
    // The only reference is the caller's: nobody else can add one, but for who knows the object's id, with the lock.
    if (__builtin_expect(object->references.load(std::memory_order_acquire) == 1, 1)) {
      Owner& owner = Of(object);
      owner.lock_.lock();
      const bool is_last = object->references.load(std::memory_order_relaxed) == 1;
      if (__builtin_expect(is_last && object->IsPlain(), 1)) {  // nothing to tell anybody
        object->references.store(0, std::memory_order_relaxed);
        owner.FreePlain(object);
        owner.lock_.unlock();
      } else {
        owner.ReleaseLast(object);
      }
      return;
    }
    ReleaseOneOfMany(object);
  }
  void ReleaseLocked(ObjectRecord* object);  // [lock]
  static Owner& Of(const ObjectRecord* object) { return *Objects::HomeOf(object); }

  // [lock] Registers a dependent of a pending object.
  void AddDependent(ObjectRecord* object, Waiter* waiter, uint32_t task);
  void RemoveWaiter(ObjectRecord* object, Waiter* waiter);

  // In a child of fork(): the pins in shared memory are the parent's.
  void AbandonAfterFork() { abandoned_ = true; }

  // [lock] Gives a pending object its value, which another owner holds in shared memory, and keeps that readable; or the error
  // that says that it cannot. False: the memory is gone, and the object pending still.
  bool SetPinned(ObjectRecord* object, const shm::SharedHandle& handle);

  // [lock] Before this process leaves the cluster: the memory of its own shared objects that the program still refers to, or writes, is
  // not given to others while it does. Of as many as there is room for in the pin table.
  void PinOwned();

  // [lock] Hands a shared object that no record names to the daemon with the next batch.
  void FreeLater(const shm::SharedHandle& handle) {
    freed_.push_back(handle);
    has_freed_.store(true, std::memory_order_relaxed);
  }
  // [lock] Shared objects whose last reference went, to be freed by the daemon; empties the list.
  std::vector<shm::SharedHandle> TakeFreed();
  // Any thread.
  bool has_freed() const { return has_freed_.load(std::memory_order_relaxed); }

  // ---- Tasks

  // [lock] A fresh record with a new generation.
  TaskRecord* NewTask(uint32_t* index) {
    TaskRecord* task = tasks_.Allocate();
    *index = task->body.record;
    ++task->body.generation;
    task->body.first_result = shm::kNoResult | task->body.record;
    return task;
  }
  // [lock] Names a new task by its first result, which is as new: both get the later of their generations, so that neither has had it before.
  static void NameTask(TaskRecord* task, ObjectRecord* first_result) {
    const auto ahead = static_cast<int32_t>(task->body.generation - first_result->generation);  // they wrap around
    const uint32_t later = ahead > 0 ? task->body.generation : first_result->generation;
    task->body.generation = first_result->generation = later;
    task->body.first_result = first_result->index;
  }
  void FreeTask([[maybe_unused]] uint32_t index, TaskRecord* task) {
    assert(Task(index) == task);
    task->state = TaskState::kFree;
    tasks_.Free(task);
  }
  TaskRecord* Task(uint32_t index) { return tasks_.At(index); }
  // The record, if a message's (index, generation) names one in use.
  TaskRecord* FindTask(uint32_t index, uint32_t generation) {
    if (!tasks_.Contains(index)) return nullptr;
    TaskRecord* task = tasks_.At(index);
    return task->state != TaskState::kFree && task->body.generation == generation ? task : nullptr;
  }

  // [lock] Calls use(index, record) for every task in use.
  template <class Use>
  void ForEachTask(Use use) const {
    tasks_.ForEach([&](uint32_t index, const TaskRecord& task) {
      if (task.state != TaskState::kFree) use(index, task);
    });
  }

  // [lock] Calls use(index, record) for every object in use.
  template <class Use>
  void ForEachObject(Use use) const {
    objects_.ForEach([&](uint32_t index, const ObjectRecord& object) {
      if (object.in_use) use(index, object);
    });
  }

  uint32_t objects_in_use() const { return objects_.used(); }

 private:
  // An entry of the pin table that is free, if there is one.
  bool TakePin(uint32_t* entry);
  using Objects = Slab<ObjectRecord, Owner>;
  using Tasks = Slab<TaskRecord, Owner>;

  void MarkReady(ObjectRecord* object, ValueState state) {
    assert(object->state.load(std::memory_order_relaxed) == ValueState::kPending);
    object->task = 0;
    object->state.store(state, std::memory_order_release);
    if (state == ValueState::kError) failures_.fetch_add(1, std::memory_order_release);
    if (__builtin_expect(object->dependents != nullptr, 0)) {
      // What depends on it holds it, and frees it when it was the last; but not a process that has asked for the value, and let go since.
      const bool held = object->references.load(std::memory_order_relaxed) > 0 || object->listed;
      NotifyDependents(object, std::exchange(object->dependents, nullptr));
      if (!held) FreeObject(object);
    } else if (__builtin_expect(object->references.load(std::memory_order_relaxed) == 0, 0) && !object->listed) {
      FreeObject(object);
    }
  }
  void NotifyDependents(ObjectRecord* object, Dependent* dependents);
  static void ReleaseOneOfMany(ObjectRecord* object);
  void ReleaseLast(ObjectRecord* object);  // [lock], and lets go of it
  manta_bytes ValueElsewhere(const ObjectRecord& object) const;
  void FreePlain(ObjectRecord* object) {
    object->in_use = false;
    objects_.Free(object);
  }
  void FreeObject(ObjectRecord* object);
  void FreeValue(ObjectRecord* object);
  void FreeShared(ObjectRecord* object);

  const ProcessId process_;
  NodeMemory* const memory_;
  SpinLock lock_;
  Turns turns_{&lock_};
  std::atomic<uint32_t> failures_{0};
  bool abandoned_ = false;  // written in a process of one thread
  std::atomic<bool> has_freed_{false};
  std::atomic<bool> woke_peer_{false};
  // Guarded by lock_:
  ReadyListener* listener_ = nullptr;
  BorderListener* border_ = nullptr;
  SmallHeap heap_;
  Objects objects_{this};
  Tasks tasks_{this};
  std::vector<shm::SharedHandle> freed_;
  std::vector<uint32_t> free_pins_;  // entries of the pin table that were used before
  uint32_t next_pin_ = 0;            // never used from here on
  Dependent* ready_tasks_ = nullptr;  // to be told, oldest first
  Dependent** last_ready_task_ = &ready_tasks_;
  bool notifying_ = false;
  std::function<void()> freed_hook_;  // set before other threads run
};

}  // namespace manta::worker
