#include "node/extent_allocator.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace manta::node {
namespace {

constexpr uint64_t kGranule = 64 << 10;
constexpr uint64_t kLarge = 2 << 20;

ExtentAllocator::Options Range(uint64_t begin, uint64_t end) {
  ExtentAllocator::Options options;
  options.begin = begin;
  options.end = end;
  options.granule = kGranule;
  options.large = kLarge;
  options.large_alignment = kLarge;
  return options;
}

TEST(ExtentAllocatorTest, RoundsUpAndPacks) {
  ExtentAllocator allocator(Range(kGranule, 100 * kGranule));
  const auto a = allocator.Allocate(1);
  const auto b = allocator.Allocate(kGranule + 1);
  const auto c = allocator.Allocate(0);
  EXPECT_EQ(a->offset, kGranule);
  EXPECT_EQ(a->size, kGranule);
  EXPECT_EQ(b->offset, 2 * kGranule);
  EXPECT_EQ(b->size, 2 * kGranule);
  EXPECT_EQ(c->offset, 4 * kGranule);
  EXPECT_EQ(allocator.used(), 4 * kGranule);
}

TEST(ExtentAllocatorTest, LargeOnesAreAligned) {
  ExtentAllocator allocator(Range(kGranule, 16 * kLarge));
  EXPECT_EQ(allocator.Allocate(kLarge)->offset, kLarge);
  EXPECT_EQ(allocator.Allocate(kLarge + 1)->offset, 2 * kLarge);
  // The gap in front serves small ones.
  EXPECT_EQ(allocator.Allocate(kGranule)->offset, kGranule);
  allocator.CheckInvariants();
}

TEST(ExtentAllocatorTest, TakesTheTightestFit) {
  ExtentAllocator allocator(Range(0, 100 * kGranule));
  const auto big = *allocator.Allocate(5 * kGranule);
  allocator.Allocate(kGranule);
  const auto small = *allocator.Allocate(2 * kGranule);
  allocator.Allocate(kGranule);
  allocator.Free(small);
  allocator.Free(big);
  EXPECT_EQ(allocator.Allocate(2 * kGranule)->offset, small.offset);
}

TEST(ExtentAllocatorTest, PrefersWhatWasFreedLast) {
  ExtentAllocator allocator(Range(0, 100 * kGranule));
  std::vector<ExtentAllocator::Extent> extents;
  for (int i = 0; i < 6; ++i) extents.push_back(*allocator.Allocate(kGranule));
  allocator.Free(extents[2]);
  allocator.Free(extents[4]);
  allocator.Free(extents[0]);
  EXPECT_EQ(allocator.Allocate(kGranule)->offset, extents[0].offset);
  EXPECT_EQ(allocator.Allocate(kGranule)->offset, extents[4].offset);
}

TEST(ExtentAllocatorTest, UsesFreshMemoryLast) {
  ExtentAllocator allocator(Range(0, 1000 * kGranule));
  const auto a = *allocator.Allocate(10 * kGranule);
  allocator.Allocate(kGranule);
  allocator.Free(a);
  for (int i = 0; i < 10; ++i) EXPECT_LT(allocator.Allocate(kGranule)->offset, 10 * kGranule);
  EXPECT_EQ(allocator.cold_from(), 11 * kGranule);
  EXPECT_EQ(allocator.Allocate(kGranule)->offset, 11 * kGranule);
}

TEST(ExtentAllocatorTest, ARequestMaySpanWarmAndFreshMemory) {
  ExtentAllocator allocator(Range(0, 10 * kGranule));
  const auto a = *allocator.Allocate(6 * kGranule);
  allocator.Free(a);
  const auto whole = allocator.Allocate(10 * kGranule);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->offset, 0u);
  EXPECT_FALSE(allocator.Allocate(1));
  allocator.Free(*whole);
  EXPECT_EQ(allocator.largest_free(), 10 * kGranule);
  allocator.CheckInvariants();
}

