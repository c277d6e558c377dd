// The node's table of large objects: which slot stands for which extent of the arena, for whom, and when it can be used again.
// Pure: the slots are memory that the caller provides, pins are an argument.
//
// A slot's life, and who moves its word (shm/pin_table.h):
//   free --Allocate--> writing --lessee--> sealed --Free, owner dead--> dying --no pin left--> free
//                         \--Free by the lessee, lessee dead-----------^
// A writing slot that others want gone is doomed: its lessee may still be writing, so that it turns dying only once it is sealed or
// the lessee is dead.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "node/extent_allocator.h"
#include "shm/pin_table.h"

namespace manta::node {

// (slot, generation)
using SlotList = std::vector<std::pair<uint32_t, uint32_t>>;

class ObjectTable {
 public:
  using Slot = shm::ObjectSlot<shm::RealAtomics>;

  // How many slots an arena of `bytes` has in front of its data.
  static uint32_t SlotsFor(uint64_t bytes);

  // `slots` is zeroed; extents lie between the end of the slots and `arena_bytes`.
  ObjectTable(std::span<Slot> slots, uint64_t arena_bytes);

  struct Grant {
    uint32_t slot = 0;
    uint32_t generation = 0;
    uint64_t offset = 0;
    uint64_t size = 0;   // as asked for
  };
  // Nothing: no extent long enough, or no slot, at the moment.
  std::optional<Grant> Allocate(ProcessId lessee, ProcessId owner, uint64_t size);
  // Whether it would fit into the empty arena.
  bool CanEverFit(uint64_t size) const { return size <= extents_.capacity(); }

  // Marks it dying or doomed. False: stale or no such slot.
  bool Free(ProcessId by, uint32_t slot, uint32_t generation);

  // Frees the dying slots that no pin names. `pins`, sorted, (slot + 1) << 32 | generation, were read after a fence that followed the
  // latest call of Free or ProcessGone. Returns whether anything was freed.
  bool Reclaim(const std::vector<uint64_t>& pins);
  bool HasDying() const { return !dying_.empty() || !doomed_.empty(); }
  // Doomed slots may have been sealed meanwhile: call before reading the pins for Reclaim.
  void MarkDoomed();

  // What it was writing, and what it owned, dies. Returns what it sealed for other owners: an owner may have missed the news.
  std::map<ProcessId, SlotList> ProcessGone(ProcessId process);

  struct Holding {
    ProcessId process;
    bool reads = false;  // the owners have let go of them: this process still reads them in place
    uint64_t bytes = 0;
    uint32_t objects = 0;
  };
  // Who keeps space: owners, and readers by their pins (of which process, as in Reclaim). For messages: a look at all slots.
  std::vector<Holding> LargestHolders(size_t count,
                                      const std::vector<std::pair<ProcessId, uint64_t>>& pins) const;

  struct Info {
    uint32_t slot;
    uint32_t generation;
    uint64_t size;
    ProcessId owner;
    ProcessId lessee;
    const char* state;
  };
  // At most `limit` of the objects in use.
  std::vector<Info> List(size_t limit) const;

  std::span<Slot> Slots() const { return slots_; }
  uint64_t capacity() const { return extents_.capacity(); }
  uint64_t used() const { return extents_.used(); }
  uint64_t largest_free() const { return extents_.largest_free(); }
  uint32_t objects() const { return in_use_; }

  void CheckInvariants() const;

 private:
  enum class State : uint8_t { kFree, kLive, kDoomed, kDying };
  static constexpr uint32_t kNone = UINT32_MAX;

  // What the daemon knows by itself: the slots in shared memory are written by others, too.
  struct Record {
    State state = State::kFree;
    uint32_t generation = 0;
    uint64_t size = 0;
    ExtentAllocator::Extent extent;
    ProcessId owner;
    ProcessId lessee;
    // In the lists of its owner and of its lessee.
    uint32_t owner_next = kNone, owner_previous = kNone;
    uint32_t lessee_next = kNone, lessee_previous = kNone;
  };
  struct PerProcess {
    uint32_t owned = kNone;   // heads of lists
    uint32_t leased = kNone;
    uint32_t owned_objects = 0;
    uint64_t owned_bytes = 0;
  };

  bool IsWriting(uint32_t slot) const;
  void MarkDying(uint32_t slot);
  void Doom(uint32_t slot);
  void Link(uint32_t slot);
  void UnlinkOwner(uint32_t slot);
  void UnlinkLessee(uint32_t slot);
  void ForgetIfEmpty(ProcessId process);

  std::span<Slot> slots_;
  std::vector<Record> records_;       // grows with the slots that were ever used
  std::vector<uint32_t> free_slots_;
  std::vector<uint32_t> dying_;
  std::vector<uint32_t> doomed_;
  std::unordered_map<ProcessId, PerProcess> processes_;
  ExtentAllocator extents_;
  uint32_t in_use_ = 0;
};

}  // namespace manta::node
