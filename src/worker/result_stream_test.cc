#include "worker/result_stream.h"

#include <gtest/gtest.h>

#include "worker/item_windows.h"

namespace manta::worker {
namespace {

TEST(ItemWindowsTest, AdmitUntilSoManyAreNotTaken) {
  const ObjectId task{ProcessId{1}, 7, 1}, other{ProcessId{1}, 8, 1};
  ItemWindows windows;
  windows.Begin(task);
  EXPECT_TRUE(windows.Admits(task, 1'000, 0)) << "any number";
  EXPECT_TRUE(windows.Admits(task, 1, 2));
  EXPECT_FALSE(windows.Admits(task, 2, 2));
  windows.Taken(other, 5);  // of one that has ended
  EXPECT_FALSE(windows.Admits(other, 1, 1));
  windows.Taken(task, 1);
  EXPECT_TRUE(windows.Admits(task, 2, 2));
  EXPECT_FALSE(windows.Admits(task, 3, 2));
  windows.Taken(task, 0);  // late
  EXPECT_TRUE(windows.Admits(task, 2, 2));
  windows.Taken(task, UINT32_MAX);  // nobody wants any
  EXPECT_TRUE(windows.Admits(task, 1'000, 2));
  windows.Forget(task);
  EXPECT_FALSE(windows.Admits(task, 2, 2));
}

// Its owner may be faster than the task, which asks once its item has left.
TEST(ItemWindowsTest, WhatIsTakenBeforeTheTaskAsksCounts) {
  const ObjectId task{ProcessId{1}, 7, 1};
  ItemWindows windows;
  windows.Begin(task);
  windows.Taken(task, 1);
  EXPECT_TRUE(windows.Admits(task, 1, 1));
}

class ResultStreamTest : public testing::Test {
 protected:
  static bool IsPending(const ObjectRecord* object) { return object->state.load() == ValueState::kPending; }
  // The number that stands in it; -1 at the end.
  int64_t Peek() {
    ObjectRecord* const object = stream_.Peek();
    int64_t number = -2;
    if (object->state.load() == ValueState::kError) {
      number = object->error->kind == MANTA_ERROR_END_OF_STREAM ? -1 : -3;
    } else if (!IsPending(object)) {
      number = static_cast<const unsigned char*>(owner_.Value(*object).data)[0];
    }
    owner_.ReleaseLocked(object);
    return number;
  }
  bool Receive(uint32_t number) {
    ObjectRecord* const object = stream_.Receive(number);
    if (object == nullptr) return false;
    const auto byte = static_cast<unsigned char>(number + base_);
    owner_.SetInline(object, &byte, 1);
    owner_.ReleaseLocked(object);
    return true;
  }
  void TearDown() override {
    stream_.Abandon();
    EXPECT_EQ(owner_.objects_in_use(), 0u);
  }

  Owner owner_{ProcessId{1}, nullptr};
  ResultStream stream_{&owner_, 0};
  uint32_t base_ = 0;
};

TEST_F(ResultStreamTest, GivesWhatHasComeInOrder) {
  EXPECT_EQ(Peek(), -2);
  EXPECT_FALSE(stream_.Advance()) << "it has not come";
  EXPECT_TRUE(Receive(0));
  EXPECT_TRUE(Receive(1));
  EXPECT_EQ(Peek(), 0);
  EXPECT_EQ(stream_.taken(), 0u);
  EXPECT_TRUE(stream_.Advance());
  EXPECT_EQ(stream_.taken(), 1u);
  EXPECT_EQ(Peek(), 1);
  EXPECT_TRUE(stream_.Advance());
  EXPECT_EQ(Peek(), -2);
  stream_.End(nullptr);
  EXPECT_EQ(Peek(), -1) << "whoever has waited for the next one";
  EXPECT_FALSE(stream_.Advance());
  EXPECT_EQ(Peek(), -1);
}

TEST_F(ResultStreamTest, AnotherAttemptGivesOnlyWhatIsNew) {
  Receive(0);
  Receive(1);
  stream_.Advance();
  base_ = 100;  // the second attempt
  EXPECT_TRUE(Receive(0));
  EXPECT_TRUE(Receive(1));
  EXPECT_TRUE(Receive(2));
  EXPECT_EQ(Peek(), 1) << "as it came first";
  stream_.Advance();
  EXPECT_EQ(Peek(), 102);
  EXPECT_FALSE(Receive(7)) << "there is a gap";
}

TEST_F(ResultStreamTest, AnErrorIsTheLastItem) {
  Receive(0);
  const Error error = MakeError(MANTA_ERROR_TASK, "on purpose");
  stream_.End(&error);
  EXPECT_FALSE(Receive(1)) << "it has ended";
  stream_.Advance();
  EXPECT_EQ(Peek(), -3);
  EXPECT_TRUE(stream_.Advance());
  EXPECT_EQ(Peek(), -1);
}

TEST_F(ResultStreamTest, WhatNobodyWantsIsFreed) {
  Receive(0);
  stream_.Abandon();
  EXPECT_EQ(stream_.taken(), UINT32_MAX);
  EXPECT_EQ(owner_.objects_in_use(), 0u);
  EXPECT_TRUE(Receive(1));
  EXPECT_EQ(owner_.objects_in_use(), 0u);
  const Error error = MakeError(MANTA_ERROR_TASK, "on purpose");
  stream_.End(&error);
}

}  // namespace
}  // namespace manta::worker
