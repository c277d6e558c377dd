// Recycles the memory of small values that Get returns, so that a loop of calls does not go through
// malloc for each result.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace manta {
inline namespace v1 {
namespace detail {

// Each thread keeps a few free blocks of each of three sizes. All blocks come from operator new and
// any thread may free any block, so it does not matter where the last shared_ptr dies. A block
// freed while its thread ends, or after, goes back to operator delete.
class FreeBlocks {
 public:
  static constexpr size_t kLargest = 256;

  // `size` is at most kLargest.
  static void* Allocate(size_t size) {
    List& list = lists_[ClassOf(size)];
    Block* block = list.first;
    if (block == nullptr) return ::operator new(SizeOf(ClassOf(size)));
    list.first = block->next;
    --list.count;
    return block;
  }

  // `size` is the one given to Allocate.
  static void Free(void* memory, size_t size) noexcept {
    if (state_ != State::kOpen && !Open()) {
      ::operator delete(memory);
      return;
    }
    List& list = lists_[ClassOf(size)];
    if (list.count == kMaxCount) {
      ::operator delete(memory);
      return;
    }
    list.first = new (memory) Block{list.first};
    ++list.count;
  }

 private:
  static constexpr unsigned kMaxCount = 64;

  struct Block {
    Block* next;
  };
  struct List {
    Block* first;
    unsigned count;
  };
  enum class State : unsigned char { kNew, kOpen, kClosed };

  static constexpr size_t ClassOf(size_t size) { return size <= 64 ? 0 : size <= 128 ? 1 : 2; }
  static constexpr size_t SizeOf(size_t size_class) { return size_t{64} << size_class; }

  // Arranges for the lists to be emptied when the thread ends. False if that has happened already.
  [[gnu::noinline]] static bool Open() noexcept {
    struct Closer {
      ~Closer() { Close(); }
    };
    if (state_ == State::kClosed) return false;
    static thread_local Closer closer;
    static_cast<void>(&closer);
    state_ = State::kOpen;
    return true;
  }

  static void Close() noexcept {
    state_ = State::kClosed;
    for (List& list : lists_) {
      while (Block* block = list.first) {
        list.first = block->next;
        ::operator delete(block);
      }
      list.count = 0;
    }
  }

  // Without constructors and destructors, so that they can be used at any time of a thread's life.
  static inline thread_local List lists_[3] = {};
  static inline thread_local State state_ = State::kNew;
};

// For std::allocate_shared.
template <class T>
struct FreeListAllocator {
  using value_type = T;

  FreeListAllocator() noexcept = default;
  template <class U>
  FreeListAllocator(const FreeListAllocator<U>&) noexcept {}

  T* allocate(size_t count) {
    if constexpr (kRecycles) {
      if (count == 1) return static_cast<T*>(FreeBlocks::Allocate(sizeof(T)));
    }
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* memory, size_t count) noexcept {
    if constexpr (kRecycles) {
      if (count == 1) return FreeBlocks::Free(memory, sizeof(T));
    }
    std::allocator<T>().deallocate(memory, count);
  }

  template <class U>
  bool operator==(const FreeListAllocator<U>&) const noexcept {
    return true;
  }
  template <class U>
  bool operator!=(const FreeListAllocator<U>&) const noexcept {
    return false;
  }

 private:
#ifdef __SANITIZE_ADDRESS__
  static constexpr bool kRecycles = false;  // recycling would hide uses after free
#else
  static constexpr bool kRecycles =
      sizeof(T) <= FreeBlocks::kLargest && alignof(T) <= alignof(std::max_align_t);
#endif
};

}  // namespace detail
}  // namespace v1
}  // namespace manta
