// Calls of an actor that threads of the front-end run: event loops, on which a call may go on after its invoker has returned while others
// begin. One queue per concurrency group.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "worker/execution.h"

namespace manta::worker {

class ServedCalls;

// One call, from when it has come until it has ended. What the Executor knows of it is in a class of its own, derived from this.
class ServedCall : public Deferral {
 public:
  virtual ~ServedCall() = default;
  virtual ObjectId id() const = 0;
  // On a thread of the front-end. Whether it goes on.
  virtual bool Begin() = 0;
  // Its result is what its ops have said until now.
  virtual void End() = 0;
  // The actor has ended before it did; whatever it says later counts no more.
  virtual void GiveUp() = 0;

  // Deferral
  bool Defer(void* data) override;
  void Finish() override;

 protected:
  bool deferred() const { return deferred_; }

 private:
  friend class ServedCalls;
  ServedCalls* queue_ = nullptr;
  void* data_ = nullptr;  // the front-end's
  bool deferred_ = false;
  bool began_ = false;     // its invoker has returned
  bool finished_ = false;  // while its invoker has not returned yet
  bool given_up_ = false;
};

// Add, Drain and Stop are for the main thread, Run and Await for one thread at a time, the rest for any.
class ServedCalls {
 public:
  using Cancelled = void (*)(void* data);

  // `most` calls are under way at once. `is_interrupted`: whether a call is to stop. `spin_ns`: as Waiting's.
  ServedCalls(uint32_t most, std::function<bool(const ObjectId&)> is_interrupted, int64_t spin_ns);
  ~ServedCalls();
  ServedCalls(const ServedCalls&) = delete;
  ServedCalls& operator=(const ServedCalls&) = delete;

  void Add(std::unique_ptr<ServedCall> call);
  // Until every call that was added has ended.
  void Drain();
  // Takes no more calls. Those under way are given up, those that wait begin and see for themselves that it is over.
  void Stop();

  // Readable when Await has said that there is nothing, and now there is.
  int fd() const { return fd_; }
  // Begins at most `count` of the calls that wait, on the calling thread, and calls `cancelled` for those under way that are to stop.
  // Returns how many calls it has begun or ended so.
  size_t Run(size_t count, Cancelled cancelled);
  // Looks for work for as long as a thread spins before it parks, at most `limit_ns`, and until `other()`. False: there is none.
  bool Await(int64_t limit_ns, const std::function<bool()>& other);
  // Some call may be to stop.
  void LookForInterrupts();

 private:
  friend class ServedCall;
  std::unique_ptr<ServedCall> Next();
  bool HasWork() const;
  void Wake();
  void Finished(ServedCall* call);

  const uint32_t most_;
  const std::function<bool(const ObjectId&)> is_interrupted_;
  const int64_t spin_ns_;
  const int fd_;
  std::atomic<bool> parked_{false};
  std::atomic<bool> signalled_{false};  // fd_ is readable
  std::atomic<bool> has_waiting_{false};      // and one may begin
  std::atomic<bool> look_for_interrupts_{false};
  mutable std::mutex mutex_;  // over the rest
  std::condition_variable idle_;
  std::deque<std::unique_ptr<ServedCall>> waiting_;
  std::unordered_map<ServedCall*, std::unique_ptr<ServedCall>> under_way_;
  bool stopped_ = false;
};

}  // namespace manta::worker
