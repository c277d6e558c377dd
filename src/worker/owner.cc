#include "worker/owner.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "base/kill_point.h"
#include "worker/copy_few.h"

namespace manta::worker {

Owner::Owner(ProcessId process, NodeMemory* memory) : process_(process), memory_(memory) {}

Owner::~Owner() = default;

void Owner::NotifyDependents(ObjectRecord* object, Dependent* dependents) {
  while (dependents != nullptr) {
    Dependent* dependent = dependents;
    dependents = dependent->next;
    if (dependent->waiter == nullptr && dependent->task != 0) {
      dependent->next = nullptr;
      *last_ready_task_ = dependent;
      last_ready_task_ = &dependent->next;
      continue;
    }
    if (dependent->waiter != nullptr) {
      listener_->WaiterReady(dependent->waiter);
    } else {
      border_->FetchersReady(object);
    }
    heap_.Free(dependent, sizeof(Dependent));
  }
  // A task that fails with its dependency gives its own results values, and so on: a loop, for chains may be longer than
  // any stack.
  if (notifying_) return;
  notifying_ = true;
  while (Dependent* dependent = ready_tasks_) {
    ready_tasks_ = dependent->next;
    if (ready_tasks_ == nullptr) last_ready_task_ = &ready_tasks_;
    const uint32_t task = dependent->task;
    heap_.Free(dependent, sizeof(Dependent));
    listener_->DependencyReady(task);
  }
  notifying_ = false;
}

void Owner::SetHeap(ObjectRecord* object, void* block, uint32_t size) {
  object->heap = block;
  object->size = size;
  MarkReady(object, ValueState::kHeap);
}

void Owner::SetBytes(ObjectRecord* object, const void* bytes, uint32_t size) {
  if (size <= sizeof object->bytes) {
    SetInline(object, bytes, size);
    return;
  }
  void* block = heap_.Allocate(size);
  std::memcpy(block, bytes, size);
  SetHeap(object, block, size);
}

void Owner::SetShared(ObjectRecord* object, const shm::SharedHandle& handle, bool arena_owned) {
  object->shared = handle;
  object->arena_owned = arena_owned;
  MarkReady(object, ValueState::kShared);
}

void Owner::SetError(ObjectRecord* object, Error error) {
  object->error = new Error(std::move(error));
  MarkReady(object, ValueState::kError);
}

ObjectRecord* Owner::BeginPut(uint32_t size, void** data) {
  ObjectRecord* object = NewObject();
  object->sealing.store(true, std::memory_order_relaxed);
  object->size = size;
  if (size <= sizeof object->bytes) {
    *data = object->bytes;
  } else {
    *data = object->heap = heap_.Allocate(size);
  }
  return object;
}

ObjectRecord* Owner::BeginSharedPut(const shm::SharedHandle& handle) {
  ObjectRecord* object = NewObject();
  object->sealing.store(true, std::memory_order_relaxed);
  object->arena_owned = true;
  object->shared = handle;
  return object;
}

void Owner::Seal(ObjectRecord* object) {
  ValueState state = ValueState::kInline;
  if (object->arena_owned) {
    shm::Seal(memory_->Slot(object->shared.slot), object->shared.generation);
    state = ValueState::kShared;
  } else if (object->size > sizeof object->bytes) {
    state = ValueState::kHeap;
  }
  object->sealing.store(false, std::memory_order_relaxed);
  object->state.store(state, std::memory_order_release);
}

manta_bytes Owner::ValueElsewhere(const ObjectRecord& object) const {
  switch (object.state.load(std::memory_order_acquire)) {
    case ValueState::kHeap:
      return {object.heap, object.size};
    case ValueState::kShared:
      return {memory_->Readable(object.shared.offset), object.shared.size};
    case ValueState::kInline:  // see Value
    case ValueState::kPending:
    case ValueState::kError:
      break;
  }
  assert(false && "the object has no value");
  return {nullptr, 0};
}

void Owner::ReleaseOneOfMany(ObjectRecord* object) {
  uint32_t references = object->references.load(std::memory_order_acquire);
  while (references > 1) {
    if (object->references.compare_exchange_weak(references, references - 1,
                                                 std::memory_order_release,
                                                 std::memory_order_acquire)) {
      return;
    }
  }
  Owner& owner = Of(object);
  owner.lock_.lock();
  owner.ReleaseLast(object);
}

void Owner::ReleaseLast(ObjectRecord* object) {
  ReleaseLocked(object);
  const bool freed = has_freed() || border_->HasMessages();
  lock_.unlock();
  if (freed) freed_hook_();
}

void Owner::ReleaseLocked(ObjectRecord* object) {
  if (object->references.load(std::memory_order_relaxed) > 1) {
    if (object->references.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  } else {
    object->references.store(0, std::memory_order_relaxed);
  }
  if (object->borrowed || object->listed) {
    border_->LastHandleGone(object);
    return;
  }
  FreeUnlisted(object);
}

void Owner::FreeUnlisted(ObjectRecord* object) {
  if (object->references.load(std::memory_order_relaxed) > 0) return;
  const bool pending = object->state.load(std::memory_order_relaxed) == ValueState::kPending;
  if (!pending || object->task == 0) FreeObject(object);
}

ObjectRecord* Owner::FindObject(uint32_t index, uint32_t generation) const {
  if (!objects_.Contains(index)) return nullptr;
  ObjectRecord* object = objects_.At(index);
  return object->in_use && object->generation == generation ? object : nullptr;
}

void Owner::FreeObject(ObjectRecord* object) {
  if (object->contains) {
    object->contains = false;
    border_->ValueFreed(object);
  }
  if (object->state.load(std::memory_order_relaxed) != ValueState::kInline) FreeValue(object);
  FreePlain(object);
}

void Owner::FreeShared(ObjectRecord* object) {
  if (object->arena_owned) FreeLater(object->shared);
  if (object->pinned && !abandoned_) {
    memory_->my_page().pins.Unpin(object->size);
    free_pins_.push_back(object->size);
  }
}

void Owner::FreeValue(ObjectRecord* object) {
  switch (object->state.load(std::memory_order_relaxed)) {
    case ValueState::kHeap:
      heap_.Free(object->heap, object->size);
      break;
    case ValueState::kError:
      delete object->error;
      break;
    case ValueState::kShared:
      FreeShared(object);
      break;
    case ValueState::kPending:
      if (!object->sealing) break;  // else a put that was given up
      if (object->arena_owned) {
        FreeShared(object);
      } else if (object->size > sizeof object->bytes) {
        heap_.Free(object->heap, object->size);
      }
      break;
    case ValueState::kInline:
      break;
  }
}

void Owner::AddDependent(ObjectRecord* object, Waiter* waiter, uint32_t task) {
  assert(object->state.load(std::memory_order_relaxed) == ValueState::kPending);
  object->dependents =
      new (heap_.Allocate(sizeof(Dependent))) Dependent{object->dependents, waiter, task};
}

void Owner::RemoveWaiter(ObjectRecord* object, Waiter* waiter) {
  for (Dependent** link = &object->dependents; *link != nullptr;) {
    Dependent* dependent = *link;
    if (dependent->waiter != waiter) {
      link = &dependent->next;
      continue;
    }
    *link = dependent->next;
    heap_.Free(dependent, sizeof(Dependent));
  }
}

bool Owner::TakePin(uint32_t* entry) {
  if (!free_pins_.empty()) {
    *entry = free_pins_.back();
    free_pins_.pop_back();
    return true;
  }
  if (next_pin_ == shm::kPinsPerProcess) return false;
  *entry = next_pin_++;
  return true;
}

void Owner::PinOwned() {
  objects_.ForEach([this](uint32_t, ObjectRecord& object) {
    if (!object.in_use || !object.arena_owned || object.pinned) return;
    if (object.references.load(std::memory_order_relaxed) == 0 && !object.sealing) return;
    uint32_t entry;
    if (!TakePin(&entry)) return;
    memory_->my_page().pins.Keep(entry, object.shared.slot, object.shared.generation);
    object.pinned = true;
    object.size = entry;
  });
}

bool Owner::SetPinned(ObjectRecord* object, const shm::SharedHandle& handle) {
  uint32_t entry;
  if (!TakePin(&entry)) {
    SetError(object, MakeError(MANTA_ERROR_OBJECT_STORE_FULL,
                               "this process holds " + std::to_string(shm::kPinsPerProcess) +
                                   " large objects of other processes already: let some of them go first"));
    return true;
  }
  if (!memory_->my_page().pins.Pin(entry, handle.slot, handle.generation, memory_->Slot(handle.slot))) {
    free_pins_.push_back(entry);
    return false;
  }
  MANTA_KILL_POINT("object.pinned");
  object->pinned = true;
  object->size = entry;
  SetShared(object, handle, false);
  return true;
}

std::vector<shm::SharedHandle> Owner::TakeFreed() {
  has_freed_.store(false, std::memory_order_relaxed);
  return std::exchange(freed_, {});
}

}  // namespace manta::worker
