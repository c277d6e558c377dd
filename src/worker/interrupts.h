// Which tasks of this process are to stop: tasks ask for it when they wait, and queued calls before they begin.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_set>

#include "base/ids.h"

namespace manta::worker {

// Thread-safe. Asking costs one load while nothing is to stop.
class Interrupts {
 public:
  // Of tasks that end before they hear of it nobody takes the entry away; beyond this many the oldest is dropped.
  static constexpr size_t kMost = 65'536;

  void Add(const ObjectId& task);
  bool Contains(const ObjectId& task) const {
    return any_.load(std::memory_order_acquire) && Look(task);
  }
  // The task has ended, or will not begin. Whether it was to stop.
  bool Remove(const ObjectId& task) {
    return any_.load(std::memory_order_acquire) && Erase(task);
  }

 private:
  bool Look(const ObjectId& task) const;
  bool Erase(const ObjectId& task);

  mutable std::mutex mutex_;  // over the two below
  std::unordered_set<ObjectId> tasks_;
  std::deque<ObjectId> oldest_first_;  // and some that were removed since
  std::atomic<bool> any_{false};
};

}  // namespace manta::worker
