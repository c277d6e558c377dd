#include "shm/recorder_events.h"

#include <gtest/gtest.h>

#include <set>

namespace manta::shm {
namespace {

TEST(RecorderEvents, ATaskIsReadAsItWasPacked) {
  const TaskFacts facts{MakeProcessId(2, 17), 4711, 0x12345678, 0xdeadbeef, 3, EventOutcome::kCancelled};
  const RecorderEvent event = PackTask(EventKind::kActorCall, 9, facts, 1000, 250);
  EXPECT_EQ(KindOf(event), EventKind::kActorCall);
  EXPECT_EQ(ThreadOf(event), 9);
  EXPECT_EQ(TaskOf(event), facts);
  EXPECT_EQ(event.ticks, 1000u);
  EXPECT_EQ(DurationOf(event), 250u);
}

TEST(RecorderEvents, ATaskThatHasBegunIsReadAsItWasPacked) {
  const TaskFacts facts{MakeProcessId(2, 17), 4711, 0x12345678, 0xdeadbeef, 3, EventOutcome::kOk};
  for (const EventKind kind : {EventKind::kTask, EventKind::kActorCall, EventKind::kActorStart}) {
    const RecorderEvent noted = PackBegunTask(kind, facts, 1000);
    const RecorderEvent event = BegunTask({1000, 0, 0, 0, noted.c, noted.d});
    EXPECT_EQ(KindOf(event), kind);
    EXPECT_EQ(TaskOf(event), facts);
    EXPECT_EQ(event.ticks, 1000u);
    EXPECT_EQ(DurationOf(event), 0u);
  }
}

TEST(RecorderEvents, LongDurationsAreExactForADay) {
  const uint64_t day = 86'400ull * 3'000'000'000;  // at 3 GHz
  const TaskFacts facts{MakeProcessId(1, 1), 1, UINT32_MAX, UINT32_MAX, 0, EventOutcome::kOk};
  for (const uint64_t ticks : {uint64_t{0}, uint64_t{1} << 32, (uint64_t{1} << 32) - 1, day + 1}) {
    const RecorderEvent event = PackTask(EventKind::kTask, 0, facts, day * 2, ticks);
    EXPECT_EQ(DurationOf(event), ticks);
    EXPECT_EQ(TaskOf(event), facts);
  }
}

TEST(RecorderEvents, WhatLastsLongerIsCutOffAndSpoilsNothing) {
  const TaskFacts facts{MakeProcessId(1, 2), 3, 4, 5, 6, EventOutcome::kError};
  const RecorderEvent event = PackTask(EventKind::kTask, 0, facts, UINT64_MAX, UINT64_MAX);
  EXPECT_EQ(DurationOf(event), kLongestDuration);
  EXPECT_EQ(TaskOf(event), facts);
}

TEST(RecorderEvents, NodesBeyondTheLastBitAreOne) {
  const TaskFacts facts{MakeProcessId(70, 5), 1, 1, 1, 0, EventOutcome::kOk};
  EXPECT_EQ(TaskOf(PackTask(EventKind::kTask, 0, facts, 1, 1)).owner, MakeProcessId(kManyNodes, 5));
}

TEST(RecorderEvents, ATaskWhoseFactsDoNotFitIsNotTakenForAnother) {
  const TaskFacts fits{MakeProcessId(kManyNodes - 1, kManyInTask - 1), kManyInTask - 1, 1, 1, 0, EventOutcome::kOk};
  const auto names_the_task = [](const TaskFacts& facts) { return TaskOf(PackTask(EventKind::kTask, 0, facts, 1, 1)).name_the_task(); };
  EXPECT_TRUE(names_the_task(fits));
  for (const uint32_t many : {kManyInTask, kManyInTask + 1, UINT32_MAX}) {
    TaskFacts facts = fits;
    facts.first_result = many;
    EXPECT_FALSE(names_the_task(facts)) << many;
    facts = fits;
    facts.owner = MakeProcessId(1, many);
    EXPECT_FALSE(names_the_task(facts)) << many;
  }
  TaskFacts far = fits;
  far.owner = MakeProcessId(kManyNodes, 1);
  EXPECT_FALSE(names_the_task(far));
}

TEST(RecorderEvents, KeysTellFunctionsApart) {
  std::set<uint32_t> keys;
  for (uint32_t i = 0; i < 1000; ++i) {
    keys.insert(FunctionKey({1, 16 * i, 0, 0}));
    keys.insert(FunctionKey({1, 16, 1, 16 * i + 4096}));
  }
  EXPECT_EQ(keys.size(), 2000u);
  EXPECT_FALSE(keys.contains(0));
}

}  // namespace
}  // namespace manta::shm
