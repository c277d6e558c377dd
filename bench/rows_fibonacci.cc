// Recursion by tasks.

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "processes.h"
#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

uint64_t Fibonacci(int n) {
  if (n < 2) return static_cast<uint64_t>(n);
  const auto task = Task(Fibonacci);
  const ObjectRef<uint64_t> left = task.Remote(n - 1);
  const ObjectRef<uint64_t> right = task.Remote(n - 2);
  return *Get(left) + *Get(right);
}

constexpr int kDepth = 22;
constexpr uint64_t kValue = 17'711;  // fib(22)
constexpr uint64_t kTasks = 57'313;  // 2 * fib(23) - 1

void RunFibonacci(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  const auto run = [] { CheckSum("fib(22)", *Get(Task(Fibonacci).Remote(kDepth)), kValue); };
  run();
  std::vector<double> rates;
  for (int round = 0; round < context.rounds(); ++round) {
    const int64_t start = NowNs();
    run();
    rates.push_back(static_cast<double>(kTasks) * 1e9 / static_cast<double>(NowNs() - start));
  }
  // Counted in runs of their own: looking takes time from who is looked at.
  std::vector<double> most;
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> stop{false};
    std::set<pid_t> seen;
    std::thread watcher([&] {
      while (!stop) {
        for (const Process& process : ProcessesOf(getpid())) {
          if (process.role == ProcessRole::kWorker) seen.insert(process.pid);
        }
        SleepNs(2'000'000);
      }
    });
    try {
      run();
    } catch (...) {
      stop = true;
      watcher.join();
      throw;
    }
    stop = true;
    watcher.join();
    most.push_back(static_cast<double>(seen.size()));
  }
  context.Report(Metric{"tasks",
                        kPerSecond,
                        Better::kHigher,
                        rates,
                        Target{"4,000,000 tasks/s", 4e6},
                        {"tasks.batch/rate", "raw.function/rate"}});
  context.Report(
      Metric{"worker processes seen", "", Better::kLower, most,
             Target{"at most twice the cores", 2.0 * std::thread::hardware_concurrency()}});
}

}  // namespace

std::vector<Row> FibonacciRows() {
  return {
      {"tasks.fibonacci",
       "fib(22): each task submits two and waits for both (57,313 tasks; children may run in "
       "place)",
       RunFibonacci,
       60,
       {"tasks.batch", "raw.function"}},
  };
}

}  // namespace manta::bench
