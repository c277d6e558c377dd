// How a front-end's event loop learns that values are there: a queue of tags with a descriptor to poll, and a thread that looks after
// the rings meanwhile, as a thread that waits would.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <unordered_set>
#include <vector>

#include "worker/owner.h"
#include "worker/waiting.h"

namespace manta::worker {

// Leads the waiting while anything is outstanding in any queue of the process. Thread-safe; Stop is called before the end.
class ReadyWatch {
 public:
  explicit ReadyWatch(Waiting* waiting) : waiting_(waiting) {}
  ~ReadyWatch() { Stop(); }

  void Added();
  void Removed(size_t count) { outstanding_.fetch_sub(count); }
  void Stop();

  void QueueMade() { queues_.fetch_add(1); }
  void QueueGone() { queues_.fetch_sub(1); }
  size_t queues() const { return queues_.load(); }

 private:
  void Run();

  Waiting* const waiting_;
  std::atomic<size_t> outstanding_{0};
  std::atomic<size_t> queues_{0};
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::atomic<bool> stopped_{false};
  bool started_ = false;
  std::thread thread_;
};

// Thread-safe.
class ReadyQueue {
 public:
  // Both outlive it. Error: no descriptor is to be had.
  static Result<std::unique_ptr<ReadyQueue>> Create(Owner* owner, ReadyWatch* watch);
  // What is outstanding is forgotten.
  ~ReadyQueue();
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  // Readable while there are tags to take.
  int fd() const { return fd_; }
  bool HasSome() const { return some_.load(std::memory_order_acquire); }
  // `tag` comes once `object` has a value or has failed. The caller holds a reference until then.
  void Add(ObjectRecord* object, uint64_t tag);
  size_t Take(uint64_t* tags, size_t capacity);

 private:
  struct Entry : Waiter {
    ReadyQueue* queue;
    ObjectRecord* object;
    uint64_t tag;
  };

  ReadyQueue(Owner* owner, ReadyWatch* watch, int fd);
  // [lock] of the owner.
  static void Ready(Waiter* waiter);
  void Push(uint64_t tag);

  Owner* const owner_;
  ReadyWatch* const watch_;
  const int fd_;
  std::unordered_set<Entry*> outstanding_;  // the owner's lock
  std::mutex mutex_;                        // over the tags; inside of the owner's lock
  std::vector<uint64_t> tags_;
  std::atomic<bool> some_{false};
};

}  // namespace manta::worker
