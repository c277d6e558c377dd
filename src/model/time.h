// Time as the state machines see it: an argument.
#pragma once

#include <cstdint>
#include <limits>

namespace manta::model {

using Nanoseconds = int64_t;  // since any fixed moment

inline constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();

}  // namespace manta::model
