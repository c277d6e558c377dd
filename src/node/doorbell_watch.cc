#include "node/doorbell_watch.h"

#include <signal.h>

#include <utility>

namespace manta::node {
namespace {

// A sleep is bounded, as every sleep on a futex that others ring.
constexpr int64_t kLongestSleep = 200 * kMillisecond;

}  // namespace

DoorbellWatch::DoorbellWatch(EventLoop& loop, shm::Doorbell<shm::RealAtomics>& bell,
                             std::function<void()> on_ring)
    : loop_(loop), bell_(bell), on_ring_(std::move(on_ring)) {
  // Signals are the loop's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { Run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

DoorbellWatch::~DoorbellWatch() {
  {
    std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  bell_.Disarm();
  shm::Wake(bell_);
  thread_.join();
}

void DoorbellWatch::Arm() {
  {
    std::lock_guard guard(mutex_);
    armed_ = true;
  }
  changed_.notify_one();
}

void DoorbellWatch::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return armed_ || stop_; });
    if (stop_) return;
    lock.unlock();
    while (bell_.parked.load(std::memory_order_acquire) == 1) shm::Park(bell_, kLongestSleep);
    lock.lock();
    if (stop_) return;
    armed_ = false;
    loop_.Post(on_ring_);
  }
}

}  // namespace manta::node
