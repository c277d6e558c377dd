// The writing end of a channel's byte ring. Space is given out contiguously in the order of the entries (slots or completions) that
// use it, and comes back in that order; which entries the other side has finished with is known by other means, so the ring itself
// has no shared word.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace manta::shm {

// Not thread-safe.
class PayloadRing {
 public:
  PayloadRing() = default;
  explicit PayloadRing(uint32_t bytes) : bytes_(bytes) {}

  // Offset of `size` contiguous bytes, aligned to 64, for the entry at `position`; or nothing while there is no such room.
  std::optional<uint32_t> Allocate(uint32_t size, uint32_t position) {
    const uint64_t rounded = (uint64_t{size} + 63) / 64 * 64;
    if (rounded > bytes_) return std::nullopt;
    // An empty ring starts over, so that light use keeps to the same warm pages.
    if (head_ == tail_) head_ = tail_ = (head_ + bytes_ - 1) / bytes_ * bytes_;
    uint64_t begin = head_;
    const uint64_t until_end = bytes_ - begin % bytes_;
    if (rounded > until_end) begin += until_end;
    if (begin + rounded - tail_ > bytes_) return std::nullopt;
    head_ = begin + rounded;
    uses_.push_back({position, head_});
    return static_cast<uint32_t>(begin % bytes_);
  }

  // Takes back the space of the oldest entries for which `is_done(position)`; stops at the first that is not. Before Allocate, and once a
  // lap of the entries, so that no position here is so old that it seems to be ahead.
  template <class IsDone>
  void Reclaim(IsDone is_done) {
    while (!uses_.empty() && is_done(uses_.front().position)) {
      tail_ = uses_.front().end;
      uses_.pop_front();
    }
  }

 private:
  struct Use {
    uint32_t position;
    uint64_t end;  // of its space
  };

  uint32_t bytes_ = 0;
  uint64_t head_ = 0;
  uint64_t tail_ = 0;
  std::deque<Use> uses_;  // of entries with payload, oldest first
};

// For `is_done`: the entries before `consumed`. Positions wrap around.
struct Before {
  uint32_t consumed;
  bool operator()(uint32_t position) const { return static_cast<int32_t>(consumed - position) > 0; }
};

}  // namespace manta::shm
