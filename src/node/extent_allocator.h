// Which parts of a range are in use. Pure: offsets only, no memory behind them.
//
// Small requests are rounded up to the granule; those of at least `large` start at multiples of `large_alignment` (huge pages).
// Best fit; among equals the one freed last, whose pages are warm in caches. What was never handed out (cold: its pages do not
// exist yet) is used only when nothing else fits, so that a steady load stays on the pages that it has touched.
// All operations are O(log n) in the number of free extents.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>

namespace manta::node {

class ExtentAllocator {
 public:
  struct Options {
    uint64_t begin = 0;  // multiple of granule
    uint64_t end = 0;
    uint64_t granule = 4 << 10;
    // Of smaller ones the gaps in front would be a good part of the whole.
    uint64_t large = 32 << 20;
    uint64_t large_alignment = 2 << 20;
  };
  struct Extent {
    uint64_t offset = 0;
    uint64_t size = 0;  // as given out: rounded up
  };

  explicit ExtentAllocator(const Options& options);

  // Nothing when no free extent is long enough. A request of zero bytes takes one granule.
  std::optional<Extent> Allocate(uint64_t size);
  // Exactly what Allocate returned.
  void Free(const Extent& extent);

  uint64_t RoundUp(uint64_t size) const;
  uint64_t capacity() const { return options_.end - options_.begin; }
  uint64_t used() const { return used_; }
  uint64_t largest_free() const;
  // Everything from here on was never handed out.
  uint64_t cold_from() const { return cold_from_; }

  // Aborts if free extents overlap, touch each other, or disagree with `used`.
  void CheckInvariants() const;

 private:
  struct Free_ {
    uint64_t size;
    uint64_t freed_at;  // a counter; larger is later
  };
  using FreeMap = std::map<uint64_t, Free_>;
  // (usable size, age: later first, offset)
  using SizeIndex = std::set<std::tuple<uint64_t, uint64_t, uint64_t>>;

  uint64_t AlignedStart(uint64_t offset) const;
  uint64_t AlignedSize(uint64_t offset, uint64_t size) const;
  void Insert(uint64_t offset, uint64_t size, uint64_t freed_at);
  void Erase(FreeMap::iterator extent);
  // The extent of `index` to cut `size` from.
  FreeMap::iterator Find(const SizeIndex& index, uint64_t size);

  Options options_;
  FreeMap free_;           // by offset
  SizeIndex by_size_;      // all but the cold rest
  SizeIndex by_aligned_;   // the same by what is left from the first aligned offset on, where that holds a large one
  uint64_t cold_from_;     // the free extent that reaches the end may be warm in front
  uint64_t used_ = 0;
  uint64_t counter_ = 0;
};

}  // namespace manta::node
