// Questions to the daemon whose answers a thread waits for.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/function_ref.h"
#include "base/result.h"

namespace manta::worker {

// Thread-safe. Await is for user threads; Answer and FailAll for the service thread. The daemon bounds every wait; one that is stopped
// bounds none, so Await says after a while what it waits for.
template <class T>
class Answers {
 public:
  // `give_back` gets what was given when nobody waited for it any more. Service thread.
  explicit Answers(std::function<void(const T&)> give_back = {}) : give_back_(std::move(give_back)) {}

  // A number for a question that is about to be asked. 0 is never used.
  uint64_t NewRequest() {
    std::lock_guard guard(mutex_);
    return next_++;
  }

  // `what` was asked for, for people. `gives_up`, if given, is asked every kSlice, without the lock: true ends the wait with TASK_CANCELLED.
  Result<T> Await(uint64_t request, const char* what, FunctionRef<bool()> gives_up = {}) {
    const auto there = [&] { return closed_ || answers_.count(request) != 0; };
    auto speak_at = std::chrono::steady_clock::now() + kSilence;
    std::unique_lock guard(mutex_);
    while (!answered_.wait_until(guard, gives_up ? std::min(std::chrono::steady_clock::now() + kSlice, speak_at) : speak_at, there)) {
      guard.unlock();
      if (std::chrono::steady_clock::now() >= speak_at) {
        std::fprintf(stderr,
                     "manta: this process has waited %d s for the node daemon to answer (%s); if nothing else explains it, is the daemon "
                     "stopped? (ps, kill -CONT)\n",
                     static_cast<int>(kSilence.count()), what);
        speak_at = std::chrono::steady_clock::time_point::max();
      }
      const bool given_up = gives_up && gives_up();
      guard.lock();
      if (given_up && !there()) {
        given_up_.insert(request);
        return MakeError(MANTA_ERROR_TASK_CANCELLED, std::string("the wait for ") + what + " was given up");
      }
    }
    const auto found = answers_.find(request);
    if (found == answers_.end()) return closed_error_;
    Result<T> answer = std::move(found->second);
    answers_.erase(found);
    return answer;
  }

  void Answer(uint64_t request, Result<T> answer) {
    std::unique_lock guard(mutex_);
    if (given_up_.erase(request) != 0) {
      guard.unlock();
      if (answer && give_back_) give_back_(*answer);
      return;
    }
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
  static constexpr std::chrono::milliseconds kSlice{49};

  const std::function<void(const T&)> give_back_;
  std::mutex mutex_;
  std::condition_variable answered_;
  uint64_t next_ = 1;
  bool closed_ = false;
  Error closed_error_;
  std::unordered_map<uint64_t, Result<T>> answers_;
  std::unordered_set<uint64_t> given_up_;  // before they were answered
};

}  // namespace manta::worker
