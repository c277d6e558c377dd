// Questions to the daemon whose answers a thread waits for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/result.h"

namespace manta::worker {

// Thread-safe. Await is for user threads; Answer and FailAll for the service thread. The daemon bounds every wait.
template <class T>
class Answers {
 public:
  // A number for a question that is about to be asked. 0 is never used.
  uint64_t NewRequest() {
    std::lock_guard guard(mutex_);
    return next_++;
  }

  Result<T> Await(uint64_t request) {
    std::unique_lock guard(mutex_);
    answered_.wait(guard, [&] { return closed_ || answers_.count(request) != 0; });
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
  std::mutex mutex_;
  std::condition_variable answered_;
  uint64_t next_ = 1;
  bool closed_ = false;
  Error closed_error_;
  std::unordered_map<uint64_t, Result<T>> answers_;
};

}  // namespace manta::worker
