// Yardsticks: what this machine does without Manta.

#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "helper_programs.h"
#include "raw_pair.h"
#include "rows.h"
#include "shared_pages.h"

namespace manta::bench {
namespace {

// One call after the other. `pause` is slept before each call, outside of what is measured.
void PingPong(RowContext& context, RawPair& pair, const std::string& name, int64_t pause, int calls,
              bool driver_parks, Placement* placement) {
  Latencies latencies(static_cast<size_t>(calls));
  LatencyRounds rounds;
  uint64_t argument = 0;
  const int warm_up = pause == 0 ? calls / 10 : 2;
  for (int round = 0; round < context.rounds(); ++round) {
    int64_t last = NowNs();
    for (int call = -warm_up; call < calls; ++call) {
      if (pause != 0) {
        SleepNs(pause);
        last = NowNs();
      }
      uint32_t record;
      uint64_t result;
      ++argument;
      Require(pair.Send(static_cast<uint32_t>(argument), argument), "the ring is full");
      while (!pair.Receive(&record, &result)) {
        if (driver_parks) {
          pair.ParkForResult();
        } else {
          Relax();
        }
      }
      const int64_t now = NowNs();
      if (call >= 0) latencies.Add(now - last);
      CheckSum("ping-pong", result, Scramble(argument));
      if (pause != 0 || (call & 255) == 0) {
        placement->Saw(sched_getcpu(), pair.worker_cpu());
        last = NowNs();
      } else {
        last = now;
      }
    }
    rounds.Add(&latencies);
  }
  context.ReportLatency(name, rounds);
}

void RunPingPong(RowContext& context) {
  RawPair pair(WhenIdle::kSpin);
  Placement placement;
  PingPong(context, pair, "", 0, context.Pick(200'000, 20'000), false, &placement);
  context.Report(placement);
}

void RunPingPongParked(RowContext& context) {
  Placement placement;
  for (const bool driver_parks : {false, true}) {
    RawPair pair(WhenIdle::kPark);
    const std::string who = driver_parks ? "both park" : "worker parks";
    PingPong(context, pair, who + " 100us", 100'000, context.Pick(1'000, 200), driver_parks,
             &placement);
    PingPong(context, pair, who + " 10ms", 10'000'000, context.Pick(50, 10), driver_parks,
             &placement);
  }
  context.Report(placement);
}

// What an owner has to remember of a task at the least.
struct OwnerRecord {
  uint64_t value;
  uint32_t ready;
  uint32_t generation;
};

uint64_t SlotBatch(RawPair& pair, std::vector<OwnerRecord>& records, uint64_t first) {
  const auto count = static_cast<uint32_t>(records.size());
  uint32_t done = 0;
  const auto receive = [&] {
    uint32_t record;
    uint64_t result;
    if (!pair.Receive(&record, &result)) return false;
    records[record].value = result;
    records[record].ready = 1;
    ++done;
    return true;
  };
  for (uint32_t i = 0; i < count; ++i) {
    records[i].ready = 0;
    ++records[i].generation;
    while (!pair.Send(i, first + i)) receive();
  }
  while (done < count) {
    if (!receive()) Relax();
  }
  uint64_t sum = 0;
  uint64_t expected = 0;
  for (uint32_t i = 0; i < count; ++i) {
    sum += records[i].value;
    expected += Scramble(first + i);
  }
  CheckSum("batch of slots", sum, expected);
  return count;
}

void RunSlotBatches(RowContext& context) {
  RawPair pair(WhenIdle::kSpin);
  std::vector<OwnerRecord> records(1000);
  uint64_t first = 0;
  const BatchRates rates = MeasureRate(context, [&] {
    first += records.size();
    return SlotBatch(pair, records, first);
  });
  context.ReportRate("rate", rates);
}

// A call that the compiler cannot see through.
uint64_t (*volatile scramble_pointer)(uint64_t) = [](uint64_t value) { return Scramble(value); };

void RunFunctionCalls(RowContext& context) {
  uint64_t first = 0;
  const BatchRates rates = MeasureRate(context, [&] {
    uint64_t sum = 0;
    uint64_t expected = 0;
    for (uint64_t i = 0; i < 10'000; ++i) sum += scramble_pointer(first + i);
    for (uint64_t i = 0; i < 10'000; ++i) expected += Scramble(first + i);
    CheckSum("function calls", sum, expected);
    first += 10'000;
    return uint64_t{10'000};
  });
  context.ReportRate("rate", rates);
}

void RunTbb(RowContext& context) { RunHelperProgram("manta_bench_tbb", context); }

// ---- Memory

constexpr size_t kMiB = 1024 * 1024;

void RunCopies(RowContext& context) {
  const size_t bytes = context.Pick<size_t>(800, 100) * kMiB;
  const int rounds = context.Pick(5, 3);
  std::vector<unsigned char> source(bytes);
  for (size_t i = 0; i < bytes; i += 64) source[i] = static_cast<unsigned char>(i >> 6);
  const auto check = [&](const unsigned char* copy) {
    for (size_t i = 0; i < bytes; i += 4096 * 64 + 64)
      Require(copy[i] == source[i], "a copy is wrong");
  };
  std::vector<double> warm;
  std::vector<double> fresh;
  std::vector<double> populated;
  const auto rate = [bytes](int64_t ns) {
    return static_cast<double>(bytes) * 1e9 / static_cast<double>(ns);
  };
  {
    SharedPages pages(bytes);
    std::memcpy(pages.data(), source.data(), bytes);
    for (int round = 0; round < rounds; ++round) {
      const int64_t start = NowNs();
      std::memcpy(pages.data(), source.data(), bytes);
      warm.push_back(rate(NowNs() - start));
      check(pages.data());
    }
  }
  for (int round = 0; round < rounds; ++round) {
    SharedPages pages(bytes);
    const int64_t start = NowNs();
    std::memcpy(pages.data(), source.data(), bytes);
    fresh.push_back(rate(NowNs() - start));
    check(pages.data());
  }
  for (int round = 0; round < rounds; ++round) {
    SharedPages pages(bytes);
    const int64_t start = NowNs();
    Require(madvise(pages.data(), bytes, MADV_POPULATE_WRITE) == 0, "MADV_POPULATE_WRITE failed");
    std::memcpy(pages.data(), source.data(), bytes);
    populated.push_back(rate(NowNs() - start));
    check(pages.data());
  }
  context.Report(Metric{"into warm shared memory", kBytesPerSecond, Better::kHigher, warm});
  context.Report(Metric{"into fresh memfd pages", kBytesPerSecond, Better::kHigher, fresh});
  context.Report(
      Metric{"populate fresh pages, then copy", kBytesPerSecond, Better::kHigher, populated});
  context.Note(std::to_string(bytes / kMiB) + " MiB, one thread");
}

}  // namespace

std::vector<Row> RawRows() {
  return {
      {"raw.pingpong",
       "8 bytes through a task slot to a spinning process and back through a completion, one at a "
       "time: the "
       "rings of src/shm, no runtime",
       RunPingPong},
      {"raw.pingpong_parked",
       "the same when the other process sleeps on its doorbell (futex), after a pause; the driver "
       "spins for the "
       "answer, or parks too",
       RunPingPongParked, 120},
      {"raw.slots",
       "the same slots in batches of 1,000, with a 16-byte record for each task at its owner",
       RunSlotBatches},
      {"raw.tbb",
       "oneTBB task_group, two threads of one process, batches of 1,000 with an argument and a "
       "result each",
       RunTbb},
      {"raw.function", "plain calls of the same function through a pointer, in this process",
       RunFunctionCalls},
      {"raw.memcpy", "memcpy between private and shared memory", RunCopies, 120},
  };
}

}  // namespace manta::bench
