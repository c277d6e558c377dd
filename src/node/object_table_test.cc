#include "node/object_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace manta::node {
namespace {

using shm::ObjectState;
using shm::ObjectWord;

constexpr ProcessId kOwner{1};
constexpr ProcessId kWorker{2};
constexpr ProcessId kOther{3};
constexpr uint64_t kArena = 64 << 20;

class ObjectTableTest : public testing::Test {
 protected:
  ObjectTableTest() : slots(ObjectTable::SlotsFor(kArena)), table(slots, kArena) {}

  ObjectTable::Grant Allocate(ProcessId lessee = kOwner, ProcessId owner = kOwner,
                              uint64_t size = 100'000) {
    const auto grant = table.Allocate(lessee, owner, size);
    EXPECT_TRUE(grant);
    return grant.value_or(ObjectTable::Grant{});
  }
  ObjectTable::Grant Put(ProcessId lessee = kOwner, ProcessId owner = kOwner) {
    const auto grant = Allocate(lessee, owner);
    EXPECT_TRUE(Seal(grant));
    return grant;
  }
  bool Seal(const ObjectTable::Grant& grant) {
    uint64_t expected = ObjectWord(grant.generation, ObjectState::kWriting);
    return slots[grant.slot].word.compare_exchange_strong(
        expected, ObjectWord(grant.generation, ObjectState::kSealed));
  }
  ObjectState StateOf(const ObjectTable::Grant& grant) {
    return static_cast<ObjectState>(slots[grant.slot].word.load() & 0xff);
  }
  bool Reclaim(std::vector<uint64_t> pins = {}) {
    table.MarkDoomed();
    std::sort(pins.begin(), pins.end());
    const bool any = table.Reclaim(pins);
    table.CheckInvariants();
    return any;
  }

