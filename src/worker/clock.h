// Time of this process's machine.
#pragma once

#include <time.h>

#include <cstdint>

namespace manta::worker {

inline int64_t ReadClock(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline int64_t NowNs() { return ReadClock(CLOCK_MONOTONIC); }

}  // namespace manta::worker
