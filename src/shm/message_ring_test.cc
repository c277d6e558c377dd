#include "shm/message_ring.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace manta::shm {
namespace {

struct Body {
  uint32_t value;
};
using TestMessage = Message<RealAtomics, Body>;
using Producer = MessageProducer<RealAtomics, Body>;
using Consumer = MessageConsumer<RealAtomics, Body>;

TEST(MessageRingTest, GivesMessagesInOrder) {
  std::vector<TestMessage> entries(4);
  Producer producer(entries.data(), 2);
  Consumer consumer(entries.data(), 2);
  EXPECT_EQ(consumer.Front(), nullptr);
  EXPECT_FALSE(consumer.HasWork());
  uint32_t sent = 0;
  uint32_t received = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) {
      producer.Next()->value = sent++;
      producer.Publish();
    }
    while (const Body* body = consumer.Front()) {
      EXPECT_TRUE(consumer.HasWork());
      EXPECT_EQ(body, consumer.Front());
      EXPECT_EQ(body->value, received++);
      consumer.Pop();
    }
    EXPECT_FALSE(consumer.HasWork());
    EXPECT_EQ(received, sent);
  }
  EXPECT_EQ(producer.position(), sent);
  EXPECT_EQ(consumer.position(), sent);
}

TEST(MessageRingTest, HoldsAsManyAsItsSize) {
  std::vector<TestMessage> entries(4);
  Producer producer(entries.data(), 2);
  Consumer consumer(entries.data(), 2);
  EXPECT_EQ(producer.size(), 4u);
  for (uint32_t i = 0; i < 4; ++i) {
    producer.Next()->value = i;
    producer.Publish();
  }
  for (uint32_t i = 0; i < 4; ++i) {
    ASSERT_NE(consumer.Front(), nullptr);
    EXPECT_EQ(consumer.Front()->value, i);
    consumer.Pop();
  }
  EXPECT_EQ(consumer.Front(), nullptr);
}

TEST(MessageRingTest, WrapsAround) {
  for (const uint32_t log2_size : {1u, 3u, 9u}) {
    const uint32_t size = 1u << log2_size;
    const uint32_t first = 0u - 2 * size - 1;
    std::vector<TestMessage> entries(size);
    Producer producer(entries.data(), log2_size, first);
    Consumer consumer(entries.data(), log2_size, first);
    for (uint32_t i = 0; i < 5 * size; ++i) {
      ASSERT_EQ(consumer.Front(), nullptr);
      producer.Next()->value = i;
      producer.Publish();
      ASSERT_NE(consumer.Front(), nullptr);
      ASSERT_EQ(consumer.Front()->value, i);
      consumer.Pop();
    }
  }
}

}  // namespace
}  // namespace manta::shm
