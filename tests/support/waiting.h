// Waiting for something outside of this process, with a bound.
#pragma once

#include <chrono>
#include <thread>

namespace manta_test {

// Whether `holds` becomes true within the time. It is asked once more when the time is up.
template <class Predicate>
[[nodiscard]] bool Eventually(std::chrono::milliseconds within, Predicate holds) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!holds()) {
    if (std::chrono::steady_clock::now() >= deadline) return holds();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace manta_test