TEST(ExtentAllocatorTest, TheLargestFreeExtentIsWhatFits) {
  ExtentAllocator allocator(Range(0, 10 * kGranule));
  const auto a = *allocator.Allocate(2 * kGranule);
  const auto b = *allocator.Allocate(3 * kGranule);
  EXPECT_EQ(allocator.largest_free(), 5 * kGranule) << "what was never touched";
  allocator.Free(a);
  EXPECT_EQ(allocator.largest_free(), 5 * kGranule);
  allocator.Free(b);
  EXPECT_EQ(allocator.largest_free(), 10 * kGranule) << "warm and fresh together";
  const auto c = *allocator.Allocate(10 * kGranule);
  EXPECT_EQ(allocator.largest_free(), 0u);
  allocator.Free(c);
  EXPECT_TRUE(allocator.Allocate(allocator.largest_free()));
}

TEST(ExtentAllocatorTest, NeighboursBecomeOne) {
  ExtentAllocator allocator(Range(0, 3 * kGranule));
  const auto a = *allocator.Allocate(kGranule);
  const auto b = *allocator.Allocate(kGranule);
  const auto c = *allocator.Allocate(kGranule);
  allocator.Free(a);
  allocator.Free(c);
  EXPECT_FALSE(allocator.Allocate(2 * kGranule));
  allocator.Free(b);
  EXPECT_TRUE(allocator.Allocate(3 * kGranule));
}

TEST(ExtentAllocatorTest, RefusesWhatDoesNotFit) {
  ExtentAllocator allocator(Range(0, 10 * kGranule));
  EXPECT_FALSE(allocator.Allocate(11 * kGranule));
  EXPECT_FALSE(allocator.Allocate(UINT64_MAX));
  EXPECT_TRUE(allocator.Allocate(10 * kGranule));
  EXPECT_FALSE(allocator.Allocate(1));
}

TEST(ExtentAllocatorDeathTest, FreeingTwiceIsABug) {
  ExtentAllocator allocator(Range(0, 10 * kGranule));
  const auto a = *allocator.Allocate(kGranule);
  allocator.Allocate(kGranule);
  allocator.Free(a);
  EXPECT_DEATH(allocator.Free(a), "freed twice");
}

// Against a bitmap of granules: what is handed out is free, aligned, and refused only when no place exists.
class RandomExtents : public testing::TestWithParam<int> {};

TEST_P(RandomExtents, AgreeWithABitmap) {
  std::mt19937_64 random(static_cast<uint64_t>(GetParam()));
  const uint64_t begin = random() % 40 * kGranule;
  const uint64_t end = begin + (100 + random() % 300) * kGranule;
  ExtentAllocator allocator(Range(begin, end));
  std::vector<bool> used(end / kGranule);
  std::vector<ExtentAllocator::Extent> live;
  const auto fits = [&](uint64_t size) {
    const uint64_t step = size >= kLarge ? kLarge : kGranule;
    uint64_t at = (begin + step - 1) / step * step;
    for (; at + size <= end; at += step) {
      bool free = true;
      for (uint64_t i = at; i < at + size && free; i += kGranule) free = !used[i / kGranule];
      if (free) return true;
    }
    return false;
  };
  for (int step = 0; step < 1500; ++step) {
    if (!live.empty() && random() % 5 < 2) {
      const size_t pick = random() % live.size();
      for (uint64_t i = 0; i < live[pick].size; i += kGranule) {
        used[(live[pick].offset + i) / kGranule] = false;
      }
      allocator.Free(live[pick]);
      live[pick] = live.back();
      live.pop_back();
    } else {
      const uint64_t size =
          random() % 4 == 0 ? random() % (4 * kLarge) : random() % (6 * kGranule);
      const auto extent = allocator.Allocate(size);
      ASSERT_EQ(extent.has_value(), fits(allocator.RoundUp(size))) << "step " << step;
      if (!extent) continue;
      EXPECT_GE(extent->offset, begin);
      EXPECT_LE(extent->offset + extent->size, end);
      EXPECT_EQ(extent->size, allocator.RoundUp(size));
      if (extent->size >= kLarge) {
        EXPECT_EQ(extent->offset % kLarge, 0u);
      }
      for (uint64_t i = 0; i < extent->size; i += kGranule) {
        ASSERT_FALSE(used[(extent->offset + i) / kGranule]);
        used[(extent->offset + i) / kGranule] = true;
      }
      live.push_back(*extent);
    }
    allocator.CheckInvariants();
  }
  for (const auto& extent : live) allocator.Free(extent);
  EXPECT_EQ(allocator.used(), 0u);
  allocator.CheckInvariants();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomExtents, testing::Range(0, 20));

}  // namespace
}  // namespace manta::node
