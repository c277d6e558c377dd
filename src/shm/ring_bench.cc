// What a channel costs between two processes, and an event of the flight recorder. A program of its
// own, for it needs two processes: ring_bench [seconds per row]. On a machine with other work the
// best batch says more than the mean: a process that spins waits for one that has no core.
#include <stdio.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "shm/channel.h"
#include "shm/flight_recorder.h"
#include "shm/test_processes.h"

namespace manta::shm {
namespace {

constexpr uint32_t kStop = ~0u;

struct BenchChannel {
  TaskSlot slots[1u << kLog2Slots];
  Completion completions[1u << kLog2Completions];
  Doorbell<RealAtomics> owner;
  Doorbell<RealAtomics> worker;
};

enum class Idle { kSpin, kPark };

template <class HasWork>
void WaitFor(Idle idle, Doorbell<RealAtomics>& doorbell, HasWork has_work) {
  if (idle == Idle::kSpin) {
    CpuRelax();
    return;
  }
  doorbell.Announce();
  if (!has_work()) Park(doorbell, -1);
  doorbell.Cancel();
}

// Claims tasks; answers each with a completion if `answers`.
int Work(BenchChannel& channel, Idle idle, bool answers) {
  SlotConsumer<RealAtomics, TaskBody> tasks(channel.slots, kLog2Slots);
  MessageProducer<RealAtomics, CompletionBody> completions(channel.completions, kLog2Completions);
  for (;;) {
    uint32_t position = 0;
    const TaskBody* task = tasks.Claim(&position);
    if (task == nullptr) {
      WaitFor(idle, channel.worker, [&] { return tasks.HasWork(); });
      continue;
    }
    const uint32_t record = task->record;
    if (answers) {
      CompletionBody* completion = completions.Next();
      completion->record = record;
      completion->status = TaskStatus::kOk;
      completion->inline_bytes = 8;
    }
    tasks.Release(position);
    if (answers) {
      completions.Publish();
      Ring(channel.owner);
    }
    if (record == kStop) return 0;
  }
}

class Owner {
 public:
  explicit Owner(BenchChannel& channel)
      : channel_(channel),
        tasks_(channel.slots, kLog2Slots),
        completions_(channel.completions, kLog2Completions) {}

  bool Send(uint32_t record) {
    TaskBody* body = tasks_.Reserve();
    if (body == nullptr) return false;
    body->record = record;
    body->generation = 1;
    body->args_bytes = 16;
    body->function = {};
    tasks_.Publish();
    Ring(channel_.worker);
    return true;
  }
  void SendAlways(uint32_t record) {
    while (!Send(record)) CpuRelax();
  }

  uint32_t Receive() {
    uint32_t count = 0;
    while (completions_.Front() != nullptr) {
      completions_.Pop();
      ++count;
    }
    return count;
  }

  void Await(Idle idle) {
    while (Receive() == 0) {
      WaitFor(idle, channel_.owner, [&] { return completions_.HasWork(); });
    }
  }

