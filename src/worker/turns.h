// Threads of one process that submit at once, and are more than its cores can run, take turns: one submits some thousand calls while
// the others sleep. Without that, who has a core keeps it: a thread that finds the owner's lock taken yields, and a kernel that charges
// yields with the rest of the time slice hardly lets it back.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

#include "worker/spin_lock.h"

namespace manta::worker {

class Turns {
 public:
  // Of all: what a thread does that is about to sleep for its turn, and, with what that has given, when it has slept. See
  // manta_sleep_hooks_set.
  struct SleepHooks {
    void* (*begin)();
    void (*end)(void* begun);
  };
  static void SetSleepHooks(const SleepHooks& hooks);

  explicit Turns(SpinLock* lock) : lock_(lock) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // [lock] Before each submission; may let go of the lock in between. Returns at once unless threads have lately waited long for the
  // lock. A turn of which its thread makes no use passes to one that waits after a millisecond: a thread may do other things in its
  // turn, even wait for another thread that waits for its turn.
  void Await() {
    if (__builtin_expect(!AreFree(), 0)) AwaitTurn();
  }
  // [lock] Whether Await returns at once, since there are no turns now.
  bool AreFree() const { return crowded_ == 0 && lock_->long_waits() == seen_long_waits_; }
  // [lock] As Await, when they are not free.
  void AwaitTurn();
  // The calling thread, which has not the lock, is about to sleep: if this is its turn, the next one's begins.
  void Leave();

 private:
  // A thread that waits for its turn; on its stack.
  struct Place {
    const void* thread;
    std::atomic<uint32_t> called{0};  // futex
  };

  void Sleep(Place* place, Place* called);
  void Begin(const void* thread);
  Place* BeginNext();
  static void Wake(Place* called);

  SpinLock* const lock_;
  // Guarded by the lock:
  uint32_t crowded_ = 0;  // for how many submissions more there are turns
  uint32_t seen_long_waits_ = 0;
  uint32_t left_ = 0;    // submissions of this turn
  uint64_t number_ = 0;  // of turns so far
  std::deque<Place*> queue_;
  // Whose turn it is: the address of something that the thread has. Written with the lock.
  std::atomic<const void*> holder_{nullptr};
};

}  // namespace manta::worker
