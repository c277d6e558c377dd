// Whether a task that waits in many short waits waits, taken together: it lends its CPU then, as one does that waits once and long.
#pragma once

#include <algorithm>
#include <cstdint>

#include "worker/clock.h"

namespace manta::worker {

// Of one task; on its thread. A clock for the time on the CPU is read once in half a millisecond at most.
class WaitHistory {
 public:
  // A task that waits for less keeps its CPU: lending it out and taking it back would start workers for nothing.
  static constexpr int64_t kLendAfterNs = 5'000'000;
  // Who asks again so soon after it gave up has done nothing else meanwhile.
  static constexpr int64_t kAtOnceNs = 50'000;

  // A wait with a limit begins at `now` (CLOCK_MONOTONIC). `cpu` gives the time that this thread has spent on a CPU.
  template <typename Cpu>
  void Begin(int64_t now, const Cpu& cpu) {
    began_ = now;
    if (gave_up_at_ == 0) return;
    const int64_t gap = now - gave_up_at_;
    if (gap <= kAtOnceNs) {
      Add(gap);
    } else if (gap < kReadAgainNs) {
      Add(-gap);
    } else {
      Add(gap - 2 * (cpu() - cpu_));
    }
  }
  void Begin(int64_t now) { Begin(now, ThreadCpuNs); }

  // It has ended without what it was for.
  template <typename Cpu>
  void GaveUp(int64_t now, const Cpu& cpu) {
    Add(now - began_);
    gave_up_at_ = now;
    if (now - read_at_ < kReadAgainNs) return;
    read_at_ = now;
    cpu_ = cpu();
  }
  void GaveUp(int64_t now) { GaveUp(now, ThreadCpuNs); }

  // When a wait that has slept since `parked_at` makes the task lend its CPU.
  int64_t LendsAt(int64_t parked_at) const {
    // The daemon may have found out that the task runs, and needs to be told again, but not all the time.
    const int64_t again = lent_at_ == 0 ? 0 : lent_at_ + kLendAfterNs;
    return std::max(again, parked_at + std::max<int64_t>(kLendAfterNs - idle_, 0));
  }

  // The daemon has been told at `now`, in a wait that gave up: it finds out by itself when the task runs on.
  void Lent(int64_t now) { lent_at_ = now; }
  void TookBack() { lent_at_ = 0; }
  bool lent() const { return lent_at_ != 0; }

 private:
  static constexpr int64_t kReadAgainNs = 500'000;
  // What a task did longer ago than it takes to fill this does not count.
  static constexpr int64_t kMostNs = 2 * kLendAfterNs;

  void Add(int64_t idle) { idle_ = std::clamp<int64_t>(idle_ + idle, 0, kMostNs); }

  int64_t idle_ = 0;  // in waits that gave up and between them, less what it ran
  int64_t began_ = 0;
  int64_t gave_up_at_ = 0;  // 0: never
  int64_t read_at_ = 0;
  int64_t cpu_ = 0;  // as of read_at_
  int64_t lent_at_ = 0;
};

}  // namespace manta::worker
