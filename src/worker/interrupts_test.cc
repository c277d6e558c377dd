#include "worker/interrupts.h"

#include <gtest/gtest.h>

namespace manta::worker {
namespace {

ObjectId TaskNumber(uint32_t number) { return {{7}, number, 1}; }

TEST(Interrupts, AreKeptUntilTheTaskEnds) {
  Interrupts interrupts;
  EXPECT_FALSE(interrupts.Contains(TaskNumber(1)));
  for (uint32_t i = 0; i < 1'000; ++i) interrupts.Add(TaskNumber(i));
  interrupts.Add(TaskNumber(5));
  for (uint32_t i = 0; i < 1'000; ++i) EXPECT_TRUE(interrupts.Contains(TaskNumber(i)));
  EXPECT_FALSE(interrupts.Contains({{8}, 5, 1}));
  EXPECT_FALSE(interrupts.Contains({{7}, 5, 2}));
  for (uint32_t i = 0; i < 1'000; ++i) {
    interrupts.Remove(TaskNumber(i));
    EXPECT_FALSE(interrupts.Contains(TaskNumber(i)));
  }
}

TEST(Interrupts, TheOldestGoWhenThereAreTooMany) {
  Interrupts interrupts;
  for (uint32_t i = 0; i <= Interrupts::kMost; ++i) interrupts.Add(TaskNumber(i));
  EXPECT_FALSE(interrupts.Contains(TaskNumber(0)));
  EXPECT_TRUE(interrupts.Contains(TaskNumber(1)));
  EXPECT_TRUE(interrupts.Contains(TaskNumber(Interrupts::kMost)));
}

}  // namespace
}  // namespace manta::worker
