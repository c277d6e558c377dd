#include "shm/pin_table.h"

#include <gtest/gtest.h>

#include <memory>

namespace manta::shm {
namespace {

constexpr uint32_t kEntries = 8;
using Table = PinTable<RealAtomics, kEntries>;

TEST(PinTableTest, HoldsWhatIsPinned) {
  auto table = std::make_unique<Table>();
  ObjectSlot<RealAtomics> object{};
  object.word.store(ObjectWord(7, ObjectState::kSealed));
  EXPECT_FALSE(table->Holds(3));
  EXPECT_TRUE(table->Pin(0, 3, 7, object));
  EXPECT_TRUE(table->Pin(kEntries - 1, 3, 7, object));
  EXPECT_TRUE(table->Holds(3));
  EXPECT_FALSE(table->Holds(2));
  EXPECT_FALSE(table->Holds(4));
  table->Unpin(0);
  EXPECT_TRUE(table->Holds(3));
  table->Unpin(kEntries - 1);
  EXPECT_FALSE(table->Holds(3));
}

TEST(PinTableTest, RefusesWhatIsGone) {
  auto table = std::make_unique<Table>();
  ObjectSlot<RealAtomics> object{};
  for (const uint64_t word :
       {ObjectWord(7, ObjectState::kFree), ObjectWord(7, ObjectState::kWriting),
        ObjectWord(7, ObjectState::kDying), ObjectWord(8, ObjectState::kSealed),
        ObjectWord(6, ObjectState::kSealed)}) {
    object.word.store(word);
    EXPECT_FALSE(table->Pin(1, 3, 7, object));
    EXPECT_FALSE(table->Holds(3));
    EXPECT_EQ(table->entries[1].load(), 0u);
  }
}

TEST(PinTableTest, KeepsWhatIsHadByOtherMeans) {
  auto table = std::make_unique<Table>();
  table->Keep(2, 3, 7);
  EXPECT_EQ(table->entries[2].load(), PinWord(3, 7));
  EXPECT_TRUE(table->Holds(3));
  EXPECT_FALSE(table->Holds(2));
  table->Unpin(2);
  EXPECT_FALSE(table->Holds(3));
}

TEST(PinTableTest, AScanGoesNoFurtherThanTheLastEntryThatWasUsed) {
  auto table = std::make_unique<Table>();
  ObjectSlot<RealAtomics> object{};
  object.word.store(ObjectWord(7, ObjectState::kSealed));
  EXPECT_TRUE(table->Pin(1, 3, 7, object));
  EXPECT_EQ(table->used.load(), 2u);
  table->Keep(4, 3, 7);
  EXPECT_EQ(table->used.load(), 5u);
  EXPECT_TRUE(table->Pin(0, 3, 7, object));
  table->Keep(2, 3, 7);
  EXPECT_EQ(table->used.load(), 5u) << "the entries above may still be in use";
}

TEST(PinTableTest, SealsWhatIsWrittenAndNothingElse) {
  ObjectSlot<RealAtomics> object{};
  for (const uint64_t word : {ObjectWord(7, ObjectState::kDying), ObjectWord(8, ObjectState::kWriting)}) {
    object.word.store(word);
    Seal(object, 7);
    EXPECT_EQ(object.word.load(), word) << "it was taken back meanwhile";
  }
  object.word.store(ObjectWord(7, ObjectState::kWriting));
  Seal(object, 7);
  EXPECT_EQ(object.word.load(), ObjectWord(7, ObjectState::kSealed));
}

TEST(PinTableTest, TheFirstSlotAndTheLastGenerationAreNotFree) {
  auto table = std::make_unique<Table>();
  ObjectSlot<RealAtomics> object{};
  object.word.store(ObjectWord(~0u, ObjectState::kSealed));
  EXPECT_TRUE(table->Pin(0, 0, ~0u, object));
  EXPECT_TRUE(table->Holds(0));
  EXPECT_FALSE(table->Holds(1));
  object.word.store(ObjectWord(0, ObjectState::kSealed));
  EXPECT_TRUE(table->Pin(0, 0xfffffffe, 0, object));
  EXPECT_TRUE(table->Holds(0xfffffffe));
  EXPECT_FALSE(table->Holds(0));
}

}  // namespace
}  // namespace manta::shm
