// Fibonacci numbers by tasks that call tasks.
//
//   fibonacci [N]                 default: 20
//
// The worst way to compute them, but a good test of small tasks: each one submits two more and waits
// for them. A task that waits does not occupy its processor, and runs those of its children itself
// that nobody else has begun, so that two processors need two workers however deep this goes.
#include <manta/manta.h>

#include <chrono>
#include <cstdint>
#include <cstdio>

#include "number_argument.h"

int64_t Fibonacci(int n) {
  if (n < 2) return n;
  const manta::ObjectRef<int64_t> one = manta::Task(Fibonacci).Remote(n - 1);
  const manta::ObjectRef<int64_t> other = manta::Task(Fibonacci).Remote(n - 2);
  return *manta::Get(one) + *manta::Get(other);
}

int main(int argc, char** argv) {
  const int n = static_cast<int>(NumberArgument(argc, argv, "N", 20, 0, 40));
  manta::Init();
  const auto start = std::chrono::steady_clock::now();
  const int64_t result = *manta::Get(manta::Task(Fibonacci).Remote(n));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  manta::Shutdown();

  // The same by a loop, and the number of tasks that the recursion took: 1, 1, 3, 5, 9, ...
  int64_t expected = 0, next = 1, tasks = 1, tasks_of_next = 1;
  for (int i = 0; i < n; ++i) {
    const int64_t sum = expected + next;
    expected = next;
    next = sum;
    const int64_t tasks_of_sum = tasks + tasks_of_next + 1;
    tasks = tasks_of_next;
    tasks_of_next = tasks_of_sum;
  }
  std::printf("Fibonacci(%d) = %lld, by %lld tasks in %.3f s: %.0f tasks/s\n", n,
              static_cast<long long>(result), static_cast<long long>(tasks), seconds.count(),
              double(tasks) / seconds.count());
  return result == expected ? 0 : 1;
}
