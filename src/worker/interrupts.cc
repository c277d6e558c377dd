#include "worker/interrupts.h"

namespace manta::worker {

void Interrupts::Add(const ObjectId& task) {
  std::lock_guard guard(mutex_);
  if (!tasks_.insert(task).second) return;
  oldest_first_.push_back(task);
  if (oldest_first_.size() > kMost) {
    tasks_.erase(oldest_first_.front());
    oldest_first_.pop_front();
  }
  any_.store(true, std::memory_order_release);
}

bool Interrupts::Look(const ObjectId& task) const {
  std::lock_guard guard(mutex_);
  return tasks_.contains(task);
}

bool Interrupts::Erase(const ObjectId& task) {
  std::lock_guard guard(mutex_);
  if (tasks_.erase(task) == 0) return false;
  if (tasks_.empty()) {
    oldest_first_.clear();
    any_.store(false, std::memory_order_release);
  }
  return true;
}

}  // namespace manta::worker
