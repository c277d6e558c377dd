// How far the streams that this process sends may run ahead of who takes their items.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "base/ids.h"

namespace manta::worker {

// Thread-safe. A task is known from Begin, which comes before its first item leaves, to Forget.
class ItemWindows {
 public:
  void Begin(const ObjectId& task) {
    std::lock_guard guard(mutex_);
    taken_[task] = 0;
  }
  // Whether a task that has sent `sent` items may make another one while at most `most_ahead` are not taken; 0: any number.
  bool Admits(const ObjectId& task, uint32_t sent, uint32_t most_ahead) {
    if (most_ahead == 0) return true;
    std::lock_guard guard(mutex_);
    const auto known = taken_.find(task);
    const uint32_t taken = known == taken_.end() ? 0 : known->second;
    return taken >= sent || sent - taken < most_ahead;
  }
  // Of those that it has sent, so many are taken. Ignored for others, which have ended.
  void Taken(const ObjectId& task, uint32_t count) {
    std::lock_guard guard(mutex_);
    const auto known = taken_.find(task);
    if (known != taken_.end() && known->second < count) known->second = count;
  }
  void Forget(const ObjectId& task) {
    std::lock_guard guard(mutex_);
    taken_.erase(task);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<ObjectId, uint32_t> taken_;
};

}  // namespace manta::worker
