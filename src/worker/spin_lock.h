// The lock over a process's owner state: held for tens of nanoseconds, never across a system call that waits.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

namespace manta::worker {

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Meets the standard's Lockable. A waiter looks again after a pause that grows, without touching the lock meanwhile: so a thread that
// takes the lock again and again keeps it and what it guards in its cache for some dozens of turns, where handing over at each turn would
// cost more than the work. It yields its core in the end, since the holder may have been preempted.
class SpinLock {
 public:
  void lock() {
    while (locked_.exchange(true, std::memory_order_acquire)) Wait();
  }
  bool try_lock() {
    return !locked_.load(std::memory_order_relaxed) &&
           !locked_.exchange(true, std::memory_order_acquire);
  }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  void Wait() {
    constexpr uint32_t kFirstPause = 16;  // instructions of some tens of nanoseconds each
    constexpr uint32_t kLongestPause = 256;
    for (uint32_t pause = kFirstPause; locked_.load(std::memory_order_relaxed);) {
      for (uint32_t i = 0; i < pause; ++i) CpuRelax();
      if (pause < kLongestPause) {
        pause *= 2;
      } else {
        sched_yield();
      }
    }
  }

  std::atomic<bool> locked_{false};
};

}  // namespace manta::worker
