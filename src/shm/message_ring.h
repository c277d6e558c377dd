// A ring of fixed-size messages from one producing process to one consuming process.
//
// Each entry carries the lap in which it was written, so that neither side needs the other's index: the producer never waits
// because the consumer hands out credit by other means (an owner has at most `size` tasks in flight per ring, and every task
// makes one message).
//
// Crash: an entry becomes visible by one store, so a producer that dies leaves whole messages only.
#pragma once

#include <cstdint>

#include "shm/atomics.h"

namespace manta::shm {

template <class A, class Body>
struct alignas(kCacheLine) Message {
  typename A::template Atomic<uint32_t> lap;  // 0: never written; n: written in lap n - 1
  Body body;
};

template <class A, class Body>
class MessageProducer {
 public:
  MessageProducer() = default;
  // `entries` has 2^log2_size zeroed entries, or those left by an earlier one at `position`.
  MessageProducer(Message<A, Body>* entries, uint32_t log2_size, uint32_t position = 0)
      : entries_(entries), log2_size_(log2_size), position_(position) {}

  // Where the next message is to be written. The caller knows that there is credit for it.
  Body* Next() {
    PrefetchForWriting(&At(position_ + kEntriesAhead));
    return &At(position_).body;
  }

  // A full fence, as SlotProducer::Publish.
  void Publish() {
    At(position_).lap.exchange((position_ >> log2_size_) + 1, std::memory_order_seq_cst);
    ++position_;
  }

  uint32_t position() const { return position_; }
  uint32_t size() const { return 1u << log2_size_; }

 private:
  Message<A, Body>& At(uint32_t position) const {
    return entries_[position & ((1u << log2_size_) - 1)];
  }

  Message<A, Body>* entries_ = nullptr;
  uint32_t log2_size_ = 0;
  uint32_t position_ = 0;
};

template <class A, class Body>
class MessageConsumer {
 public:
  MessageConsumer() = default;
  // `entries` has 2^log2_size zeroed entries, or those left by an earlier one at `position`.
  MessageConsumer(Message<A, Body>* entries, uint32_t log2_size, uint32_t position = 0)
      : entries_(entries), log2_size_(log2_size), mask_((1u << log2_size) - 1), position_(position) {}

  // The oldest unread message, or nullptr. It stays valid until Pop and the credit that follows from it.
  const Body* Front() const {
    const Message<A, Body>& entry = At(position_);
    if (entry.lap.load(std::memory_order_acquire) != (position_ >> log2_size_) + 1) return nullptr;
    return &entry.body;
  }

  // As Front() != nullptr, ordered after an announcement to park.
  bool HasWork() const {
    return At(position_).lap.load(std::memory_order_seq_cst) == (position_ >> log2_size_) + 1;
  }

  void Pop() { ++position_; }

  uint32_t position() const { return position_; }

 private:
  Message<A, Body>& At(uint32_t position) const {
    return entries_[position & mask_];
  }

  Message<A, Body>* entries_ = nullptr;
  uint32_t log2_size_ = 0;
  uint32_t mask_ = 0;  // its size - 1
  uint32_t position_ = 0;
};

}  // namespace manta::shm
