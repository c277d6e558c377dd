#include "worker/page_populator.h"

#include <sys/mman.h>

#include <algorithm>
#include <system_error>
#include <thread>
#include <vector>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14; older kernels refuse it
#endif

namespace manta::worker {

PagePopulator::PagePopulator(unsigned char* memory, uint64_t bytes, uint32_t cores)
    : memory_(memory),
      bytes_(bytes),
      threads_(std::clamp(cores, 1u, kMostThreads)),
      populated_(std::make_unique<std::atomic<bool>[]>(bytes / kBlockBytes + 1)) {}

void PagePopulator::Populate(uint64_t offset, uint64_t size) {
  if (size < kLeastBytes || offset > bytes_ || size > bytes_ - offset) return;
  // Whole blocks only: what lies beside the object has been promised to nobody, or to others.
  const uint64_t end = (offset + size) / kBlockBytes;
  std::atomic<uint64_t> next = (offset + kBlockBytes - 1) / kBlockBytes;
  while (next < end && populated_[next].load(std::memory_order_relaxed)) ++next;
  if (next >= end) return;
  std::vector<std::thread> helpers;
  try {
    for (uint32_t i = 1; i < threads_; ++i) helpers.emplace_back([&] { PopulateFrom(&next, end); });
  } catch (const std::system_error&) {
    // No more threads: this one does it.
  }
  PopulateFrom(&next, end);
  for (std::thread& helper : helpers) helper.join();
}

void PagePopulator::PopulateFrom(std::atomic<uint64_t>* next, uint64_t end) {
  for (uint64_t block; (block = next->fetch_add(1, std::memory_order_relaxed)) < end;) {
    if (populated_[block].load(std::memory_order_relaxed)) continue;
    if (madvise(memory_ + block * kBlockBytes, kBlockBytes, MADV_POPULATE_WRITE) != 0) return;
    populated_[block].store(true, std::memory_order_relaxed);
  }
}

}  // namespace manta::worker
