#include "model/gpu_units.h"

#include <gtest/gtest.h>

#include <random>

namespace manta::model {
namespace {

constexpr int64_t kOne = kResourceUnit;

TEST(GpuUnits, SharesPackOnOneGpu) {
  GpuUnits gpus(2 * kOne);
  EXPECT_EQ(gpus.Take(kOne / 4), (GpuShares{{0, kOne / 4}}));
  EXPECT_EQ(gpus.Take(kOne / 2), (GpuShares{{0, kOne / 2}}));
  EXPECT_EQ(gpus.Take(kOne / 2), (GpuShares{{1, kOne / 2}})) << "a quarter is left of the first";
  EXPECT_EQ(gpus.Take(kOne / 4), (GpuShares{{0, kOne / 4}})) << "the fullest that has room";
}

TEST(GpuUnits, AShareGoesToTheFullestThatHasRoomWhereverItStands) {
  GpuUnits gpus(3 * kOne);
  gpus.Take({{0, kOne / 4}, {1, kOne * 3 / 4}, {2, kOne / 2}});
  EXPECT_EQ(gpus.Take(kOne / 4), (GpuShares{{1, kOne / 4}}));
  EXPECT_EQ(gpus.Take(kOne / 4), (GpuShares{{2, kOne / 4}})) << "the fullest has no room";
}

TEST(GpuUnits, SeveralAreWhole) {
  GpuUnits gpus(4 * kOne);
  EXPECT_EQ(gpus.Take(kOne / 10), (GpuShares{{0, kOne / 10}}));
  EXPECT_EQ(gpus.Take(2 * kOne), (GpuShares{{1, kOne}, {2, kOne}}));
  EXPECT_FALSE(gpus.CanTake(2 * kOne)) << "1.9 are free, but only one is whole";
  EXPECT_TRUE(gpus.CanTake(kOne));
}

TEST(GpuUnits, HalvesOfTwoAreNoWhole) {
  GpuUnits gpus(2 * kOne);
  const GpuShares first = gpus.Take(kOne * 6 / 10);
  const GpuShares second = gpus.Take(kOne * 6 / 10);
  EXPECT_EQ(gpus.free(), kOne * 8 / 10);
  EXPECT_FALSE(gpus.CanTake(kOne * 5 / 10));
  EXPECT_EQ(gpus.Times(kOne * 4 / 10, 9), 2u);
  gpus.Give(second);
  EXPECT_TRUE(gpus.CanTake(kOne));
  gpus.Give(first);
  EXPECT_EQ(gpus.free(), 2 * kOne);
}

TEST(GpuUnits, WhatIsKeptIsWholeWhereItCan) {
  GpuUnits gpus(2 * kOne);
  gpus.Take(kOne / 2);
  gpus.Keep(kOne);
  EXPECT_FALSE(gpus.CanTake(kOne));
  EXPECT_TRUE(gpus.CanTake(kOne / 2));
  gpus.Keep(5 * kOne);
  EXPECT_EQ(gpus.free(), 0);
}

TEST(GpuUnits, RefusesWhatCannotBeHad) {
  EXPECT_TRUE(GpuUnits::CheckRequest(0));
  EXPECT_TRUE(GpuUnits::CheckRequest(kOne / 3));
  EXPECT_TRUE(GpuUnits::CheckRequest(3 * kOne));
  EXPECT_FALSE(GpuUnits::CheckRequest(kOne * 3 / 2));
  EXPECT_TRUE(GpuUnits::CheckRequest(kOne));
  EXPECT_TRUE(GpuUnits::CheckTotal(0));
  EXPECT_FALSE(GpuUnits::CheckTotal(-kOne));
  EXPECT_TRUE(GpuUnits::CheckTotal(64 * kOne));
  EXPECT_FALSE(GpuUnits::CheckTotal(65 * kOne));
  EXPECT_FALSE(GpuUnits::CheckTotal(kOne / 2));
  EXPECT_NE(GpuUnits::CheckRequest(kOne * 3 / 2).error().message.find("{GPU: 1.5}"),
            std::string::npos);
}

TEST(GpuUnits, NothingFitsAsOftenAsOneLikes) {
  GpuUnits gpus(kOne);
  const GpuShares all = gpus.Take(kOne);
  EXPECT_TRUE(gpus.CanTake(0));
  EXPECT_FALSE(gpus.CanTake(1));
  EXPECT_EQ(gpus.Times(0, 9), 9u);
  EXPECT_TRUE(gpus.Take(0).empty());
  gpus.Give(all);
  EXPECT_EQ(gpus.Times(kOne / 2, 9), 2u);
  EXPECT_EQ(gpus.Times(kOne / 2, 1), 1u);
}

TEST(GpuUnits, MaskHasABitForEach) {
  EXPECT_EQ(MaskOf({}), 0u);
  EXPECT_EQ(MaskOf({{0, kOne}, {3, kOne / 2}, {63, kOne}}), 1u | 1u << 3 | uint64_t{1} << 63);
}

// Whatever is taken and given back in whatever order: no GPU is given out more than once over,
// every request gets what it asked for in the form that it may have, and what is free adds up.
TEST(GpuUnits, PropertiesOfRandomHistories) {
  const int64_t amounts[] = {1, kOne / 10, kOne / 4, kOne / 3, kOne / 2, kOne * 9 / 10,
                             kOne, 2 * kOne, 3 * kOne};
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto units = static_cast<uint32_t>(1 + random() % 8);
    GpuUnits gpus(units * kOne);
    std::vector<GpuShares> held;
    for (int step = 0; step < 200; ++step) {
      const int64_t amount = amounts[random() % std::size(amounts)];
      if (random() % 3 != 0) {
        const bool can = gpus.CanTake(amount);
        ASSERT_EQ(can, gpus.Times(amount, 100) > 0);
        if (can) {
          const GpuShares shares = gpus.Take(amount);
          int64_t sum = 0;
          for (const GpuShare& share : shares) {
            sum += share.amount;
            ASSERT_TRUE(shares.size() == 1 || share.amount == kOne);
          }
          ASSERT_EQ(sum, amount);
          held.push_back(shares);
        }
      } else if (!held.empty()) {
        std::swap(held[random() % held.size()], held.back());
        gpus.Give(held.back());
        held.pop_back();
      }
      std::vector<int64_t> used(units, 0);
      int64_t all = 0;
      for (const GpuShares& shares : held) {
        for (const GpuShare& share : shares) {
          ASSERT_LT(share.index, units);
          used[share.index] += share.amount;
          all += share.amount;
        }
      }
      for (const int64_t one : used) ASSERT_LE(one, kOne) << "seed " << seed;
      ASSERT_EQ(gpus.free(), units * kOne - all) << "seed " << seed;
      if (all == 0) {
        ASSERT_TRUE(gpus.CanTake(units * kOne)) << "nothing leaks";
      }
    }
  }
}

}  // namespace
}  // namespace manta::model
