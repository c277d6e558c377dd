// One doorbell per process: how a peer wakes the thread that waits for work of any of the process's rings.
//
//   waiter                                 ringer
//   1. store parked = 1   (seq_cst)        1. publish into a ring (seq_cst exchange)
//   2. look at all rings  (seq_cst)        2. load parked           (seq_cst)
//   3. nothing there: sleep while          3. if 1: exchange parked to 0; who got the 1 wakes
//      parked == 1
//
// Either the waiter sees the message in step 2, or the ringer sees parked in step 2: no wake is lost, and at most one ringer
// pays for the system call. `parked` has several writers (every peer).
//
// Crash: a ringer may die after its publication and before the wake. Therefore the daemon, when a process dies, disarms all
// doorbells of its node and wakes them. Waking alone is not enough: a waiter between steps 2 and 3 would go to sleep after it.
#pragma once

#include <cstdint>

#include "shm/atomics.h"

namespace manta::shm {

template <class A>
struct alignas(kCacheLine) Doorbell {
  typename A::template Atomic<uint32_t> parked;

  // Step 1 of the waiter. Call Cancel, or sleep on `parked` while it is 1.
  void Announce() { parked.store(1, std::memory_order_seq_cst); }
  void Cancel() { parked.store(0, std::memory_order_relaxed); }

  // Steps 2 and 3 of the ringer, after a publication: true when the caller has to wake the waiter.
  bool MustWake() {
    return parked.load(std::memory_order_seq_cst) == 1 &&
           parked.exchange(0, std::memory_order_seq_cst) == 1;
  }

  // The daemon, before it wakes the waiter on behalf of a ringer that died.
  void Disarm() { parked.store(0, std::memory_order_seq_cst); }
};

// Sleeps while doorbell.parked == 1, at most `timeout_ns` (negative: without limit). Spurious returns are possible.
void Park(Doorbell<RealAtomics>& doorbell, int64_t timeout_ns);

// Wakes the thread that sleeps in Park, in whatever process it is.
void Wake(Doorbell<RealAtomics>& doorbell);

// Returns whether the owner of the bell was parked and is being woken.
inline bool Ring(Doorbell<RealAtomics>& doorbell) {
  if (!doorbell.MustWake()) return false;
  Wake(doorbell);
  return true;
}

}  // namespace manta::shm
