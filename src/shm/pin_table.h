// Which shared objects a process reads in place: a table per process, written by that process alone.
//
//   reader                                        daemon, to reuse a slot
//   0. raise `used` above the entry               1. move the slot's word to dying  (seq_cst)
//   1. write (slot, generation) into an entry
//   2. fence                                      2. fence
//   3. load the slot's word: still the same       3. scan all tables: an entry for the slot: not yet
//      generation and sealed? else clear the      4. none: advance the generation, reuse the memory
//      entry and give up
//
// Either the reader sees dying in step 3 or the daemon sees the pin in step 3. A dead process's pins vanish with its table;
// there is no count to repair.
#pragma once

#include <algorithm>
#include <cstdint>

#include "shm/atomics.h"

namespace manta::shm {

enum class ObjectState : uint32_t { kFree = 0, kWriting = 1, kSealed = 2, kDying = 3 };

constexpr uint64_t ObjectWord(uint32_t generation, ObjectState state) {
  return uint64_t{generation} << 8 | static_cast<uint64_t>(state);
}

// One entry of the node's object table: the daemon writes `offset` and `size`, and `word` but for the one step from writing
// to sealed, which the lessee takes (and the daemon, when the lessee has died, to dying).
template <class A>
struct ObjectSlot {
  typename A::template Atomic<uint64_t> word;
  uint64_t offset;  // in the object arena
  uint64_t size;
  uint64_t owner;  // process id, for listings
};

// The lessee's step from writing to sealed. Nothing, if the daemon has taken the slot back meanwhile: the process was given up.
template <class A>
void Seal(ObjectSlot<A>& object, uint32_t generation) {
  uint64_t expected = ObjectWord(generation, ObjectState::kWriting);
  object.word.compare_exchange_strong(expected, ObjectWord(generation, ObjectState::kSealed), std::memory_order_release,
                                      std::memory_order_relaxed);
}

constexpr uint64_t PinWord(uint32_t slot, uint32_t generation) {
  return (uint64_t{slot} + 1) << 32 | generation;
}

template <class A, uint32_t kEntries>
struct PinTable {
  // No entry from here on was ever used: a scan costs what the process has pinned at once, not what it might.
  typename A::template Atomic<uint32_t> used;
  typename A::template Atomic<uint64_t> entries[kEntries];  // 0: free

  // Tries to pin; `entry` is one that the caller keeps free. False: the object is gone, the entry is free again.
  bool Pin(uint32_t entry, uint32_t slot, uint32_t generation, const ObjectSlot<A>& object) {
    if (used.load(std::memory_order_relaxed) <= entry) used.store(entry + 1, std::memory_order_seq_cst);
    entries[entry].store(PinWord(slot, generation), std::memory_order_seq_cst);
    A::Fence();
    if (object.word.load(std::memory_order_seq_cst) == ObjectWord(generation, ObjectState::kSealed)) {
      return true;
    }
    entries[entry].store(0, std::memory_order_release);
    return false;
  }

  // For who has the object by other means, and is about to lose those: its memory stays, whatever becomes of the object.
  void Keep(uint32_t entry, uint32_t slot, uint32_t generation) {
    if (used.load(std::memory_order_relaxed) <= entry) used.store(entry + 1, std::memory_order_seq_cst);
    entries[entry].store(PinWord(slot, generation), std::memory_order_seq_cst);
  }

  // Reads of the object that came before stay before.
  void Unpin(uint32_t entry) { entries[entry].store(0, std::memory_order_release); }

  // Daemon: whether `is_it(pin)` for any pin; not asked further then. Call after the slot's word moved to dying, and a fence.
  template <class IsIt>
  bool AnyOf(IsIt is_it) const {
    const uint32_t count = std::min(used.load(std::memory_order_seq_cst), kEntries);
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t pin = entries[i].load(std::memory_order_seq_cst);
      if (pin != 0 && is_it(pin)) return true;
    }
    return false;
  }
  // The same: whether any entry names `slot`.
  bool Holds(uint32_t slot) const {
    return AnyOf([slot](uint64_t pin) { return pin >> 32 == uint64_t{slot} + 1; });
  }
};

}  // namespace manta::shm
