// The lock over a process's owner state: held for tens of nanoseconds, never across a system call that waits.
#pragma once

#include <sched.h>

#include <atomic>

namespace manta::worker {

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Meets the standard's Lockable. A waiter spins briefly, then yields its core, since the holder may have been preempted.
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
    for (int spins = 0; locked_.load(std::memory_order_relaxed);) {
      if (++spins < 200) {
        CpuRelax();
      } else {
        sched_yield();
      }
    }
  }

  std::atomic<bool> locked_{false};
};

}  // namespace manta::worker
