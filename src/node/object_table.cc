#include "node/object_table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

namespace manta::node {
namespace {

using shm::ObjectState;
using shm::ObjectWord;

constexpr uint64_t kBytesPerSlot = 64 << 10;
constexpr uint64_t kMaxSlots = 1 << 20;

ExtentAllocator::Options ExtentsAfter(uint64_t table_bytes, uint64_t arena_bytes) {
  ExtentAllocator::Options options;
  options.begin = (table_bytes + options.granule - 1) / options.granule * options.granule;
  options.end = arena_bytes;
  return options;
}

}  // namespace

uint32_t ObjectTable::SlotsFor(uint64_t bytes) {
  return static_cast<uint32_t>(std::min(bytes / kBytesPerSlot, kMaxSlots));
}

ObjectTable::ObjectTable(std::span<Slot> slots, uint64_t arena_bytes)
    : slots_(slots), extents_(ExtentsAfter(slots.size_bytes(), arena_bytes)) {}

std::optional<ObjectTable::Grant> ObjectTable::Allocate(ProcessId lessee, ProcessId owner,
                                                        uint64_t size) {
  if (free_slots_.empty() && records_.size() == slots_.size()) return std::nullopt;
  const auto extent = extents_.Allocate(size);
  if (!extent) return std::nullopt;
  uint32_t index;
  if (free_slots_.empty()) {
    index = static_cast<uint32_t>(records_.size());
    records_.emplace_back();
  } else {
    index = free_slots_.back();
    free_slots_.pop_back();
  }
  Record& record = records_[index];
  record.state = State::kLive;
  ++record.generation;
  record.size = size;
  record.extent = *extent;
  record.owner = owner;
  record.lessee = lessee;
  Link(index);
  ++in_use_;
  Slot& slot = slots_[index];
  slot.offset = extent->offset;
  slot.size = size;
  slot.owner = owner.value;
  slot.word.store(ObjectWord(record.generation, ObjectState::kWriting), std::memory_order_seq_cst);
  return Grant{index, record.generation, extent->offset, size};
}

bool ObjectTable::IsWriting(uint32_t slot) const {
  return slots_[slot].word.load(std::memory_order_seq_cst) ==
         ObjectWord(records_[slot].generation, ObjectState::kWriting);
}

bool ObjectTable::Free(ProcessId by, uint32_t slot, uint32_t generation) {
  if (slot >= records_.size()) return false;
  const Record& record = records_[slot];
  if (record.state != State::kLive || record.generation != generation) return false;
  if (IsWriting(slot) && record.lessee && record.lessee != by) {
    Doom(slot);
  } else {
    MarkDying(slot);
  }
  return true;
}

void ObjectTable::MarkDying(uint32_t slot) {
  Record& record = records_[slot];
  record.state = State::kDying;
  slots_[slot].word.store(ObjectWord(record.generation, ObjectState::kDying),
                          std::memory_order_seq_cst);
  dying_.push_back(slot);
}

void ObjectTable::Doom(uint32_t slot) {
  records_[slot].state = State::kDoomed;
  doomed_.push_back(slot);
}

void ObjectTable::MarkDoomed() {
  std::erase_if(doomed_, [&](uint32_t slot) {
    const Record& record = records_[slot];
    if (record.state == State::kDoomed) {
      if (record.lessee && IsWriting(slot)) return false;
      MarkDying(slot);
    }
    return true;
  });
}

bool ObjectTable::Reclaim(const std::vector<uint64_t>& pins) {
  bool any = false;
  std::erase_if(dying_, [&](uint32_t slot) {
    const auto pin = std::lower_bound(pins.begin(), pins.end(), shm::PinWord(slot, 0));
    if (pin != pins.end() && *pin >> 32 == uint64_t{slot} + 1) return false;
    Record& record = records_[slot];
    UnlinkOwner(slot);
    UnlinkLessee(slot);
    extents_.Free(record.extent);
    slots_[slot].word.store(ObjectWord(record.generation, ObjectState::kFree),
                            std::memory_order_seq_cst);
    record.state = State::kFree;
    free_slots_.push_back(slot);
    --in_use_;
    any = true;
    return true;
  });
  return any;
}

std::map<ProcessId, SlotList> ObjectTable::ProcessGone(ProcessId process) {
  std::map<ProcessId, SlotList> missed;
  auto found = processes_.find(process);
  if (found == processes_.end()) return missed;
  for (uint32_t slot = found->second.leased; slot != kNone;) {
    Record& record = records_[slot];
    const uint32_t next = record.lessee_next;
    if (record.state == State::kLive) {
      if (IsWriting(slot)) {
        MarkDying(slot);
      } else if (record.owner != process) {
        missed[record.owner].emplace_back(slot, record.generation);
      }
    }
    UnlinkLessee(slot);
    slot = next;
  }
  found = processes_.find(process);
  if (found == processes_.end()) return missed;
  for (uint32_t slot = found->second.owned; slot != kNone;) {
    Record& record = records_[slot];
    const uint32_t next = record.owner_next;
    if (record.state == State::kLive) {
      if (record.lessee && IsWriting(slot)) {
        Doom(slot);
      } else {
        MarkDying(slot);
      }
    }
    slot = next;
  }
  return missed;
}

// ---- Lists ---------------------------------------------------------------------------------------------

void ObjectTable::Link(uint32_t slot) {
  Record& record = records_[slot];
  PerProcess& owner = processes_[record.owner];
  record.owner_previous = kNone;
  record.owner_next = owner.owned;
  if (owner.owned != kNone) records_[owner.owned].owner_previous = slot;
  owner.owned = slot;
  ++owner.owned_objects;
  owner.owned_bytes += record.extent.size;
  PerProcess& lessee = processes_[record.lessee];
  record.lessee_previous = kNone;
  record.lessee_next = lessee.leased;
  if (lessee.leased != kNone) records_[lessee.leased].lessee_previous = slot;
  lessee.leased = slot;
}

void ObjectTable::UnlinkOwner(uint32_t slot) {
  Record& record = records_[slot];
  PerProcess& owner = processes_[record.owner];
  if (record.owner_previous != kNone) {
    records_[record.owner_previous].owner_next = record.owner_next;
  } else {
    owner.owned = record.owner_next;
  }
  if (record.owner_next != kNone) {
    records_[record.owner_next].owner_previous = record.owner_previous;
  }
  --owner.owned_objects;
  owner.owned_bytes -= record.extent.size;
  ForgetIfEmpty(record.owner);
}

void ObjectTable::UnlinkLessee(uint32_t slot) {
  Record& record = records_[slot];
  if (!record.lessee) return;  // its lessee is dead
  PerProcess& lessee = processes_[record.lessee];
  if (record.lessee_previous != kNone) {
    records_[record.lessee_previous].lessee_next = record.lessee_next;
  } else {
    lessee.leased = record.lessee_next;
  }
  if (record.lessee_next != kNone) {
    records_[record.lessee_next].lessee_previous = record.lessee_previous;
  }
  ForgetIfEmpty(record.lessee);
  record.lessee = {};
}

void ObjectTable::ForgetIfEmpty(ProcessId process) {
  const auto found = processes_.find(process);
  if (found != processes_.end() && found->second.owned == kNone && found->second.leased == kNone) {
    processes_.erase(found);
  }
}

// ---- For people ----------------------------------------------------------------------------------------

std::vector<ObjectTable::Holding> ObjectTable::LargestHolders(
    size_t count, const std::vector<std::pair<ProcessId, uint64_t>>& pins) const {
  std::map<std::pair<ProcessId, bool>, Holding> holdings;
  const auto add = [&](ProcessId process, bool reads, const Record& record) {
    Holding& holding = holdings[{process, reads}];
    holding.process = process;
    holding.reads = reads;
    holding.bytes += record.size;
    ++holding.objects;
  };
  for (const Record& record : records_) {
    if (record.state == State::kLive) add(record.owner, false, record);
  }
  std::set<std::pair<ProcessId, uint64_t>> seen;
  for (const auto& [process, pin] : pins) {
    const uint64_t slot = (pin >> 32) - 1;
    if (slot >= records_.size() || !seen.emplace(process, slot).second) continue;
    const Record& record = records_[slot];
    if (record.state != State::kLive && record.state != State::kFree) add(process, true, record);
  }
  std::vector<Holding> holders;
  for (const auto& [key, holding] : holdings) holders.push_back(holding);
  std::sort(holders.begin(), holders.end(),
            [](const Holding& a, const Holding& b) { return a.bytes > b.bytes; });
  if (holders.size() > count) holders.resize(count);
  return holders;
}

std::vector<ObjectTable::Info> ObjectTable::List(size_t limit) const {
  std::vector<Info> list;
  for (uint32_t slot = 0; slot < records_.size() && list.size() < limit; ++slot) {
    const Record& record = records_[slot];
    if (record.state == State::kFree) continue;
    const char* state = "dying";
    if (record.state == State::kLive) state = IsWriting(slot) ? "writing" : "sealed";
    list.push_back({slot, record.generation, record.size, record.owner, record.lessee, state});
  }
  return list;
}

void ObjectTable::CheckInvariants() const {
  extents_.CheckInvariants();
  uint64_t bytes = 0;
  uint32_t in_use = 0;
  size_t ending = 0;
  for (const Record& record : records_) {
    if (record.state == State::kFree) continue;
    ++in_use;
    bytes += record.extent.size;
    if (record.state != State::kLive) ++ending;
  }
  uint32_t listed = 0;
  for (const auto& [process, per] : processes_) listed += per.owned_objects;
  if (in_use != in_use_ || bytes != extents_.used() || ending != dying_.size() + doomed_.size() ||
      listed != in_use || free_slots_.size() + in_use != records_.size()) {
    std::fprintf(stderr, "ObjectTable: the books do not balance\n");
    std::abort();
  }
}

}  // namespace manta::node
