#include "worker/running_task.h"

#include <gtest/gtest.h>

#include <thread>

namespace manta::worker {
namespace {

ObjectId Task(uint32_t index) { return {ProcessId{5}, index, 1}; }

std::atomic<int> stops{0};
std::atomic<bool> may_run{false};  // what the main thread runs just now
void CountStop() {
  EXPECT_TRUE(may_run.load());
  ++stops;
}

TEST(RunningTaskTest, StopsTheOneThatRuns) {
  RunningTask running;
  running.set_stop(CountStop);
  may_run = true;
  stops = 0;
  running.Interrupt(Task(1));
  running.Begins(Task(1));
  running.Interrupt(Task(2));
  EXPECT_EQ(stops, 0);
  running.Interrupt(Task(1));
  EXPECT_EQ(stops, 1);
  running.Ends();
  running.Interrupt(Task(1));
  EXPECT_EQ(stops, 1);
}

// CountStop sees that.
TEST(RunningTaskTest, NeverStopsOneThatHasEnded) {
  RunningTask running;
  running.set_stop(CountStop);
  may_run = false;
  std::atomic<bool> over{false};
  std::thread stopper([&] {
    while (!over.load()) running.Interrupt(Task(1));
  });
  for (int i = 0; i < 20'000; ++i) {
    may_run = true;
    running.Begins(Task(1));
    running.Ends();
    may_run = false;
  }
  over = true;
  stopper.join();
}

TEST(RunningTaskTest, DoesNothingWithoutAFrontEnd) {
  RunningTask running;
  running.Begins(Task(1));
  running.Interrupt(Task(1));
  running.Ends();
}

}  // namespace
}  // namespace manta::worker
