// A ring of slots from one producing process to one consuming process, whose unclaimed slots can be taken back.
//
// The word of a slot is (lap << 2 | state). The only words with two writers: a full slot is moved by
// compare-and-swap, either to claimed (by the consumer) or to taken (by the producer).
//
//            producer: fill body, exchange         consumer: compare-and-swap
//   empty(L) ---------------------------> full(L) ---------------------------> claimed(L)
//      ^                                     |  producer: compare-and-swap          |
//      |                                     +--------------> taken(L)              |
//      +---- consumer: store empty(L + 1) ----------------------+-------------------+
//
// Crash: a producer that dies leaves at most one slot half filled, still empty, hence invisible. A consumer that dies leaves
// slots full (never started: the producer takes them back) or claimed (perhaps started: the producer applies the retry rule).
// After the death of either side nobody writes the ring: it is dropped whole.
#pragma once

#include <cstdint>

#include "shm/atomics.h"

namespace manta::shm {

enum class SlotState : uint32_t { kEmpty = 0, kFull = 1, kClaimed = 2, kTaken = 3 };

constexpr uint32_t SlotWord(uint32_t lap, SlotState state) {
  return lap << 2 | static_cast<uint32_t>(state);
}

// Laps of a ring of 2^log2_size slots. They start again at 0 where positions do, so a next lap is
// never a lap + 1, but that of a position one size further.
constexpr uint32_t LapOf(uint32_t position, uint32_t log2_size) { return position >> log2_size; }
constexpr uint32_t NextLapOf(uint32_t position, uint32_t log2_size) {
  return LapOf(position + (1u << log2_size), log2_size);
}
// Whether `word` is of a later lap than `position`'s. A word keeps 30 bits of the lap, and that has
// no more than 32 - log2_size: both are compared modulo what is left.
constexpr bool IsLaterLap(uint32_t word, uint32_t position, uint32_t log2_size) {
  const uint32_t laps = (word >> 2) - LapOf(position, log2_size);
  return static_cast<int32_t>(laps << (log2_size > 2 ? log2_size : 2)) > 0;
}

// `Body` is what the producer fills in before it publishes; zeroed memory is an empty ring.
template <class A, class Body>
struct alignas(kCacheLine) Slot {
  typename A::template Atomic<uint32_t> word;
  Body body;
};

// The producing end. One process, one thread at a time (the caller's lock). Positions count slots from the ring's start and
// wrap at 2^32.
template <class A, class Body>
class SlotProducer {
 public:
  SlotProducer() = default;
  // `slots` has 2^log2_size zeroed entries, or those left by an earlier producer at `position`.
  SlotProducer(Slot<A, Body>* slots, uint32_t log2_size, uint32_t position = 0)
      : slots_(slots), log2_size_(log2_size), mask_((1u << log2_size) - 1), position_(position) {}

  // The body to fill for the next Publish, or nullptr while the ring is full.
  Body* Reserve() {
    Slot<A, Body>& slot = At(position_);
    if (slot.word.load(std::memory_order_acquire) != SlotWord(Lap(position_), SlotState::kEmpty)) {
      return nullptr;
    }
    return &slot.body;
  }

  // The same again, when it is about to be filled.
  Body* Reserved() {
    PrefetchForWriting(&At(position_ + kEntriesAhead));
    return &At(position_).body;
  }

  // Makes the reserved slot visible and returns its position. The exchange is a full fence: a load of the consumer's
  // parked flag that follows cannot move before it (see doorbell.h).
  uint32_t Publish() {
    At(position_).word.exchange(SlotWord(Lap(position_), SlotState::kFull), std::memory_order_seq_cst);
    return position_++;
  }

  // True: the consumer never sees the slot at `position`. False: it was claimed (or is long done).
  bool TakeBack(uint32_t position) {
    uint32_t expected = SlotWord(Lap(position), SlotState::kFull);
    return At(position).word.compare_exchange_strong(
        expected, SlotWord(Lap(position), SlotState::kTaken), std::memory_order_acq_rel,
        std::memory_order_relaxed);
  }

  // Whether the consumer has passed `position`: it no longer reads the body nor what belongs to it.
  bool IsReleased(uint32_t position) const {
    return IsLaterLap(At(position).word.load(std::memory_order_acquire), position, log2_size_);
  }

  // Whether the consumer has begun with what was published at `position` (and perhaps ended, too).
  bool IsClaimed(uint32_t position) const {
    const uint32_t word = At(position).word.load(std::memory_order_acquire);
    return word == SlotWord(LapOf(position, log2_size_), SlotState::kClaimed) || IsReleased(position);
  }

  uint32_t position() const { return position_; }
  uint32_t size() const { return mask_ + 1; }

 private:
  Slot<A, Body>& At(uint32_t position) const { return slots_[position & mask_]; }
  uint32_t Lap(uint32_t position) const { return LapOf(position, log2_size_); }

  Slot<A, Body>* slots_ = nullptr;
  uint32_t log2_size_ = 0;
  uint32_t mask_ = 0;  // size() - 1
  uint32_t position_ = 0;
};

// The consuming end. One process; Claim by one thread at a time, Release by any thread.
template <class A, class Body>
class SlotConsumer {
 public:
  SlotConsumer() = default;
  SlotConsumer(Slot<A, Body>* slots, uint32_t log2_size, uint32_t position = 0)
      : slots_(slots), log2_size_(log2_size), position_(position) {}

  // The body of the oldest full slot, now claimed, and its position; nullptr when there is none. Slots that were taken back
  // are skipped and given back to the producer.
  Body* Claim(uint32_t* position) {
    for (;;) {
      Slot<A, Body>& slot = At(position_);
      const uint32_t lap = LapOf(position_, log2_size_);
      uint32_t word = slot.word.load(std::memory_order_acquire);
      if (word == SlotWord(lap, SlotState::kFull) &&
          slot.word.compare_exchange_strong(word, SlotWord(lap, SlotState::kClaimed),
                                            std::memory_order_acq_rel, std::memory_order_acquire)) {
        *position = position_++;
        return &slot.body;
      }
      if (word != SlotWord(lap, SlotState::kTaken)) return nullptr;
      GiveBack(position_++);
    }
  }

  // Whether Claim would find something. Used between announcing to park and parking.
  bool HasWork() const {
    const uint32_t word = At(position_).word.load(std::memory_order_seq_cst);
    const uint32_t lap = LapOf(position_, log2_size_);
    return word == SlotWord(lap, SlotState::kFull) || word == SlotWord(lap, SlotState::kTaken);
  }

  // Gives a claimed slot back; its body must not be read any more.
  void Release(uint32_t position) { GiveBack(position); }

  uint32_t position() const { return position_; }

 private:
  Slot<A, Body>& At(uint32_t position) const {
    return slots_[position & ((1u << log2_size_) - 1)];
  }

  void GiveBack(uint32_t position) {
    At(position).word.store(SlotWord(NextLapOf(position, log2_size_), SlotState::kEmpty),
                            std::memory_order_release);
  }

  Slot<A, Body>* slots_ = nullptr;
  uint32_t log2_size_ = 0;
  uint32_t position_ = 0;
};

}  // namespace manta::shm
