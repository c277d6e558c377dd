// How long a call may wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <type_traits>

namespace manta {
inline namespace v1 {

// Made implicitly from a number of milliseconds (as in Ray: negative means without limit) or from
// any std::chrono duration. Zero only looks, without waiting.
class Timeout {
 public:
  template <class Number, std::enable_if_t<std::is_integral_v<Number>, int> = 0>
  constexpr Timeout(Number milliseconds)  // NOLINT: implicit
      : nanoseconds_(FromMilliseconds(milliseconds)) {}
  template <class Number, std::enable_if_t<std::is_floating_point_v<Number>, int> = 0>
  Timeout(Number) = delete;  // seconds or milliseconds? Say it with a duration.

  template <class Rep, class Period>
  constexpr Timeout(std::chrono::duration<Rep, Period> duration)  // NOLINT: implicit
      : nanoseconds_(FromDuration(duration)) {}

  static constexpr Timeout Never() { return Timeout(-1); }

  // As the C interface wants it: negative means without limit.
  constexpr int64_t nanoseconds() const { return nanoseconds_; }

 private:
  static constexpr int64_t kNever = -1;
  static constexpr int64_t kMaxSeconds = 9000000000;  // what fits, as nanoseconds, into an int64_t

  template <class Number>
  static constexpr int64_t FromMilliseconds(Number milliseconds) {
    if constexpr (std::is_signed_v<Number>) {
      if (milliseconds < 0) return kNever;
    }
    const auto positive = static_cast<uint64_t>(milliseconds);
    if (positive > static_cast<uint64_t>(kMaxSeconds) * 1000) return kNever;
    return static_cast<int64_t>(positive) * 1000000;
  }
  template <class Rep, class Period>
  static constexpr int64_t FromDuration(std::chrono::duration<Rep, Period> duration) {
    using Seconds = std::chrono::duration<double>;
    const double seconds = std::chrono::duration_cast<Seconds>(duration).count();
    if (!(seconds < static_cast<double>(kMaxSeconds))) return kNever;
    if (seconds <= 0) return 0;
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  }

  int64_t nanoseconds_;
};

}  // namespace v1
}  // namespace manta
