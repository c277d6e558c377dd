// Pages for a large object before it is written: a write into fresh memory faults for each page, by the thread that writes, and that
// costs ten times what the copy costs. Asked for at once and by several threads, pages come several times faster.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace manta::worker {

// Remembers which blocks of the arena this process has populated, so that warm space is not walked again. Thread-safe.
class PagePopulator {
 public:
  // `memory` is the writable view of an arena of `bytes`, and stays mapped; `cores` bounds the threads.
  PagePopulator(unsigned char* memory, uint64_t bytes, uint32_t cores);
  ~PagePopulator();

  // Maps and allocates the pages of [offset, offset + size) as far as that pays; the last of them come while the caller writes the first.
  // Never fails: what could not be had is left to the faults of whoever writes.
  void Populate(uint64_t offset, uint64_t size);

 private:
  static constexpr uint64_t kBlockBytes = 2 * 1024 * 1024;
  // A smaller object is written before threads have started.
  static constexpr uint64_t kLeastBytes = 8 * 1024 * 1024;
  static constexpr uint32_t kMostThreads = 4;
  // As many times faster a thread copies than it populates, or a little less: a helper that comes late leaves faults to who copies.
  static constexpr uint64_t kCopySpeed = 8;

  struct Job {
    std::atomic<uint64_t> next;
    const uint64_t end;
  };

  void Populate(Job* job, uint64_t end);
  void JoinHelpers();

  unsigned char* const memory_;
  const uint64_t bytes_;
  const uint32_t threads_;
  const std::unique_ptr<std::atomic<bool>[]> populated_;  // by block
  std::mutex mutex_;
  std::vector<std::thread> helpers_;  // of the last object
};

}  // namespace manta::worker
