#include "shm/slot_ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace manta::shm {
namespace {

struct Body {
  uint32_t value;
};
using TestSlot = Slot<RealAtomics, Body>;
using Producer = SlotProducer<RealAtomics, Body>;
using Consumer = SlotConsumer<RealAtomics, Body>;

// A ring as the producer before left it at `position`.
std::vector<TestSlot> RingAt(uint32_t position, uint32_t log2_size) {
  std::vector<TestSlot> slots(size_t{1} << log2_size);
  for (uint32_t i = 0; i < slots.size(); ++i) {
    const uint32_t next = position + ((i - position) & ((1u << log2_size) - 1));
    slots[i].word.store(SlotWord(LapOf(next, log2_size), SlotState::kEmpty));
  }
  return slots;
}

TEST(SlotRingTest, GivesItemsInOrder) {
  std::vector<TestSlot> slots(4);
  Producer producer(slots.data(), 2);
  Consumer consumer(slots.data(), 2);
  uint32_t position = 0;
  EXPECT_FALSE(consumer.HasWork());
  EXPECT_EQ(consumer.Claim(&position), nullptr);
  for (uint32_t i = 0; i < 4; ++i) {
    producer.Reserve()->value = i;
    EXPECT_EQ(producer.Publish(), i);
  }
  EXPECT_EQ(producer.Reserve(), nullptr);
  EXPECT_TRUE(consumer.HasWork());
  for (uint32_t i = 0; i < 4; ++i) {
    const Body* body = consumer.Claim(&position);
    ASSERT_NE(body, nullptr);
    EXPECT_EQ(position, i);
    EXPECT_EQ(body->value, i);
    EXPECT_FALSE(producer.IsReleased(i));
    EXPECT_FALSE(producer.TakeBack(i));
    consumer.Release(position);
    EXPECT_TRUE(producer.IsReleased(i));
    EXPECT_FALSE(producer.TakeBack(i));
  }
  EXPECT_EQ(consumer.Claim(&position), nullptr);
}

TEST(SlotRingTest, SkipsWhatWasTakenBack) {
  std::vector<TestSlot> slots(4);
  Producer producer(slots.data(), 2);
  Consumer consumer(slots.data(), 2);
  for (uint32_t i = 0; i < 4; ++i) {
    producer.Reserve()->value = i;
    producer.Publish();
  }
  EXPECT_TRUE(producer.TakeBack(0));
  EXPECT_FALSE(producer.TakeBack(0));
  EXPECT_TRUE(producer.TakeBack(2));
  EXPECT_TRUE(producer.TakeBack(3));
  EXPECT_EQ(producer.Reserve(), nullptr);  // not passed yet
  EXPECT_TRUE(consumer.HasWork());

  uint32_t position = 0;
  const Body* body = consumer.Claim(&position);
  ASSERT_NE(body, nullptr);
  EXPECT_EQ(position, 1u);
  EXPECT_TRUE(producer.IsReleased(0));
  EXPECT_FALSE(producer.IsReleased(1));
  EXPECT_TRUE(consumer.HasWork());  // to skip
  EXPECT_EQ(consumer.Claim(&position), nullptr);
  EXPECT_FALSE(consumer.HasWork());
  EXPECT_TRUE(producer.IsReleased(3));
  EXPECT_NE(producer.Reserve(), nullptr);
}

TEST(SlotRingTest, KnowsWhatWasBegun) {
  std::vector<TestSlot> slots(2);
  Producer producer(slots.data(), 1);
  Consumer consumer(slots.data(), 1);
  EXPECT_EQ(producer.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    producer.Reserve();
    producer.Publish();
  }
  EXPECT_EQ(producer.position(), 2u);
  EXPECT_FALSE(producer.IsClaimed(0));
  uint32_t position = 0;
  ASSERT_NE(consumer.Claim(&position), nullptr);
  EXPECT_EQ(consumer.position(), 1u);
  EXPECT_TRUE(producer.IsClaimed(0));
  EXPECT_FALSE(producer.IsClaimed(1));
  consumer.Release(0);
  EXPECT_TRUE(producer.IsClaimed(0));
  EXPECT_TRUE(producer.TakeBack(1));
  EXPECT_FALSE(producer.IsClaimed(1)) << "it never was";
}

TEST(SlotRingTest, ReleasesInAnyOrder) {
  std::vector<TestSlot> slots(2);
  Producer producer(slots.data(), 1);
  Consumer consumer(slots.data(), 1);
  for (int i = 0; i < 2; ++i) {
    producer.Reserve();
    producer.Publish();
  }
  uint32_t first = 0;
  uint32_t second = 0;
  ASSERT_NE(consumer.Claim(&first), nullptr);
  ASSERT_NE(consumer.Claim(&second), nullptr);
  consumer.Release(second);
  EXPECT_FALSE(producer.IsReleased(first));
  EXPECT_TRUE(producer.IsReleased(second));
  EXPECT_EQ(producer.Reserve(), nullptr);
  consumer.Release(first);
  EXPECT_NE(producer.Reserve(), nullptr);
}

// Positions wrap at 2^32, and the laps in slot words at 2^30: both have to go unnoticed.
TEST(SlotRingTest, WrapsAround) {
  for (const uint32_t log2_size : {0u, 1u, 2u, 3u, 8u, 16u}) {
    const uint32_t size = 1u << log2_size;
    for (const uint32_t first : {0u - 2 * size - 1, 0x80000000u - 2 * size - 1,
                                 log2_size < 2 ? (size << 30) - 2 * size - 1 : 5}) {
      std::vector<TestSlot> slots = RingAt(first, log2_size);
      Producer producer(slots.data(), log2_size, first);
      Consumer consumer(slots.data(), log2_size, first);
      for (uint32_t i = 0; i < 4 * size + 3; ++i) {
        const uint32_t sent = first + i;
        Body* body = producer.Reserve();
        ASSERT_NE(body, nullptr) << "size " << size << ", position " << sent;
        body->value = i;
        ASSERT_EQ(producer.Publish(), sent);
        ASSERT_FALSE(producer.IsReleased(sent));
        if (i % 3 == 2) {
          ASSERT_TRUE(producer.TakeBack(sent));
          ASSERT_FALSE(producer.IsReleased(sent));
        }
        uint32_t position = 0;
        const Body* claimed = consumer.Claim(&position);
        ASSERT_EQ(claimed != nullptr, i % 3 != 2);
        if (claimed != nullptr) {
          ASSERT_EQ(position, sent);
          ASSERT_EQ(claimed->value, i);
          ASSERT_FALSE(producer.IsReleased(sent));
          consumer.Release(position);
        }
        ASSERT_TRUE(producer.IsReleased(sent));
        ASSERT_TRUE(producer.IsReleased(sent - size));
        ASSERT_FALSE(producer.TakeBack(sent));
      }
    }
  }
}

}  // namespace
}  // namespace manta::shm
