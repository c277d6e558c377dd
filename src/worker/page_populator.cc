#include "worker/page_populator.h"

#include <sys/mman.h>

#include <algorithm>
#include <system_error>
#include <utility>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older kernels refuse it
#endif

namespace manta::worker {

PagePopulator::PagePopulator(unsigned char* memory, uint64_t bytes, uint32_t cores)
    : memory_(memory),
      bytes_(bytes),
      threads_(std::clamp(cores, 1u, kMostThreads)),
      populated_(std::make_unique<std::atomic<bool>[]>(bytes / kBlockBytes + 1)) {}

PagePopulator::~PagePopulator() { JoinHelpers(); }

void PagePopulator::JoinHelpers() {
  std::vector<std::thread> helpers;
  {
    std::lock_guard guard(mutex_);
    helpers.swap(helpers_);
  }
  for (std::thread& helper : helpers) helper.join();
}

void PagePopulator::Populate(uint64_t offset, uint64_t size) {
  if (size < kLeastBytes || offset > bytes_ || size > bytes_ - offset) return;
  // Whole blocks only: what lies beside the object has been promised to nobody, or to others.
  const uint64_t end = (offset + size) / kBlockBytes;
  uint64_t begin = (offset + kBlockBytes - 1) / kBlockBytes;
  while (begin < end && populated_[begin].load(std::memory_order_relaxed)) ++begin;
  if (begin >= end) return;
  JoinHelpers();
  const auto job = std::shared_ptr<Job>(new Job{{begin}, end});
  uint64_t started = 0;
  {
    std::lock_guard guard(mutex_);
    try {
      for (; started + 1 < threads_; ++started) helpers_.emplace_back([this, job] { Populate(job.get(), job->end); });
    } catch (const std::system_error&) {
      // No more threads: this one does it.
    }
  }
  // What the helpers do while the caller copies.
  const uint64_t left = (end - begin) * started / kCopySpeed;
  Populate(job.get(), end - left);
}

// Up to `end`, of which another thread may have done some.
void PagePopulator::Populate(Job* job, uint64_t end) {
  while (job->next.load(std::memory_order_relaxed) < end) {
    const uint64_t block = job->next.fetch_add(1, std::memory_order_relaxed);
    if (block >= job->end) return;
    if (populated_[block].load(std::memory_order_relaxed)) continue;
    if (madvise(memory_ + block * kBlockBytes, kBlockBytes, MADV_POPULATE_WRITE) != 0) return;
    populated_[block].store(true, std::memory_order_relaxed);
  }
}

}  // namespace manta::worker
