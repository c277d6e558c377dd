#include "worker/served_calls.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "worker/clock.h"

namespace manta::worker {
namespace {

// Between two looks a thread offers its core from here on.
constexpr int64_t kUnyieldingNs = 3'000;

}  // namespace

// ---- ServedCall

bool ServedCall::Defer(void* data) {
  std::lock_guard guard(queue_->mutex_);
  data_ = data;
  deferred_ = true;
  return true;
}

void ServedCall::Finish() { queue_->Finished(this); }

// ---- ServedCalls

ServedCalls::ServedCalls(uint32_t most, std::function<bool(const ObjectId&)> is_interrupted, int64_t spin_ns)
    : most_(most), is_interrupted_(std::move(is_interrupted)), spin_ns_(spin_ns), fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

ServedCalls::~ServedCalls() {
  if (fd_ >= 0) close(fd_);
}

void ServedCalls::Wake() {
  if (!parked_.exchange(false)) return;
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = write(fd_, &one, sizeof one);
  signalled_.store(true);  // after it: who reads in between leaves it to the next time
}

void ServedCalls::Add(std::unique_ptr<ServedCall> call) {
  {
    std::lock_guard guard(mutex_);
    if (stopped_) return;
    call->queue_ = this;
    waiting_.push_back(std::move(call));
    if (under_way_.size() >= most_) return;
    has_waiting_.store(true);
  }
  Wake();
}

bool ServedCalls::HasWork() const { return has_waiting_.load() || look_for_interrupts_.load(); }

std::unique_ptr<ServedCall> ServedCalls::Next() {
  std::lock_guard guard(mutex_);
  if (waiting_.empty() || under_way_.size() >= most_) {
    has_waiting_.store(false);
    return nullptr;
  }
  std::unique_ptr<ServedCall> call = std::move(waiting_.front());
  waiting_.pop_front();
  return call;
}

size_t ServedCalls::Run(size_t count, Cancelled cancelled) {
  parked_.store(false);
  if (signalled_.exchange(false)) {
    uint64_t ignored_count;
    [[maybe_unused]] ssize_t ignored = read(fd_, &ignored_count, sizeof ignored_count);
  }
  size_t done = 0;
  if (look_for_interrupts_.exchange(false)) {
    std::vector<void*> stop;
    {
      std::lock_guard guard(mutex_);
      for (const auto& [call, owner] : under_way_) {
        if (call->deferred_ && !call->given_up_ && is_interrupted_(call->id())) stop.push_back(call->data_);
      }
    }
    for (void* data : stop) cancelled(data);
    done += stop.size();
  }
  for (; done < count && has_waiting_.load(); ++done) {
    std::unique_ptr<ServedCall> next = Next();
    if (next == nullptr) break;
    ServedCall* const call = next.get();
    {
      std::lock_guard guard(mutex_);
      under_way_[call] = std::move(next);
    }
    const bool goes_on = call->Begin();
    std::unique_lock guard(mutex_);
    call->began_ = true;
    if (goes_on && !call->finished_) continue;
    guard.unlock();
    Finished(call);
  }
  return done;
}

void ServedCalls::Finished(ServedCall* call) {
  bool ends;
  {
    std::lock_guard guard(mutex_);
    if (call->deferred_ && !call->began_) {  // its invoker will return
      call->finished_ = true;
      return;
    }
    ends = call->deferred_ && !call->given_up_;
  }
  if (ends) call->End();
  std::unique_ptr<ServedCall> gone;
  {
    std::lock_guard guard(mutex_);
    const auto found = under_way_.find(call);
    if (found == under_way_.end()) return;
    gone = std::move(found->second);
    under_way_.erase(found);
    if (!waiting_.empty()) has_waiting_.store(true);
    if (under_way_.empty() && waiting_.empty()) idle_.notify_all();
  }
  if (has_waiting_.load()) Wake();
}

bool ServedCalls::Await(int64_t limit_ns, const std::function<bool()>& other) {
  const int64_t began = NowNs();
  const int64_t most = limit_ns < 0 ? spin_ns_ : std::min(limit_ns, spin_ns_);
  for (int64_t now = began; now - began < most; now = NowNs()) {
    if (HasWork() || other()) return true;
    if (now - began > kUnyieldingNs) sched_yield();
  }
  parked_.store(true);
  if (!HasWork() && !other()) return false;
  return true;
}

void ServedCalls::LookForInterrupts() {
  look_for_interrupts_.store(true);
  Wake();
}

void ServedCalls::Drain() {
  std::unique_lock guard(mutex_);
  idle_.wait(guard, [this] { return under_way_.empty() && waiting_.empty(); });
}

void ServedCalls::Stop() {
  std::lock_guard guard(mutex_);
  stopped_ = true;
  for (auto& [call, owner] : under_way_) {
    if (std::exchange(call->given_up_, true)) continue;
    call->GiveUp();
  }
  for (const std::unique_ptr<ServedCall>& call : waiting_) call->GiveUp();
  waiting_.clear();
  has_waiting_.store(false);
}

}  // namespace manta::worker
