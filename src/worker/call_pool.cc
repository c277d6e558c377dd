#include "worker/call_pool.h"

#include <unistd.h>

#include <cstdio>
#include <system_error>
#include <utility>

#include "worker/start_thread.h"

namespace manta::worker {

void CallPool::Add(Call call) {
  std::lock_guard guard(mutex_);
  if (stopped_) return;
  calls_.push_back(std::move(call));
  if (running_ + calls_.size() > threads_.size() && threads_.size() < limit_) {
    try {
      threads_.push_back(StartThread([this] { Run(); }));
    } catch (const std::system_error& error) {
      // Those that there are serve all calls, one after the other. Without any, the actor cannot live.
      if (threads_.empty()) {
        std::fprintf(stderr, "manta worker: an actor with threads of its own: %s\n", error.what());
        std::fflush(nullptr);
        _exit(1);
      }
    }
  }
  wanted_.notify_one();
}

void CallPool::Run() {
  std::unique_lock guard(mutex_);
  for (;;) {
    wanted_.wait(guard, [this] { return stopped_ || !calls_.empty(); });
    if (calls_.empty()) return;
    Call call = std::move(calls_.front());
    calls_.pop_front();
    ++running_;
    guard.unlock();
    call();
    call = nullptr;
    guard.lock();
    --running_;
    if (running_ == 0 && calls_.empty()) idle_.notify_all();
  }
}

void CallPool::Drain() {
  std::unique_lock guard(mutex_);
  idle_.wait(guard, [this] { return running_ == 0 && (calls_.empty() || stopped_); });
}

void CallPool::Stop() {
  {
    std::lock_guard guard(mutex_);
    stopped_ = true;
    wanted_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace manta::worker
