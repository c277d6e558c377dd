// The processor's clock: cheap enough to read twice per task, the same for all processes of a machine.
#pragma once

#include <cstdint>

#include "worker/clock.h"

namespace manta::worker {

inline uint64_t NowTicks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#endif
}

// Learns the length of a tick by comparing both clocks since its construction. Not thread-safe.
class TickClock {
 public:
  TickClock() : first_ticks_(NowTicks()), first_ns_(NowNs()) {}

  int64_t ToNs(uint64_t ticks) {
    if (!settled_) Calibrate();
    return static_cast<int64_t>(static_cast<double>(ticks) * ns_per_tick_);
  }

 private:
  void Calibrate() {
    const int64_t elapsed = NowNs() - first_ns_;
    if (elapsed < 100'000) return;  // too short to tell: 1 ns per tick is near enough to begin with
    ns_per_tick_ = static_cast<double>(elapsed) / static_cast<double>(NowTicks() - first_ticks_);
    settled_ = elapsed > 100'000'000;
  }

  uint64_t first_ticks_;
  int64_t first_ns_;
  double ns_per_tick_ = 1;
  bool settled_ = false;
};

}  // namespace manta::worker
