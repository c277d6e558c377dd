// Blocks for values and payloads that do not fit into a record: free lists by size class over malloc.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace manta::worker {

// Blocks are recycled, never returned, up to 16 KiB; larger ones go to malloc and back. The caller remembers the size.
// Not thread-safe: the caller's lock.
class SmallHeap {
 public:
  SmallHeap() = default;
  SmallHeap(const SmallHeap&) = delete;
  SmallHeap& operator=(const SmallHeap&) = delete;
  ~SmallHeap() {
    for (Block* block : free_) {
      while (block != nullptr) {
        Block* next = block->next;
        std::free(block);
        block = next;
      }
    }
  }

  void* Allocate(size_t size) {
    if (size <= kLargest) {
      Block*& head = free_[ClassOf(size)];
      if (head != nullptr) {
        Block* block = head;
        head = block->next;
        return block;
      }
      size = size_t{kSmallest} << ClassOf(size);
    }
    void* block = std::malloc(size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
  }

  void Free(void* memory, size_t size) {
    if (size > kLargest) {
      std::free(memory);
      return;
    }
    Block*& head = free_[ClassOf(size)];
    head = new (memory) Block{head};
  }

 private:
  struct Block {
    Block* next;
  };
  static constexpr size_t kSmallest = 64;
  static constexpr size_t kLargest = 16 * 1024;

  static unsigned ClassOf(size_t size) {
    return size <= kSmallest ? 0 : static_cast<unsigned>(std::bit_width((size - 1) / kSmallest));
  }

  std::array<Block*, 9> free_{};
};

}  // namespace manta::worker
