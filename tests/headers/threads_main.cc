// Several threads at once: the same function, the same caller object, values that die elsewhere. It
// is the thread sanitizer that finds what is wrong.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "manta/manta.h"

namespace {

template <int N>
int64_t Add(int64_t x) {
  return x + N;
}
struct Counter {
  int64_t Add(int64_t x) { return x; }
};

using Function = int64_t (*)(int64_t);

// More functions of one signature than the cache of their ids has places.
template <int... N>
std::vector<Function> Functions(std::integer_sequence<int, N...>) {
  return {Add<N>...};
}

}  // namespace

int main() {
  const std::vector<Function> functions = Functions(std::make_integer_sequence<int, 40>());
  const auto caller = manta::Task(functions[0]).SetNumCpus(2);
  const auto counter = manta::Actor<Counter>().Remote();
  const auto reference = manta::Put(int64_t{5});
  std::mutex mutex;
  std::vector<std::shared_ptr<int64_t>> values;
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int64_t i = 0; i < 2000; ++i) {
        manta::Task(functions[static_cast<size_t>(i) % functions.size()]).Remote(i);
        caller.Remote(i);
        counter.Task(&Counter::Add).Remote(i);
        manta::ObjectRef<int64_t> copy = reference;
        std::shared_ptr<int64_t> value = copy.Get();
        sum += *value;
        const std::lock_guard<std::mutex> lock(mutex);
        values.push_back(std::move(value));
        if (values.size() > 100) values.clear();  // most were made by other threads
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  values.clear();
  const bool is_right = sum == 4 * 2000 * 5;
  std::puts(is_right ? "ok" : "failed: wrong values");
  return is_right ? 0 : 1;
}
