// One program, two systems: compiled against the ray-cpp package and against Manta's <ray/api.h>, unchanged. Prints one JSON object a line:
// {"row": ..., "value": ..., "unit": ...}. Uses only what both have.
//
//   common SECONDS [LIBRARY]    how long each repeated row takes at least; Ray's workers need the code as a library, too
#include <ray/api.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

void Print(const char* row, double value, const char* unit) {
  std::printf("{\"row\": \"%s\", \"value\": %.9g, \"unit\": \"%s\"}\n", row, value, unit);
  std::fflush(stdout);
}

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "common: wrong result: %s\n", what);
  std::exit(1);
}

// How often `step` runs in a second; each run counts `each` times. The first runs warm up.
template <class Step>
double Rate(double seconds, int each, Step step) {
  const auto warm = Clock::now();
  do step();
  while (SecondsSince(warm) < seconds / 4);
  const auto begin = Clock::now();
  int64_t runs = 0;
  do {
    step();
    ++runs;
  } while (SecondsSince(begin) < seconds);
  return static_cast<double>(runs) * each / SecondsSince(begin);
}

}  // namespace

int64_t Next(int64_t x) { return x + 1; }
RAY_REMOTE(Next);

int64_t SizeOf(std::vector<char> bytes) { return static_cast<int64_t>(bytes.size()); }
RAY_REMOTE(SizeOf);

int64_t Fibonacci(int64_t n) {
  if (n < 2) return n;
  const auto left = ray::Task(Fibonacci).Remote(n - 1);
  const auto right = ray::Task(Fibonacci).Remote(n - 2);
  return *ray::Get(left) + *ray::Get(right);
}
RAY_REMOTE(Fibonacci);

class Counter {
 public:
  int64_t Add(int64_t x) { return total_ += x; }
  int64_t Get() { return total_; }
  static Counter* Create() { return new Counter(); }

 private:
  int64_t total_ = 0;
};
RAY_REMOTE(Counter::Create, &Counter::Add, &Counter::Get);

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  constexpr int kBatch = 1000;

  const auto begin = Clock::now();
  ray::RayConfig config;
  if (argc > 2) config.code_search_path = {argv[2]};
  ray::Init(config);
  Expect(*ray::Get(ray::Task(Next).Remote(1)) == 2, "first task");
  Print("Init to first result", SecondsSince(begin) * 1e3, "ms");

  int64_t n = 0;
  Print("task, one at a time", Rate(seconds, 1, [&] {
          Expect(*ray::Get(ray::Task(Next).Remote(n)) == n + 1, "task");
          ++n;
        }), "1/s");
  Print("tasks in batches of 1,000", Rate(seconds, kBatch, [&] {
          std::vector<ray::ObjectRef<int64_t>> refs;
          for (int i = 0; i < kBatch; ++i) refs.push_back(ray::Task(Next).Remote(n + i));
          Expect(*ray::Get(refs).back() == n + kBatch, "batch");
          n += kBatch;
        }), "1/s");
  Print("tasks with a reference each, batches of 100", Rate(seconds, 100, [&] {
          const auto argument = ray::Put(n);
          std::vector<ray::ObjectRef<int64_t>> refs;
          for (int i = 0; i < 100; ++i) refs.push_back(ray::Task(Next).Remote(argument));
          Expect(*ray::Get(refs).back() == n + 1, "references");
          ++n;
        }), "1/s");
  Print("chain of 100 tasks", Rate(seconds, 100, [&] {
          auto last = ray::Task(Next).Remote(0);
          for (int i = 1; i < 100; ++i) last = ray::Task(Next).Remote(last);
          Expect(*ray::Get(last) == 100, "chain");
        }), "1/s");
  {
    const auto start = Clock::now();
    Expect(*ray::Get(ray::Task(Fibonacci).Remote(8)) == 21, "Fibonacci");  // 67 tasks
    Print("Fibonacci(8) by tasks", SecondsSince(start) * 1e3, "ms");
  }

  {
    auto counter = ray::Actor(Counter::Create).Remote();
    int64_t total = 0;
    Print("actor call, one at a time", Rate(seconds, 1, [&] {
            Expect(*ray::Get(counter.Task(&Counter::Add).Remote(1)) == ++total, "actor call");
          }), "1/s");
    Print("actor calls in batches of 1,000", Rate(seconds, kBatch, [&] {
            std::vector<ray::ObjectRef<int64_t>> refs;
            for (int i = 0; i < kBatch; ++i) refs.push_back(counter.Task(&Counter::Add).Remote(1));
            total += kBatch;
            Expect(*ray::Get(refs).back() == total, "actor calls");
          }), "1/s");
    counter.Kill();
  }
  {
    const auto start = Clock::now();
    std::vector<ray::ActorHandle<Counter>> counters;
    std::vector<ray::ObjectRef<int64_t>> answers;
    for (int i = 0; i < 10; ++i) {
      counters.push_back(ray::Actor(Counter::Create).Remote());
      answers.push_back(counters.back().Task(&Counter::Add).Remote(i));
    }
    for (int i = 0; i < 10; ++i) Expect(*ray::Get(answers[i]) == i, "many actors");
    Print("10 actors created and called", SecondsSince(start) * 1e3, "ms");
    for (auto& counter : counters) counter.Kill();
  }

  Print("put of a number", Rate(seconds, 1, [&] { ray::Put(++n); }), "1/s");
  {
    Print("put and get of a number", Rate(seconds, 1, [&] {
            const auto ref = ray::Put(++n);
            Expect(*ray::Get(ref) == n, "number");
          }), "1/s");
    const auto ref = ray::Put(n);
    Print("repeated get of one number", Rate(seconds / 4, 1, [&] { Expect(*ray::Get(ref) == n, "number"); }), "1/s");
  }
  {
    const auto start = Clock::now();
    std::vector<ray::ObjectRef<int64_t>> refs;
    for (int i = 0; i < kBatch; ++i) refs.push_back(ray::Task(Next).Remote(i));
    std::vector<ray::ObjectRef<int64_t>> left = refs;  // what a careful user of the interface writes
    while (!left.empty()) {
      const auto result = ray::Wait(left, 1, 10'000);
      Expect(result.ready.size() == 1, "Wait");
      left.assign(result.unready.begin(), result.unready.end());
    }
    Print("Wait over 1,000 tasks, one at a time", SecondsSince(start) * 1e3, "ms");
  }
  {
    const std::vector<char> bytes(100 << 20, 'x');
    Print("put of 100 MiB", Rate(seconds, 1, [&] { ray::Put(bytes); }) * bytes.size() / 1e9, "GB/s");
    const auto large = ray::Put(bytes);
    Print("get of 100 MiB", Rate(seconds / 2, 1, [&] { Expect(ray::Get(large)->size() == bytes.size(), "large"); }) * bytes.size() / 1e9, "GB/s");
    Expect(*ray::Get(ray::Task(SizeOf).Remote(large)) == static_cast<int64_t>(bytes.size()), "large argument");
  }
  ray::Shutdown();
}
