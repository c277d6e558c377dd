// Times until something is to be done, of which a negative one means: never.
#pragma once

#include <algorithm>
#include <cstdint>

namespace manta::worker {

constexpr int64_t Sooner(int64_t one, int64_t other) {
  if (one < 0 || other < 0) return std::max(one, other);
  return std::min(one, other);
}

}  // namespace manta::worker
