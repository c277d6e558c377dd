// Questions to the daemon whose answers a thread waits for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/result.h"

namespace manta::worker {

// Thread-safe. Await is for user threads; Answer and FailAll for the service thread. The daemon bounds every wait; one that is stopped
// bounds none, so Await says after a while what it waits for.
template <class T>
class Answers {
 public:
  // A number for a question that is about to be asked. 0 is never used.
  uint64_t NewRequest() {
    std::lock_guard guard(mutex_);
    return next_++;
  }

  // `what` was asked for, for people.
  Result<T> Await(uint64_t request, const char* what) {
    const auto there = [&] { return closed_ || answers_.count(request) != 0; };
    std::unique_lock guard(mutex_);
    if (!answered_.wait_for(guard, kSilence, there)) {
      guard.unlock();
      std::fprintf(stderr,
                   "manta: this process has waited %d s for the node daemon to answer (%s); if nothing else explains it, is the daemon "
                   "stopped? (ps, kill -CONT)\n",
                   static_cast<int>(kSilence.count()), what);
      guard.lock();
      answered_.wait(guard, there);
    }
    const auto found = answers_.find(request);
    if (found == answers_.end()) return closed_error_;
    Result<T> answer = std::move(found->second);
    answers_.erase(found);
    return answer;
  }

  void Answer(uint64_t request, Result<T> answer) {
    std::lock_guard guard(mutex_);
    answers_.emplace(request, std::move(answer));
    answered_.notify_all();
  }

  // Every question, now and later, is answered with `error`.
  void FailAll(const Error& error) {
    std::lock_guard guard(mutex_);
    closed_ = true;
    closed_error_ = error;
    answered_.notify_all();
  }

 private:
  // Longer than the daemon lets a put wait for space.
  static constexpr std::chrono::seconds kSilence{15};

  std::mutex mutex_;
  std::condition_variable answered_;
  uint64_t next_ = 1;
  bool closed_ = false;
  Error closed_error_;
  std::unordered_map<uint64_t, Result<T>> answers_;
};

}  // namespace manta::worker