 private:
  BenchChannel& channel_;
  SlotProducer<RealAtomics, TaskBody> tasks_;
  MessageConsumer<RealAtomics, CompletionBody> completions_;
};

constexpr uint32_t kBatch = 1000;

void OneWay(int64_t duration_ns) {
  SharedMemory<BenchChannel> channel;
  ChildProcess worker([&] { return Work(*channel, Idle::kSpin, false); });
  Owner owner(*channel);
  uint64_t items = 0;
  int64_t best_ns = INT64_MAX;
  const int64_t begin = MonotonicNs();
  int64_t now = begin;
  while (now - begin < duration_ns) {
    for (uint32_t i = 0; i < kBatch; ++i) owner.SendAlways(i);
    const int64_t end = MonotonicNs();
    best_ns = std::min(best_ns, end - now);
    now = end;
    items += kBatch;
  }
  owner.SendAlways(kStop);
  worker.Join();
  printf("one way, 128-byte slots, batches of %u      %6.1f ns per item (best batch %.1f)\n",
         kBatch, static_cast<double>(now - begin) / static_cast<double>(items),
         static_cast<double>(best_ns) / kBatch);
}

void RoundTrips(int64_t duration_ns) {
  SharedMemory<BenchChannel> channel;
  ChildProcess worker([&] { return Work(*channel, Idle::kSpin, true); });
  Owner owner(*channel);
  uint64_t sent = 0;
  uint64_t received = 0;
  int64_t best_ns = INT64_MAX;
  const int64_t begin = MonotonicNs();
  int64_t now = begin;
  while (now - begin < duration_ns) {
    for (uint32_t i = 0; i < kBatch; ++i) {
      while (sent - received == 1u << kLog2Completions || !owner.Send(i)) {
        const uint32_t count = owner.Receive();
        received += count;
        if (count == 0) CpuRelax();
      }
      ++sent;
    }
    const int64_t end = MonotonicNs();
    best_ns = std::min(best_ns, end - now);
    now = end;
  }
  while (received < sent) received += owner.Receive();
  now = MonotonicNs();
  owner.SendAlways(kStop);
  worker.Join();
  printf("tasks and completions, pipelined            %6.1f ns per task (best batch %.1f)\n",
         static_cast<double>(now - begin) / static_cast<double>(sent),
         static_cast<double>(best_ns) / kBatch);
}

void PingPong(Idle idle, int64_t duration_ns) {
  SharedMemory<BenchChannel> channel;
  ChildProcess worker([&] { return Work(*channel, idle, true); });
  Owner owner(*channel);
  std::vector<int64_t> times;
  const int64_t begin = MonotonicNs();
  int64_t now = begin;
  while (now - begin < duration_ns) {
    owner.SendAlways(0);
    owner.Await(idle);
    const int64_t end = MonotonicNs();
    times.push_back(end - now);
    now = end;
  }
  owner.SendAlways(kStop);
  worker.Join();
  std::sort(times.begin(), times.end());
  printf("one task at a time, %-8s                %6.2f us p50, %.2f us p99 (%zu round trips)\n",
         idle == Idle::kSpin ? "spinning" : "parked",
         static_cast<double>(times[times.size() / 2]) / 1e3,
         static_cast<double>(times[times.size() * 99 / 100]) / 1e3, times.size());
}

int64_t CpuNs() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

template <class Record>
void RecorderRow(const char* name, int64_t duration_ns, Record record) {
  uint64_t events = 0;
  const int64_t begin = CpuNs();
  int64_t now = begin;
  while (now - begin < duration_ns) {
    for (uint32_t i = 0; i < kBatch; ++i) record(i);
    events += kBatch;
    now = CpuNs();
  }
  printf("%s %6.1f ns per event\n", name,
         static_cast<double>(now - begin) / static_cast<double>(events));
}

void Recorder(int64_t duration_ns) {
  SharedMemory<std::array<uint64_t, RecorderBytes(14) / 8>> region;
  Result<FlightRecorder> recorder = CreateRecorder(region->data(), RecorderBytes(14));
  if (!recorder) exit(1);
  RecorderRow("flight recorder                            ", duration_ns / 2,
              [&](uint32_t i) { recorder->Record(1, 2, i, i, i); });
  RecorderRow("flight recorder, the time given            ", duration_ns / 2,
              [&](uint32_t i) { recorder->RecordAt(i, 1, 2, i, i, i); });
}

}  // namespace
}  // namespace manta::shm

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 1;
  const auto duration_ns = static_cast<int64_t>(seconds * 1e9);
  setvbuf(stdout, nullptr, _IOLBF, 0);
  manta::shm::OneWay(duration_ns);
  manta::shm::RoundTrips(duration_ns);
  manta::shm::PingPong(manta::shm::Idle::kSpin, duration_ns);
  manta::shm::PingPong(manta::shm::Idle::kPark, duration_ns);
  manta::shm::Recorder(duration_ns);
  return 0;
}
