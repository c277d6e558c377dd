// The atomics policy of shared-memory structures.
//
// Every structure of this folder is a template over a policy `A`, so that the same code runs on real memory
// (RealAtomics) and in the interleaving explorer (testing/explorer), which tries all orders of the steps of small
// scenarios, weak memory and crashes included. A policy provides
//   A::Atomic<T>   load, store, exchange, compare_exchange_strong as std::atomic, and layout-compatible with T;
//   A::Plain<T>    data that is published by an Atomic: Get() and Set();
//   A::Fence()     a sequentially consistent fence.
#pragma once

#include <atomic>
#include <cstdint>

namespace manta::shm {

struct RealAtomics {
  template <class T>
  using Atomic = std::atomic<T>;

  template <class T>
  class Plain {
   public:
    T Get() const { return value_; }
    void Set(T value) { value_ = value; }

   private:
    T value_{};
  };

  static void Fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
};

static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4);
static_assert(std::atomic<uint64_t>::is_always_lock_free && sizeof(std::atomic<uint64_t>) == 8);

inline constexpr uint32_t kCacheLine = 64;

// The producer of a ring fetches so many entries in advance: the consumer was the last to write or read them, and getting a line from
// another core takes as long as several entries take to make.
inline constexpr uint32_t kEntriesAhead = 4;

// Asks for a line that will be written soon. A hint: never faults, and orders nothing.
inline void PrefetchForWriting(const void* line) {
#if defined(__x86_64__)
  // The builtin takes this for missing in the baseline and fetches for reading; where it is missing it does nothing.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

}  // namespace manta::shm
