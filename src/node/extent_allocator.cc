#include "node/extent_allocator.h"

#include <algorithm>
#include <iterator>

#include "base/invariants.h"

namespace manta::node {
namespace {

constexpr Invariants Require{"ExtentAllocator"};

}  // namespace

// The cold rest, [cold_from_, end), stands in neither `free_` nor the indices.
ExtentAllocator::ExtentAllocator(const Options& options)
    : options_(options), cold_from_(options.begin) {
  options_.end = options_.begin + (options_.end - options_.begin) / options_.granule * options_.granule;
}

uint64_t ExtentAllocator::RoundUp(uint64_t size) const {
  if (size == 0) size = 1;
  return (size + options_.granule - 1) / options_.granule * options_.granule;
}

uint64_t ExtentAllocator::AlignedStart(uint64_t offset) const {
  return (offset + options_.large_alignment - 1) / options_.large_alignment *
         options_.large_alignment;
}

uint64_t ExtentAllocator::AlignedSize(uint64_t offset, uint64_t size) const {
  const uint64_t skipped = AlignedStart(offset) - offset;
  return skipped < size ? size - skipped : 0;
}

void ExtentAllocator::Insert(uint64_t offset, uint64_t size, uint64_t freed_at) {
  if (size == 0) return;
  free_[offset] = {size, freed_at};
  by_size_.emplace(size, ~freed_at, offset);
  const uint64_t aligned = AlignedSize(offset, size);
  if (aligned >= options_.large) by_aligned_.emplace(aligned, ~freed_at, offset);
}

void ExtentAllocator::Erase(FreeMap::iterator extent) {
  const auto [offset, free] = *extent;
  by_size_.erase({free.size, ~free.freed_at, offset});
  by_aligned_.erase({AlignedSize(offset, free.size), ~free.freed_at, offset});
  free_.erase(extent);
}

ExtentAllocator::FreeMap::iterator ExtentAllocator::Find(const SizeIndex& index, uint64_t size) {
  const auto found = index.lower_bound({size, 0, 0});
  return found == index.end() ? free_.end() : free_.find(std::get<2>(*found));
}

std::optional<ExtentAllocator::Extent> ExtentAllocator::Allocate(uint64_t size) {
  if (size > capacity()) return std::nullopt;
  size = RoundUp(size);
  const bool large = size >= options_.large;
  const auto warm = Find(large ? by_aligned_ : by_size_, size);
  if (warm != free_.end()) {
    const auto [offset, free] = *warm;
    Erase(warm);
    const uint64_t start = large ? AlignedStart(offset) : offset;
    Insert(offset, start - offset, free.freed_at);
    Insert(start + size, offset + free.size - (start + size), free.freed_at);
    used_ += size;
    return Extent{start, size};
  }

  // A warm extent that touches the cold rest lends its part.
  uint64_t begin = cold_from_;
  uint64_t freed_at = counter_;
  auto last = free_.empty() ? free_.end() : std::prev(free_.end());
  if (last != free_.end() && last->first + last->second.size == cold_from_) {
    begin = last->first;
    freed_at = last->second.freed_at;
  } else {
    last = free_.end();
  }
  const uint64_t start = large ? AlignedStart(begin) : begin;
  if (start > options_.end || options_.end - start < size) return std::nullopt;
  if (last != free_.end()) Erase(last);
  // An alignment gap between warm and cold has no memory behind it, but is kept with the warm ones: the next small one takes it.
  Insert(begin, start - begin, freed_at);
  // A warm extent long enough was found above, so this one reaches beyond cold_from_.
  cold_from_ = start + size;
  used_ += size;
  return Extent{start, size};
}

void ExtentAllocator::Free(const Extent& extent) {
  Require(extent.size > 0 && used_ >= extent.size, "freed more than was allocated");
  uint64_t begin = extent.offset;
  uint64_t end = extent.offset + extent.size;
  auto next = free_.lower_bound(begin);
  if (next != free_.begin()) {
    const auto previous = std::prev(next);
    Require(previous->first + previous->second.size <= begin, "freed twice");
    if (previous->first + previous->second.size == begin) {
      begin = previous->first;
      Erase(previous);
    }
  }
  if (next != free_.end()) {
    Require(next->first >= end, "freed twice");
    if (next->first == end) {
      end += next->second.size;
      Erase(next);
    }
  }
  used_ -= extent.size;
  Insert(begin, end - begin, ++counter_);
}

uint64_t ExtentAllocator::largest_free() const {
  uint64_t largest = by_size_.empty() ? 0 : std::get<0>(*by_size_.rbegin());
  uint64_t tail = options_.end - cold_from_;
  if (!free_.empty()) {
    const auto& [offset, free] = *free_.rbegin();
    if (offset + free.size == cold_from_) tail += free.size;
  }
  return std::max(largest, tail);
}

void ExtentAllocator::CheckInvariants() const {
  uint64_t free_bytes = options_.end - cold_from_;
  uint64_t previous_end = 0;
  bool first = true;
  for (const auto& [offset, free] : free_) {
    Require(free.size > 0 && free.size % options_.granule == 0, "odd size");
    Require(first || offset > previous_end, "free extents touch or overlap");
    Require(offset >= options_.begin && offset + free.size <= cold_from_, "out of range");
    Require(by_size_.count({free.size, ~free.freed_at, offset}) == 1, "not in the index");
    previous_end = offset + free.size;
    free_bytes += free.size;
    first = false;
  }
  Require(by_size_.size() == free_.size(), "index of another size");
  Require(used_ + free_bytes == capacity(), "bytes lost");
}

}  // namespace manta::node
