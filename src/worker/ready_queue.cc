#include "worker/ready_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "worker/start_thread.h"

namespace manta::worker {

// ---- ReadyWatch

void ReadyWatch::Added() {
  if (outstanding_.fetch_add(1) > 0) return;
  std::lock_guard guard(mutex_);
  if (stopped_.load()) return;
  if (!std::exchange(started_, true)) thread_ = StartThread([this] { Run(); });
  wanted_.notify_one();
}

void ReadyWatch::Run() {
  const auto nothing_to_do = [this] { return outstanding_.load() == 0 || stopped_.load(); };
  while (!stopped_.load()) {
    {
      std::unique_lock guard(mutex_);
      wanted_.wait(guard, [this] { return outstanding_.load() > 0 || stopped_.load(); });
    }
    Waiting::Request request;
    request.done = nothing_to_do;
    waiting_->Wait(request);
  }
}

void ReadyWatch::Stop() {
  {
    std::lock_guard guard(mutex_);
    stopped_.store(true);
    wanted_.notify_one();
  }
  if (!thread_.joinable()) return;
  waiting_->WakeAll();
  thread_.join();
}

// ---- ReadyQueue

Result<std::unique_ptr<ReadyQueue>> ReadyQueue::Create(Owner* owner, ReadyWatch* watch) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return ErrnoError("eventfd", errno);
  return std::unique_ptr<ReadyQueue>(new ReadyQueue(owner, watch, fd));
}

ReadyQueue::ReadyQueue(Owner* owner, ReadyWatch* watch, int fd) : owner_(owner), watch_(watch), fd_(fd) { watch_->QueueMade(); }

ReadyQueue::~ReadyQueue() {
  {
    std::lock_guard guard(owner_->lock());
    for (Entry* entry : outstanding_) {
      owner_->RemoveWaiter(entry->object, entry);
      delete entry;
    }
    watch_->Removed(outstanding_.size());
  }
  close(fd_);
  watch_->QueueGone();
}

void ReadyQueue::Add(ObjectRecord* object, uint64_t tag) {
  {
    std::lock_guard guard(owner_->lock());
    if (object->state.load(std::memory_order_relaxed) != ValueState::kPending) return Push(tag);
    auto* entry = new Entry{{}, this, object, tag};
    entry->notify = Ready;
    outstanding_.insert(entry);
    owner_->AddDependent(object, entry, 0);
  }
  watch_->Added();
}

void ReadyQueue::Ready(Waiter* waiter) {
  auto* entry = static_cast<Entry*>(waiter);
  ReadyQueue* const queue = entry->queue;
  queue->outstanding_.erase(entry);
  queue->Push(entry->tag);
  queue->watch_->Removed(1);
  delete entry;
}

void ReadyQueue::Push(uint64_t tag) {
  std::lock_guard guard(mutex_);
  tags_.push_back(tag);
  if (tags_.size() > 1) return;
  some_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = write(fd_, &one, sizeof one);
}

size_t ReadyQueue::Take(uint64_t* tags, size_t capacity) {
  std::lock_guard guard(mutex_);
  const size_t count = std::min(capacity, tags_.size());
  std::copy_n(tags_.begin(), count, tags);
  tags_.erase(tags_.begin(), tags_.begin() + static_cast<ptrdiff_t>(count));
  if (count == 0 || !tags_.empty()) return count;
  some_.store(false, std::memory_order_release);
  uint64_t ignored_count;
  [[maybe_unused]] ssize_t ignored = read(fd_, &ignored_count, sizeof ignored_count);
  return count;
}

}  // namespace manta::worker
