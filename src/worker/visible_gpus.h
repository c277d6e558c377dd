// Which GPUs the code in this worker sees.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace manta::worker {

// Sets CUDA_VISIBLE_DEVICES, which CUDA reads when a process first uses it: the daemon ends a worker that had GPUs when its lease
// ends, so that a process never sees two sets of them. If the variable came with a list (the operator gave the node some of the
// machine's GPUs), GPU i of the node is its i-th entry. On a node without GPUs the variable is left alone, as where the environment says
// RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES=1.
//
// Show is for the thread that runs tasks, between two of them; gpus for any thread.
class VisibleGpus {
 public:
  explicit VisibleGpus(bool node_has_gpus);

  void Show(uint64_t mask) {
    if (__builtin_expect(mask != mask_.load(std::memory_order_relaxed), 0)) Change(mask);
  }
  uint64_t gpus() const { return mask_.load(std::memory_order_relaxed); }

 private:
  void Change(uint64_t mask);

  std::vector<std::string> inherited_;
  std::atomic<uint64_t> mask_{0};
};

}  // namespace manta::worker
