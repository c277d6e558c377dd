#include "worker/turns.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <utility>

namespace manta::worker {
namespace {

// Some hundred microseconds of submissions at full rate: much longer than passing the turn on takes, and much shorter than a time
// slice of the kernel.
constexpr uint32_t kTurn = 4096;
// There are turns until nobody has waited for one during so many submissions.
constexpr uint32_t kCrowded = 16 * kTurn;
// A turn that is still the same after two such naps ends: its thread does other things, too.
constexpr int64_t kNapNs = 1'000'000;

Turns::SleepHooks sleep_hooks{[]() -> void* { return nullptr; }, [](void*) {}};

// Its address stands for the thread.
[[gnu::tls_model("initial-exec")]] thread_local char this_thread;

}  // namespace

void Turns::SetSleepHooks(const SleepHooks& hooks) { sleep_hooks = hooks; }

void Turns::Begin(const void* thread) {
  holder_.store(thread, std::memory_order_relaxed);
  left_ = kTurn;
  ++number_;
}

// To be woken when the lock is free: on one core it would run at once, and into the lock.
Turns::Place* Turns::BeginNext() {
  Place* next = queue_.front();
  queue_.pop_front();
  Begin(next->thread);
  next->called.store(1, std::memory_order_relaxed);
  return next;
}

// The thread may be gone meanwhile, if it has looked by itself: nothing is read at that address.
void Turns::Wake(Place* called) { syscall(SYS_futex, &called->called, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }

void Turns::AwaitTurn() {
  if (lock_->long_waits() != seen_long_waits_) {
    seen_long_waits_ = lock_->long_waits();
    crowded_ = kCrowded;
  }
  --crowded_;
  const void* const self = &this_thread;
  const void* const holder = holder_.load(std::memory_order_relaxed);
  if (holder == self && left_ > 0) {
    --left_;
    return;
  }
  if (holder == nullptr || (holder == self && queue_.empty())) {
    Begin(self);
    return;
  }
  crowded_ = kCrowded;
  Place* called = holder == self ? BeginNext() : nullptr;
  Place place{self};
  queue_.push_back(&place);
  Sleep(&place, called);
}

void Turns::Sleep(Place* place, Place* called) {
  uint64_t number = number_;
  uint32_t left = left_;
  bool seen_before = false;
  for (;;) {
    lock_->unlock();
    if (called != nullptr) Wake(std::exchange(called, nullptr));
    void* const begun = sleep_hooks.begin();
    const timespec nap{0, kNapNs};
    syscall(SYS_futex, &place->called, FUTEX_WAIT_PRIVATE, 0, &nap, nullptr, 0);
    sleep_hooks.end(begun);
    lock_->lock();
    const void* const holder = holder_.load(std::memory_order_relaxed);
    if (holder == place->thread) return;
    if (place->called.load(std::memory_order_relaxed) != 0) {
      // Called, but too slow: another one has taken the turn.
      place->called.store(0, std::memory_order_relaxed);
      queue_.push_front(place);
    }
    if (holder == nullptr || (number_ == number && left_ == left)) break;
    if (number_ == number && seen_before) left_ = 0;
    seen_before = number_ == number;
    number = number_;
    left = left_;
  }
  // Nobody makes use of the turn.
  std::erase(queue_, place);
  Begin(place->thread);
}

void Turns::Leave() {
  if (holder_.load(std::memory_order_relaxed) != &this_thread) return;
  Place* called = nullptr;
  lock_->lock();
  if (holder_.load(std::memory_order_relaxed) == &this_thread) {
    holder_.store(nullptr, std::memory_order_relaxed);
    if (!queue_.empty()) called = BeginNext();
  }
  lock_->unlock();
  if (called != nullptr) Wake(called);
}

}  // namespace manta::worker