  std::vector<ObjectTable::Slot> slots;
  ObjectTable table;
};

TEST_F(ObjectTableTest, OneSlotPerGranuleWithinLimits) {
  EXPECT_EQ(ObjectTable::SlotsFor(64 << 20), 1024u);
  EXPECT_EQ(ObjectTable::SlotsFor(uint64_t{1} << 40), 1u << 20);
}

TEST_F(ObjectTableTest, AnAllocationFillsItsSlot) {
  const auto grant = Allocate(kWorker, kOwner, 123'456);
  EXPECT_EQ(slots[grant.slot].word.load(), ObjectWord(1, ObjectState::kWriting));
  EXPECT_EQ(slots[grant.slot].offset, grant.offset);
  EXPECT_EQ(slots[grant.slot].size, 123'456u);
  EXPECT_EQ(slots[grant.slot].owner, kOwner.value);
  EXPECT_GE(grant.offset, slots.size() * sizeof(ObjectTable::Slot));
}

TEST_F(ObjectTableTest, AFreedSlotComesBackWithTheNextGeneration) {
  const auto first = Put();
  EXPECT_TRUE(table.Free(kOwner, first.slot, first.generation));
  EXPECT_EQ(StateOf(first), ObjectState::kDying);
  EXPECT_FALSE(table.Free(kOwner, first.slot, first.generation));
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(StateOf(first), ObjectState::kFree);
  const auto second = Allocate();
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_EQ(second.generation, first.generation + 1);
  EXPECT_FALSE(table.Free(kOwner, first.slot, first.generation));
  EXPECT_FALSE(table.Free(kOwner, 9'999'999, 1));
}

TEST_F(ObjectTableTest, APinKeepsItWhateverItsGeneration) {
  const auto object = Put();
  const auto neighbour = Put();
  table.Free(kOwner, object.slot, object.generation);
  table.Free(kOwner, neighbour.slot, neighbour.generation);
  EXPECT_TRUE(Reclaim({shm::PinWord(object.slot, object.generation), shm::PinWord(500, 1)}));
  EXPECT_EQ(StateOf(object), ObjectState::kDying);
  EXPECT_EQ(StateOf(neighbour), ObjectState::kFree);
  EXPECT_FALSE(Reclaim({shm::PinWord(object.slot, UINT32_MAX)}));
  EXPECT_TRUE(table.HasDying());
  EXPECT_TRUE(Reclaim());
  EXPECT_FALSE(table.HasDying());
}

TEST_F(ObjectTableTest, TheLesseeMayGiveUpWhatItIsWriting) {
  const auto object = Allocate(kWorker, kOwner);
  EXPECT_TRUE(table.Free(kWorker, object.slot, object.generation));
  EXPECT_FALSE(Seal(object));
  EXPECT_TRUE(Reclaim());
}

TEST_F(ObjectTableTest, OthersWaitForTheWriter) {
  const auto object = Allocate(kWorker, kOwner);
  EXPECT_TRUE(table.Free(kOwner, object.slot, object.generation));
  EXPECT_FALSE(table.Free(kOwner, object.slot, object.generation));
  EXPECT_FALSE(Reclaim());
  EXPECT_TRUE(table.HasDying());
  EXPECT_TRUE(Seal(object));
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(StateOf(object), ObjectState::kFree);
}

TEST_F(ObjectTableTest, ADoomedOneFollowsItsWriterIntoDeath) {
  const auto object = Allocate(kWorker, kOwner);
  table.Free(kOwner, object.slot, object.generation);
  table.ProcessGone(kWorker);
  EXPECT_TRUE(Reclaim());
}

TEST_F(ObjectTableTest, ADeadLesseeLeavesWhatItSealedForOthers) {
  const auto unfinished = Allocate(kWorker, kOwner);
  const auto finished = Put(kWorker, kOwner);
  const auto its_own = Put(kWorker, kWorker);
  const auto unrelated = Put(kOther, kOwner);
  const auto missed = table.ProcessGone(kWorker);
  ASSERT_EQ(missed.size(), 1u);
  EXPECT_EQ(missed.at(kOwner), (SlotList{{finished.slot, finished.generation}}));
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(StateOf(unfinished), ObjectState::kFree);
  EXPECT_EQ(StateOf(its_own), ObjectState::kFree);
  EXPECT_EQ(StateOf(finished), ObjectState::kSealed);
  EXPECT_EQ(StateOf(unrelated), ObjectState::kSealed);
  // Its owner can still free it, and so does its owner's death.
  table.ProcessGone(kOwner);
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(table.objects(), 0u);
  EXPECT_EQ(table.used(), 0u);
}

TEST_F(ObjectTableTest, ADeadOwnersObjectsWaitForTheirWriters) {
  const auto writing = Allocate(kWorker, kOwner);
  const auto sealed = Put(kWorker, kOwner);
  EXPECT_TRUE(table.ProcessGone(kOwner).empty());
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(StateOf(sealed), ObjectState::kFree);
  EXPECT_EQ(StateOf(writing), ObjectState::kWriting);
  EXPECT_TRUE(table.ProcessGone(kWorker).empty());
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(table.objects(), 0u);
}

TEST_F(ObjectTableTest, FullIsFull) {
  EXPECT_FALSE(table.CanEverFit(kArena));
  EXPECT_TRUE(table.CanEverFit(table.capacity()));
  const auto all = table.Allocate(kOwner, kOwner, table.capacity() - (4 << 20));
  ASSERT_TRUE(all);
  EXPECT_FALSE(table.Allocate(kOwner, kOwner, 8 << 20));
}

TEST_F(ObjectTableTest, SlotsRunOutBeforeSpace) {
  std::vector<ObjectTable::Slot> few(2);
  ObjectTable small(few, kArena);
  EXPECT_TRUE(small.Allocate(kOwner, kOwner, 1));
  EXPECT_TRUE(small.Allocate(kOwner, kOwner, 1));
  EXPECT_FALSE(small.Allocate(kOwner, kOwner, 1));
}

TEST_F(ObjectTableTest, NamesTheLargestHolders) {
  Allocate(kOwner, kOwner, 1 << 20);
  Allocate(kOther, kOther, 5 << 20);
  Allocate(kOther, kOther, 5 << 20);
  Allocate(kWorker, kWorker, 3 << 20);
  const auto holders = table.LargestHolders(2, {});
  ASSERT_EQ(holders.size(), 2u);
  EXPECT_EQ(holders[0].process, kOther);
  EXPECT_EQ(holders[0].objects, 2u);
  EXPECT_EQ(holders[0].bytes, 10u << 20);
  EXPECT_EQ(holders[1].process, kWorker);
}

TEST_F(ObjectTableTest, GarbageInASlotHurtsNobodyElse) {
  const auto object = Put();
  slots[object.slot].word.store(~0ull);
  slots[object.slot].offset = ~0ull;
  slots[object.slot].size = ~0ull;
  EXPECT_TRUE(table.Free(kOwner, object.slot, object.generation));
  EXPECT_TRUE(Reclaim());
  EXPECT_EQ(StateOf(object), ObjectState::kFree);
}

// Random lives and deaths; the books balance after each step and everything comes back in the end.
class RandomLives : public ObjectTableTest, public testing::WithParamInterface<int> {};

TEST_P(RandomLives, KeepTheBooks) {
  std::mt19937_64 random(static_cast<uint64_t>(GetParam()));
  std::vector<ObjectTable::Grant> grants;
  const auto process = [&] { return ProcessId{1 + random() % 4}; };
  for (int step = 0; step < 3000; ++step) {
    const auto any = [&]() -> ObjectTable::Grant& { return grants[random() % grants.size()]; };
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        if (const auto grant = table.Allocate(process(), process(), random() % (1 << 21))) {
          grants.push_back(*grant);
        }
        break;
      case 3:
      case 4:
        if (!grants.empty()) Seal(any());
        break;
      case 5:
        if (!grants.empty()) {
          const auto& grant = any();
          table.Free(process(), grant.slot, grant.generation);
        }
        break;
      case 6:
        if (random() % 20 == 0) table.ProcessGone(process());
        break;
      default: {
        std::vector<uint64_t> pins;
        for (int i = 0; i < 3 && !grants.empty(); ++i) {
          pins.push_back(shm::PinWord(any().slot, any().generation));
        }
        Reclaim(pins);
      }
    }
    table.CheckInvariants();
  }
  for (uint64_t id = 1; id <= 4; ++id) table.ProcessGone(ProcessId{id});
  Reclaim();
  EXPECT_EQ(table.objects(), 0u);
  EXPECT_EQ(table.used(), 0u);
  EXPECT_FALSE(table.HasDying());
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomLives, testing::Range(0, 10));

}  // namespace
}  // namespace manta::node
