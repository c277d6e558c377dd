// The writing end of a channel's byte ring. Space is given out contiguously in the order of the entries (slots or completions) that
// it belongs to, and comes back in that order; which entries the other side has finished with is known by other means, so the
// ring itself has no shared word.
#pragma once

#include <cstdint>
#include <optional>

namespace manta::shm {

// Not thread-safe.
class PayloadRing {
 public:
  PayloadRing() = default;
  explicit PayloadRing(uint32_t bytes) : bytes_(bytes) {}

  // Offset of `size` contiguous bytes, aligned to 64, or nothing while there is no such room.
  std::optional<uint32_t> Allocate(uint32_t size) {
    const uint64_t rounded = (uint64_t{size} + 63) / 64 * 64;
    if (rounded > bytes_) return std::nullopt;
    // An empty ring starts over, so that light use keeps to the same warm pages.
    if (head_ == tail_) head_ = tail_ = (head_ + bytes_ - 1) / bytes_ * bytes_;
    uint64_t begin = head_;
    const uint64_t until_end = bytes_ - begin % bytes_;
    if (rounded > until_end) begin += until_end;
    if (begin + rounded - tail_ > bytes_) return std::nullopt;
    head_ = begin + rounded;
    return static_cast<uint32_t>(begin % bytes_);
  }

  // A mark to hand to FreeUpTo when all that was allocated before it is free.
  uint64_t mark() const { return head_; }
  void FreeUpTo(uint64_t mark) { tail_ = mark; }
  bool empty() const { return head_ == tail_; }

 private:
  uint32_t bytes_ = 0;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
};

}  // namespace manta::shm
