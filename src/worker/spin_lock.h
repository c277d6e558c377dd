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
  [[gnu::always_inline]] void lock() {
    if (__builtin_expect(locked_.exchange(true, std::memory_order_acquire), 0)) LockSlowly();
  }
  bool try_lock() {
    return !locked_.load(std::memory_order_relaxed) &&
           !locked_.exchange(true, std::memory_order_acquire);
  }
  // [lock] How often, so far, somebody has waited so long that it yielded its core.
  uint32_t long_waits() const { return long_waits_; }
  void unlock() { locked_.store(false, std::memory_order_release); }

 private:
  [[gnu::noinline, gnu::cold]] void LockSlowly() {
    bool yielded = false;
    do {
      yielded |= Wait();
    } while (locked_.exchange(true, std::memory_order_acquire));
    if (yielded) ++long_waits_;
  }
  // Whether it yielded.
  bool Wait() {
    bool yielded = false;
    constexpr uint32_t kFirstPause = 16;  // instructions of some tens of nanoseconds each
    constexpr uint32_t kLongestPause = 256;
    for (uint32_t pause = kFirstPause; locked_.load(std::memory_order_relaxed);) {
      for (uint32_t i = 0; i < pause; ++i) CpuRelax();
      if (pause < kLongestPause) {
        pause *= 2;
      } else {
        sched_yield();
        yielded = true;
      }
    }
    return yielded;
  }

  std::atomic<bool> locked_{false};
  uint32_t long_waits_ = 0;
};

}  // namespace manta::worker
