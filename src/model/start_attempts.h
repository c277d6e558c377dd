// When to start workers of a program whose workers do not come. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/time.h"

namespace manta::model {

// Attempts are counted in rounds: all starts between one failure and the next are one attempt, since what keeps one worker from
// coming keeps its neighbours, too. A worker carries the round that it was started in.
class StartAttempts {
 public:
  static constexpr uint64_t kLimit = 5;  // in a row, before those that wait are told
  static constexpr Nanoseconds kFirstDelay = 10'000'000;
  static constexpr Nanoseconds kLongestDelay = 1'000'000'000;

  // That of a start now.
  uint64_t round() const { return round_; }
  // No start before that.
  Nanoseconds not_before() const { return not_before_; }

  void Failed(Nanoseconds now, uint64_t round) {
    if (round != round_) return;  // a neighbour of one that has been counted
    ++round_;
    Nanoseconds delay = kFirstDelay;
    for (uint64_t i = 1; i < failures() && delay < kLongestDelay; ++i) delay *= 4;
    not_before_ = now + std::min(delay, kLongestDelay);
  }
  // A worker of this round has done something: what failed until then is no row any more.
  void Served(uint64_t round) { forgotten_ = std::max(forgotten_, round); }

  uint64_t failures() const { return round_ - 1 > forgotten_ ? round_ - 1 - forgotten_ : 0; }
  bool exhausted() const { return failures() >= kLimit; }
  // Those that waited have been told. Others may find that the cause has gone.
  void GiveUp(Nanoseconds now) {
    forgotten_ = std::max(forgotten_, round_ - 1);
    not_before_ = now + kLongestDelay;
  }

 private:
  uint64_t round_ = 1;
  uint64_t forgotten_ = 0;  // rounds up to this one do not count
  Nanoseconds not_before_ = 0;
};

}  // namespace manta::model
