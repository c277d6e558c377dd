// The task that the main thread runs, for a front-end that can stop it in the middle.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/ids.h"

namespace manta::worker {

// Begins and Ends are for the main thread and cost a store and an exchange, Interrupt is for any other.
class RunningTask {
 public:
  // Before anything runs. `stop` is called while the task runs, which does not end before that has returned.
  void set_stop(void (*stop)()) { stop_ = stop; }

  void Begins(const ObjectId& task) {
    if (stop_ != nullptr) running_.store(WordOf(task), std::memory_order_seq_cst);
  }
  void Ends() {
    if (stop_ == nullptr) return;
    for (uint64_t word = running_.load(std::memory_order_relaxed);;) {
      if ((word & kBeingStopped) != 0) {
        word = running_.load(std::memory_order_relaxed);
      } else if (running_.compare_exchange_weak(word, 0, std::memory_order_acq_rel)) {
        return;
      }
    }
  }
  // If `task` runs.
  void Interrupt(const ObjectId& task) {
    if (stop_ == nullptr) return;
    uint64_t word = WordOf(task);
    if (!running_.compare_exchange_strong(word, word | kBeingStopped, std::memory_order_acq_rel)) return;
    stop_();
    running_.store(word, std::memory_order_release);
  }

 private:
  static constexpr uint64_t kBeingStopped = 1;
  // Not 0, which is nothing. That two ids have one word is as likely as that a guess of 62 bits is right.
  static uint64_t WordOf(const ObjectId& task) { return std::hash<ObjectId>()(task) << 2 | 2; }

  void (*stop_)() = nullptr;
  std::atomic<uint64_t> running_{0};
};

}  // namespace manta::worker
