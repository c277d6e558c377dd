// Objects, small and large.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "rows.h"
#include "shared_pages.h"
#include "workload.h"

namespace manta::bench {
namespace {

// ---- Small

struct Block {
  uint64_t words[8];
};
static_assert(sizeof(Block) == 64);

Block BlockOf(uint64_t argument) {
  return {{argument, argument + 1, argument + 2, argument + 3, argument + 4, argument + 5,
           argument + 6, argument + 7}};
}

uint64_t SumOf(const Block& block) {
  uint64_t sum = 0;
  for (const uint64_t word : block.words) sum += word;
  return sum;
}

uint64_t SumBlockTask(const Block& block) { return SumOf(block); }

void RunSmallPuts(RowContext& context) {
  Cluster cluster;
  std::vector<ObjectRef<Block>> references;
  uint64_t first = 0;
  const BatchRates rates = MeasureRate(context, [&] {
    first += 1000;
    references.clear();
    for (uint64_t i = 0; i < 1000; ++i) references.push_back(Put(BlockOf(first + i)));
    const uint64_t probe = first % 997;
    CheckSum("object", SumOf(*Get(references[probe])), SumOf(BlockOf(first + probe)));
    return uint64_t{1000};
  });
  std::vector<Block> blocks;
  GetInto(references, blocks);
  for (uint64_t i = 0; i < 1000; ++i)
    CheckSum("object", SumOf(blocks[i]), SumOf(BlockOf(first + i)));
  context.ReportRate("rate", rates, Target{"10,000,000/s", 1e7});
}

void RunSmallSent(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  const auto task = Task(SumBlockTask);
  std::vector<ObjectRef<Block>> objects;
  std::vector<ObjectRef<uint64_t>> results;
  std::vector<uint64_t> sums;
  uint64_t first = 0;
  const BatchRates rates = MeasureRate(context, [&] {
    first += 1000;
    objects.clear();
    results.clear();
    for (uint64_t i = 0; i < 1000; ++i) objects.push_back(Put(BlockOf(first + i)));
    for (uint64_t i = 0; i < 1000; ++i) results.push_back(task.Remote(objects[i]));
    GetInto(results, sums);
    uint64_t sum = 0;
    uint64_t expected = 0;
    for (uint64_t i = 0; i < 1000; ++i) {
      sum += sums[i];
      expected += SumOf(BlockOf(first + i));
    }
    CheckSum("objects read in another process", sum, expected);
    return uint64_t{1000};
  });
  context.ReportRate("objects", rates, Target{"3,000,000/s", 3e6}, {"tasks.batch/rate"});
}

// ---- Large

using Large = Array<uint64_t>;
constexpr size_t kMiB = 1024 * 1024;
constexpr size_t kStep = 2 * kMiB;  // of populating

size_t LargeBytes(const RowContext& context) { return context.Pick<size_t>(800, 100) * kMiB; }

Large MakeLarge(size_t bytes) {
  return Large(bytes / sizeof(uint64_t), [](uint64_t* data, size_t count) {
    for (size_t i = 0; i < count; ++i) data[i] = i * 0x9e3779b97f4a7c15u;
  });
}

// Every 512th element: one for each page.
uint64_t SumOfPages(const Large& large) {
  uint64_t sum = large.size();
  for (size_t i = 0; i < large.size(); i += 512) sum += large[i];
  return sum;
}

struct SumElsewhere {
  uint64_t sum = 0;
  int32_t pid = 0;
};
SumElsewhere SumLargeTask(const Large& large) { return {SumOfPages(large), getpid()}; }

uint64_t FirstElementTask(const Large& large) { return large[0] + large.size(); }

double Rate(size_t bytes, int64_t ns) {
  return static_cast<double>(bytes) * 1e9 / static_cast<double>(ns);
}

double CopyRate(const SharedPages& pages, const Large& source) {
  const size_t bytes = source.size() * sizeof source[0];
  const int64_t start = NowNs();
  std::memcpy(pages.data(), source.data(), bytes);
  return Rate(bytes, NowNs() - start);
}

// What a put can come to that makes fresh pages on two cores: half of them and half of the copy on each.
double CopyRateOfTwo(const SharedPages& pages, const Large& source) {
  const size_t bytes = source.size() * sizeof source[0];
  const size_t half = bytes / 2 / kStep * kStep;
  const auto* from = reinterpret_cast<const unsigned char*>(source.data());
  const auto copy = [&](size_t begin, size_t end) {
    for (size_t at = begin; at < end; at += kStep) {
      const size_t size = std::min(kStep, end - at);
      Require(madvise(pages.data() + at, size, MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE failed");
      std::memcpy(pages.data() + at, from + at, size);
    }
  };
  const int64_t start = NowNs();
  std::thread other([&] { copy(half, bytes); });
  copy(0, half);
  other.join();
  return Rate(bytes, NowNs() - start);
}

// What hosts give for fresh pages varies within a run: each round has its own copies to be compared with.
void RunLargeFirst(RowContext& context) {
  const size_t bytes = LargeBytes(context);
  const Large source = MakeLarge(bytes);
  const uint64_t expected = SumOfPages(source);
  std::vector<double> rates;
  std::vector<double> copies;
  std::vector<double> copies_of_two;
  std::vector<double> ratios;
  for (int round = 0; round < context.Pick(5, 3); ++round) {
    copies.push_back(CopyRate(SharedPages(bytes), source));
    copies_of_two.push_back(CopyRateOfTwo(SharedPages(bytes), source));
    Cluster cluster;
    const int64_t start = NowNs();
    const ObjectRef<Large> reference = Put(source);
    rates.push_back(Rate(bytes, NowNs() - start));
    CheckSum("large object", SumOfPages(*Get(reference)), expected);
    ratios.push_back(rates.back() / copies.back());
  }
  context.Report(Metric{"rate", kBytesPerSecond, Better::kHigher, rates, {}, {"raw.memcpy/populate fresh pages, then copy"}});
  context.Report(Metric{"memcpy into fresh memfd pages, in turn with it", kBytesPerSecond, Better::kHigher, copies});
  context.Report(Metric{"two threads that populate and copy a half each, in turn with it", kBytesPerSecond, Better::kHigher, copies_of_two});
  context.Report(Metric{"rate / that of memcpy", "", Better::kHigher, ratios, Target{"twice memcpy into fresh pages", 2}});
  context.Note(std::to_string(bytes / kMiB) + " MiB");
}

void RunLargeWarm(RowContext& context) {
  const size_t bytes = LargeBytes(context);
  const Large source = MakeLarge(bytes);
  const uint64_t expected = SumOfPages(source);
  Cluster cluster;
  std::vector<double> rates;
  std::vector<double> copies;
  std::vector<double> ratios;
  const SharedPages pages(bytes);
  const int warm_up = 2;
  for (int round = -warm_up; round < context.Pick(7, 3); ++round) {
    const double copy = CopyRate(pages, source);
    const int64_t start = NowNs();
    const ObjectRef<Large> reference = Put(source);
    const int64_t elapsed = NowNs() - start;
    CheckSum("large object", SumOfPages(*Get(reference)), expected);
    if (round < 0) continue;
    rates.push_back(Rate(bytes, elapsed));
    copies.push_back(copy);
    ratios.push_back(rates.back() / copy);
  }
  context.Report(Metric{"rate", kBytesPerSecond, Better::kHigher, rates});
  context.Report(Metric{"memcpy into warm shared memory, in turn with it", kBytesPerSecond, Better::kHigher, copies});
  context.Report(Metric{"rate / that of memcpy", "", Better::kHigher, ratios,
                        Target{"90 % of memcpy into warm shared memory", 0.9}});
  context.Note(std::to_string(bytes / kMiB) +
               " MiB; each object is dropped before the next is put");
}

void RunLargeGet(RowContext& context) {
  const size_t bytes = LargeBytes(context);
  const Large source = MakeLarge(bytes);
  Cluster cluster;
  const ObjectRef<Large> reference = Put(source);
  const int calls = context.Pick(10'000, 1'000);
  const uint64_t* place = Get(reference)->data();
  Require(place != source.data(), "Put did not store the value");

  Latencies latencies(static_cast<size_t>(calls));
  LatencyRounds rounds;
  for (int round = 0; round < context.rounds(); ++round) {
    for (int i = 0; i < calls; ++i) {
      const size_t index = Scramble(static_cast<uint64_t>(i)) % source.size();
      const int64_t start = NowNs();
      const std::shared_ptr<Large> value = Get(reference);
      latencies.Add(NowNs() - start);
      Require(value->data() == place, "Get copied the value");
      CheckSum("element", (*value)[index], source[index]);
    }
    rounds.Add(&latencies);
  }
  context.ReportLatency("Get here", rounds, Target{"under 2 µs", 1999});

  const SumElsewhere there = *Get(Task(SumLargeTask).Remote(reference));
  RequireOtherProcess(there.pid);
  CheckSum("large object in another process", there.sum, SumOfPages(source));
  const auto task = Task(FirstElementTask);
  const int tasks = context.Pick(2'000, 500);
  Placement placement;
  for (int round = 0; round < context.rounds(); ++round) {
    for (int i = 0; i < tasks; ++i) {
      const int64_t start = NowNs();
      const uint64_t sum = *Get(task.Remote(reference));
      latencies.Add(NowNs() - start);
      CheckSum("first element", sum, source[0] + source.size());
      if (i % 256 == 0)
        placement.Saw(sched_getcpu(), Get(Task(WhereTask).Remote(uint64_t(i)))->cpu);
    }
    rounds.Add(&latencies);
  }
  const auto half = static_cast<ptrdiff_t>(rounds.p50.size() / 2);
  context.ReportLatency("task that reads it in place",
                        {{rounds.p50.begin() + half, rounds.p50.end()},
                         {rounds.p99.begin() + half, rounds.p99.end()}},
                        {}, {"tasks.roundtrip/p50"});
  context.Report(placement);
  context.Note(std::to_string(bytes / kMiB) +
               " MiB, in the process that put it, and as the argument of a task in another");
}

}  // namespace

std::vector<Row> ObjectRows() {
  return {
      {"objects.put_small",
       "Put of 64 bytes, 1,000 references held, then dropped within the measured time",
       RunSmallPuts},
      {"objects.send_small",
       "1,000 times Put of 64 bytes, a task for each that is given the reference and reads the "
       "value in another "
       "process, GetInto of the 1,000 answers",
       RunSmallSent,
       60,
       {"tasks.batch"}},
      {"objects.put_large_first",
       "Put of one large array right after Init, in a fresh cluster each time",
       RunLargeFirst,
       120,
       {"raw.memcpy"}},
      {"objects.put_large_warm",
       "Put of one large array into space that an object before it left",
       RunLargeWarm,
       120,
       {"raw.memcpy"}},
      {"objects.get_large",
       "Get of a large array without a copy (checked by its address)",
       RunLargeGet,
       120,
       {"tasks.roundtrip"}},
  };
}

}  // namespace manta::bench
