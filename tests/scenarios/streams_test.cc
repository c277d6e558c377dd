// Tasks that give their results one by one.
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/streams.h"

namespace manta_test {
namespace {

class Streams : public ConnectedTest {};

TEST_F(Streams, GiveTheirItemsInOrder) {
  Stream none({}), few({.items = 3}), many({.items = 20'000});
  none.ExpectAll(0);
  few.ExpectAll(3);
  many.ExpectAll(20'000);
  EXPECT_EQ(many.Ended(), 0);
}

// Inline in the completion, in the ring, in the arena, and more of those in the ring than it holds.
TEST_F(Streams, OfItemsOfEverySize) {
  for (const uint32_t bytes : {4u, 31u, 32u, 33u, 1'000u, 60'000u, 1'000'000u}) {
    SCOPED_TRACE(bytes);
    Stream stream({.items = bytes > 100'000 ? 20u : 200u, .bytes = bytes});
    stream.ExpectAll(bytes > 100'000 ? 20 : 200);
  }
}

TEST_F(Streams, WhoseItemsHoldReferences) {
  Stream stream({.items = 50, .hold_references = 1});
  stream.ExpectAll(50);
}

// A reader that comes late finds all of it; meanwhile the ring is full of items, and other tasks end.
TEST_F(Streams, ThatNobodyReadsHoldUpNoOtherTask) {
  Stream stream({.items = 5'000}), other({.items = 1});
  other.ExpectAll(1);
  EXPECT_EQ(stream.Ended(), 0);
  stream.ExpectAll(5'000);
}

TEST_F(Streams, ThatFailHaveTheErrorForTheLastItem) {
  Stream stream({.items = 2, .fail_at_the_end = 1});
  EXPECT_EQ(stream.Next(), 0);
  EXPECT_EQ(stream.Next(), 1);
  EXPECT_EQ(stream.Next(), -2);
  EXPECT_EQ(stream.error(), "on purpose");
  EXPECT_EQ(stream.Next(), -1);
  EXPECT_EQ(stream.Ended(), MANTA_ERROR_TASK);
}

TEST_F(Streams, GiveNoItemTwiceWhenTheirWorkerDies) {
  for (const uint32_t die_before : {0u, 1u, 7u, 300u}) {
    SCOPED_TRACE(die_before);
    Stream stream({.items = 400, .die_before = die_before});
    stream.ExpectAll(400);
    Stream paused({.items = 20, .most_ahead = 2, .die_before = die_before % 20});
    paused.ExpectAll(20);
  }
}

TEST_F(Streams, WithoutRetriesEndWithTheirWorker) {
  Stream stream({.items = 9, .die_before = 2}, 0);
  EXPECT_EQ(stream.Next(), 0);
  EXPECT_EQ(stream.Next(), 1);
  EXPECT_EQ(stream.Next(), -2);
  EXPECT_EQ(stream.error_kind(), MANTA_ERROR_WORKER_CRASHED) << stream.error();
  EXPECT_EQ(stream.Next(), -1);
}

TEST_F(Streams, RunNoFurtherAheadThanTheyMay) {
  Stream stream({.items = 3, .most_ahead = 1});
  EXPECT_TRUE(Eventually(10s, [&] { return stream.HasNext(); }));
  EXPECT_EQ(stream.Next(), 0);
  std::make_unique<Stream>(StreamPlan{.items = 100, .most_ahead = 1})->ExpectAll(100);
  EXPECT_EQ(stream.Next(), 1);
}

TEST_F(Streams, ThatNobodyWantsRunToTheirEnd) {
  Stream stream({.items = 10'000, .bytes = 2'000}), paused({.items = 10, .bytes = 500'000, .most_ahead = 1});
  EXPECT_EQ(stream.Next(), 0);
  stream.Abandon();
  paused.Abandon();
  EXPECT_EQ(stream.Ended(), 0);
  EXPECT_EQ(paused.Ended(), 0);
}

TEST_F(Streams, ThatNobodyWantsKeepNothingAlive) {
  const double before = manta::AvailableResources()["object_store_memory"];
  Stream stream({.items = 500, .hold_references = 1});
  stream.Abandon();
  EXPECT_EQ(stream.Ended(), 0);
  EXPECT_TRUE(Eventually(5s, [&] { return manta::AvailableResources()["object_store_memory"] >= before; }))
      << before - manta::AvailableResources()["object_store_memory"] << " bytes are held";
}

TEST_F(Streams, ThatAreCancelledWhileTheyPause) {
  Stream stream({.items = 10, .most_ahead = 2});
  EXPECT_EQ(stream.Next(), 0);
  EXPECT_TRUE(Eventually(10s, [&] { return stream.HasNext(); }));
  stream.Cancel();
  int64_t last = 0;
  while (last >= 0) last = stream.Next();
  EXPECT_EQ(last, -2);
  EXPECT_EQ(stream.error_kind(), MANTA_ERROR_TASK_CANCELLED) << stream.error();
  EXPECT_EQ(stream.Ended(), MANTA_ERROR_TASK_CANCELLED);
}

TEST_F(Streams, AreForOneCall) {
  manta_stream* stream = nullptr;
  ASSERT_EQ(manta_stream_new(manta_current(), 0, &stream), nullptr);
  EXPECT_EQ(manta_stream_advance(stream), 0) << "nothing has come";
  manta_ref* const next = manta_stream_peek(stream);
  manta_ref* const same = manta_stream_peek(stream);
  EXPECT_EQ(next, same);
  manta_ref_release(next);
  manta_ref_release(same);
  manta_task_spec spec{};
  spec.function_name = "f";
  spec.num_results = 2;
  spec.stream = stream;
  manta_ref* results[2];
  manta_error* const error = manta_submit(manta_current(), &spec, results);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(manta_error_get_kind(error), MANTA_ERROR_INVALID_ARGUMENT);
  manta_error_free(error);
  manta_stream_free(stream);
}

TEST_F(Streams, MayOutliveTheirRuntime) {
  auto stream = std::make_unique<Stream>(StreamPlan{.items = 10, .most_ahead = 1});
  EXPECT_EQ(stream->Next(), 0);
  manta::Shutdown();
  stream.reset();
  manta::Init();  // lets go of the former one
  manta::Shutdown();
}

}  // namespace
}  // namespace manta_test
