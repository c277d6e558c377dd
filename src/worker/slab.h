// Records that never move, known by index, with a free list through the records.
#pragma once

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace manta::worker {

// Chunks are aligned to their size, and the first record's place holds a `Home*`, so that a record's address leads to the
// table that it belongs to. T is constructed once, when its chunk is made, and then told its index, by SetIndex. It needs a `T* free_next`,
// which may share its place with what only a record in use has.
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
  [[gnu::always_inline]] T* Allocate() {
    if (__builtin_expect(free_ == nullptr, 0)) Grow();
    T* record = free_;
    free_ = record->free_next;
    // The next one, for the next call: with some hundred in use it has left the first cache.
    for (size_t line = 0; line < sizeof(T); line += 64) {
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(free_) + line), 1);  // nullptr + line is fine, too
    }
    ++used_;
    return record;
  }

  void Free(T* record) {
    record->free_next = free_;
    free_ = record;
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
  [[gnu::noinline, gnu::cold]] void Grow() {
    void* chunk = std::aligned_alloc(kChunkBytes, kChunkBytes);
    if (chunk == nullptr) throw std::bad_alloc();
    *static_cast<Home**>(chunk) = home_;
    const uint32_t first = static_cast<uint32_t>(chunks_.size()) * kPerChunk;
    chunks_.push_back(chunk);
    for (uint32_t i = kPerChunk - 1; i >= 1; --i) {
      T* record = new (At(first + i)) T();
      record->SetIndex(first + i);
      record->free_next = free_;
      free_ = record;
    }
  }

  Home* home_;
  std::vector<void*> chunks_;
  T* free_ = nullptr;
  uint32_t used_ = 0;
};

}  // namespace manta::worker
