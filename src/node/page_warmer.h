// Makes pages of shared memory exist before somebody has to wait for them.
//
// The first touch of a page costs the kernel the time to find and to clear it: a process that fills a fresh part of the arena
// gets a fifth of the speed that it gets on pages that exist. When a large object has come to lie on fresh pages, the next one
// probably will, too; so the pages behind it are made meanwhile, by a thread that exists only while there is something to make.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace manta::node {

class PageWarmer {
 public:
  // `fd`: the arena. Nothing is touched before the first Warm.
  explicit PageWarmer(int fd) : fd_(fd) {}
  // Leaves undone what is not done yet.
  ~PageWarmer();

  // Soon makes the pages of [offset, offset + bytes), which may be in use: contents stay as they are. Ranges that wait are
  // dropped when there are too many of them.
  void Warm(uint64_t offset, uint64_t bytes);

 private:
  static constexpr uint64_t kSliceBytes = 2 << 20;
  static constexpr size_t kMaxWaiting = 16;

  void Run();
  void Populate(uint64_t offset, uint64_t bytes);

  const int fd_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::deque<std::pair<uint64_t, uint64_t>> ranges_;  // guarded by mutex_
  bool running_ = false;                              // guarded by mutex_
  std::thread thread_;
};

}  // namespace manta::node
