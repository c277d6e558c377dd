// Records that never move, handed out by index, with a free list through the records.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace manta::worker {

// Chunks are aligned to their size, and the first record's place holds a `Home*`, so that a record's address leads to the
// table that it belongs to. T needs a `uint32_t slab_next` and is constructed once, when its chunk is made.
// Not thread-safe: the caller's lock.
template <class T, class Home, uint32_t kChunkBytes = 256 * 1024>
class Slab {
  static_assert((kChunkBytes & (kChunkBytes - 1)) == 0);

 public:
  // A power of two, for cheap look-ups; the rest of a chunk is never touched.
  static constexpr uint32_t kPerChunk = std::bit_floor(kChunkBytes / static_cast<uint32_t>(sizeof(T)));

  explicit Slab(Home* home) : home_(home) {}
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() {
    for (void* chunk : chunks_) std::free(chunk);
  }

  // Index 0 is never handed out. Throws std::bad_alloc.
  T* Allocate(uint32_t* index) {
    if (__builtin_expect(free_ == 0, 0)) Grow();
    *index = free_;
    T* record = At(free_);
    free_ = record->slab_next;
    ++used_;
    return record;
  }

  // `record` is At(index).
  void Free(uint32_t index, T* record) {
    record->slab_next = free_;
    free_ = index;
    --used_;
  }

  T* At(uint32_t index) const {
    return reinterpret_cast<T*>(static_cast<char*>(chunks_[index / kPerChunk]) +
                                size_t{index % kPerChunk} * sizeof(T));
  }

  bool Contains(uint32_t index) const {
    return index / kPerChunk < chunks_.size() && index % kPerChunk != 0;
  }

  // Every record that was ever made, in use or not.
  template <class Use>
  void ForEach(Use use) const {
    for (uint32_t chunk = 0; chunk < chunks_.size(); ++chunk) {
      for (uint32_t i = 1; i < kPerChunk; ++i) use(chunk * kPerChunk + i, *At(chunk * kPerChunk + i));
    }
  }

  static Home* HomeOf(const T* record) {
    return *reinterpret_cast<Home**>(reinterpret_cast<uintptr_t>(record) & ~uintptr_t{kChunkBytes - 1});
  }

  uint32_t used() const { return used_; }

 private:
  void Grow() {
    void* chunk = std::aligned_alloc(kChunkBytes, kChunkBytes);
    if (chunk == nullptr) throw std::bad_alloc();
    *static_cast<Home**>(chunk) = home_;
    const uint32_t first = static_cast<uint32_t>(chunks_.size()) * kPerChunk;
    chunks_.push_back(chunk);
    for (uint32_t i = kPerChunk - 1; i >= 1; --i) {
      T* record = new (At(first + i)) T();
      record->slab_next = free_;
      free_ = first + i;
    }
  }

  Home* home_;
  std::vector<void*> chunks_;
  uint32_t free_ = 0;
  uint32_t used_ = 0;
};

}  // namespace manta::worker
