#include "shm/doorbell.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <vector>

#include "shm/message_ring.h"
#include "shm/slot_ring.h"
#include "shm/test_processes.h"

namespace manta::shm {
namespace {

TEST(DoorbellTest, ParkReturnsWhenItWasNotAnnouncedOrRungMeanwhile) {
  SharedMemory<Doorbell<RealAtomics>> doorbell;
  Park(*doorbell, -1);
  doorbell->Announce();
  EXPECT_TRUE(doorbell->MustWake());
  EXPECT_FALSE(doorbell->MustWake());  // only one has to
  Park(*doorbell, -1);
  doorbell->Announce();
  doorbell->Cancel();
  EXPECT_FALSE(doorbell->MustWake());
  Park(*doorbell, -1);
  doorbell->Announce();
  doorbell->Disarm();
  Park(*doorbell, -1);
}

TEST(DoorbellTest, ParkReturnsAfterItsTime) {
  SharedMemory<Doorbell<RealAtomics>> doorbell;
  doorbell->Announce();
  const int64_t begin = MonotonicNs();
  Park(*doorbell, 20'000'000);
  EXPECT_GE(MonotonicNs() - begin, 15'000'000);
}

TEST(DoorbellTest, WakesAnotherProcess) {
  SharedMemory<std::array<Doorbell<RealAtomics>, 2>> doorbells;
  SharedMemory<std::array<std::atomic<uint32_t>, 2>> turns;
  constexpr uint32_t kRounds = 500;
  const auto play = [&](int self) {
    for (uint32_t round = 1; round <= kRounds; ++round) {
      if (self == 0) {
        (*turns)[1].exchange(round);
        Ring((*doorbells)[1]);
      }
      while ((*turns)[self].load() < round) {
        (*doorbells)[self].Announce();
        if ((*turns)[self].load() < round) Park((*doorbells)[self], -1);
        (*doorbells)[self].Cancel();
      }
      if (self == 1) {
        (*turns)[0].exchange(round);
        Ring((*doorbells)[0]);
      }
    }
  };
  ChildProcess child([&] {
    play(1);
    return 0;
  });
  play(0);
  EXPECT_EQ(child.Join(), 0);
}

// ---- An owner and a worker as in a channel, in two processes ------------------------------------

constexpr uint32_t kLog2Slots = 4;
constexpr uint32_t kLog2Completions = 5;

struct Task {
  uint32_t number;
  uint32_t random[20];
  uint32_t checksum;
};
struct Result {
  uint32_t number;
  uint32_t checksum;
};

struct Channel {
  Slot<RealAtomics, Task> slots[1u << kLog2Slots];
  Message<RealAtomics, Result> completions[1u << kLog2Completions];
  Doorbell<RealAtomics> owner;
  Doorbell<RealAtomics> worker;
};

constexpr uint32_t kLastTask = ~0u;

uint32_t ChecksumOf(const Task& task) {
  uint32_t sum = task.number;
  for (const uint32_t word : task.random) sum = sum * 31 + word;
  return sum;
}

int Work(Channel& channel) {
  SlotConsumer<RealAtomics, Task> tasks(channel.slots, kLog2Slots);
  MessageProducer<RealAtomics, Result> completions(channel.completions, kLog2Completions);
  uint32_t idle = 0;
  for (;;) {
    uint32_t position;
    if (const Task* task = tasks.Claim(&position)) {
      idle = 0;
      if (task->number == kLastTask) return 0;
      if (ChecksumOf(*task) != task->checksum) return 1;
      *completions.Next() = {task->number, task->checksum};
      tasks.Release(position);
      completions.Publish();
      Ring(channel.owner);
      continue;
    }
    if (++idle < 20) continue;  // park often: that is what is tested
    idle = 0;
    channel.worker.Announce();
    if (!tasks.HasWork()) Park(channel.worker, -1);
    channel.worker.Cancel();
  }
}

TEST(ChannelStressTest, EveryTaskIsCompletedOrTakenBackOnce) {
  SharedMemory<Channel> channel;
  ChildProcess worker([&] { return Work(*channel); });
  SlotProducer<RealAtomics, Task> tasks(channel->slots, kLog2Slots);
  MessageConsumer<RealAtomics, Result> completions(channel->completions, kLog2Completions);

  constexpr uint32_t kTasks = 300'000;
  const int64_t until = MonotonicNs() + 1'000'000'000;
  std::vector<uint32_t> checksums;
  std::vector<bool> done;
  uint32_t in_flight = 0;
  uint32_t completed = 0;
  uint32_t taken = 0;
  uint32_t random = 1;
  const auto receive = [&] {
    while (const Result* result = completions.Front()) {
      ASSERT_LT(result->number, checksums.size());
      ASSERT_FALSE(done[result->number]) << "completed twice";
      ASSERT_EQ(result->checksum, checksums[result->number]);
      done[result->number] = true;
      ++completed;
      --in_flight;
      completions.Pop();
    }
  };
  const auto send = [&](uint32_t number) {
    Task* task = tasks.Reserve();
    task->number = number;
    for (uint32_t& word : task->random) word = random = random * 1664525 + 1013904223;
    task->checksum = ChecksumOf(*task);
    if (number != kLastTask) {
      checksums.push_back(task->checksum);
      done.push_back(false);
      ++in_flight;
    }
    const uint32_t position = tasks.Publish();
    Ring(channel->worker);
    return position;
  };
  while (checksums.size() < kTasks && MonotonicNs() < until) {
    // Bursts of all lengths, some of their tasks taken back.
    for (uint32_t burst = 1 + (random >> 16 & 31); burst > 0; --burst) {
      if (in_flight == 1u << kLog2Completions || tasks.Reserve() == nullptr) break;
      const auto number = static_cast<uint32_t>(checksums.size());
      const uint32_t position = send(number);
      if (random % 5 == 0 && tasks.TakeBack(position)) {
        done[number] = true;
        ++taken;
        --in_flight;
      }
    }
    ASSERT_NO_FATAL_FAILURE(receive());
    if (in_flight == 0) continue;
    channel->owner.Announce();
    if (!completions.HasWork()) Park(channel->owner, -1);
    channel->owner.Cancel();
  }
  while (in_flight > 0) ASSERT_NO_FATAL_FAILURE(receive());
  while (tasks.Reserve() == nullptr) CpuRelax();
  send(kLastTask);
  EXPECT_EQ(worker.Join(), 0);
  EXPECT_EQ(completed + taken, checksums.size());
  EXPECT_GT(completed, 1000u);
  EXPECT_GT(taken, 0u);
  RecordProperty("tasks", static_cast<int>(checksums.size()));
  RecordProperty("taken", static_cast<int>(taken));
}

}  // namespace
}  // namespace manta::shm
