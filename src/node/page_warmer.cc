#include "node/page_warmer.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace manta::node {

PageWarmer::~PageWarmer() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void PageWarmer::Warm(uint64_t offset, uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  if (ranges_.size() >= kMaxWaiting) return;
  ranges_.emplace_back(offset, bytes);
  if (running_) return;
  if (thread_.joinable()) thread_.join();  // it has run out of work and is about to end
  running_ = true;
  // Signals are for the daemon's loop.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void PageWarmer::Run() {
  // User code comes first.
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), 19);
  for (;;) {
    std::pair<uint64_t, uint64_t> range;
    {
      const std::lock_guard guard(mutex_);
      if (ranges_.empty() || stopping_) {
        running_ = false;
        return;
      }
      range = ranges_.front();
      ranges_.pop_front();
    }
    while (range.second > 0 && !stopping_) {
      const uint64_t slice = std::min(range.second, kSliceBytes);
      Populate(range.first, slice);
      range.first += slice;
      range.second -= slice;
    }
  }
}

// Through a mapping of the moment, so that the arena does not count as memory of the daemon.
void PageWarmer::Populate(uint64_t offset, uint64_t bytes) {
  void* slice = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_,
                     static_cast<off_t>(offset));
  if (slice == MAP_FAILED) return;
  // Kernels before 5.14 refuse; then whoever writes first pays.
  if (madvise(slice, bytes, MADV_POPULATE_WRITE) != 0) stopping_ = true;
  munmap(slice, bytes);
}

}  // namespace manta::node
