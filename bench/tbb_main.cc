// The oneTBB yardstick, as a program of its own so that the benchmark itself (and every worker that
// is made of it) does not load the library. Arguments: the descriptor to report to, and --quick.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "harness.h"

namespace {

using manta::bench::Scramble;

uint64_t Batch(std::vector<uint64_t>& results, uint64_t first) {
  tbb::task_group group;
  for (size_t i = 0; i < results.size(); ++i) {
    uint64_t* result = &results[i];
    group.run([result, argument = first + i] { *result = Scramble(argument); });
  }
  group.wait();
  uint64_t sum = 0;
  uint64_t expected = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    sum += results[i];
    expected += Scramble(first + i);
  }
  manta::bench::CheckSum("oneTBB batch", sum, expected);
  return results.size();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  manta::bench::Options options;
  options.quick = argc > 2;
  manta::bench::RowContext context(options, std::atoi(argv[1]));
  try {
    tbb::global_control two_threads(tbb::global_control::max_allowed_parallelism, 2);
    tbb::task_arena arena(2);
    std::vector<uint64_t> results(1000);
    uint64_t first = 0;
    const manta::bench::BatchRates rates = arena.execute([&] {
      return manta::bench::MeasureRate(context, [&] {
        first += results.size();
        return Batch(results, first);
      });
    });
    context.ReportRate("rate", rates);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "manta_bench_tbb: %s\n", error.what());
    return 1;
  }
  return 0;
}
