// Wait: which of many references are ready.
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

class WaitFor : public ConnectedTest {};

int SleepAndReturn(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return milliseconds;
}
int Fail() { throw std::runtime_error("failed"); }

TEST_F(WaitFor, TheFirstThatIsReady) {
  std::vector<manta::ObjectRef<int>> tasks = {manta::Task(SleepAndReturn).Remote(1500),
                                              manta::Task(SleepAndReturn).Remote(10)};
  Stopwatch watch;
  const auto [ready, unready] = manta::Wait(tasks, 1);
  EXPECT_LT(watch.seconds(), 1.0);
  ASSERT_EQ(ready.size(), 1u);
  ASSERT_EQ(unready.size(), 1u);
  EXPECT_EQ(ready.front(), tasks[1]);
  EXPECT_EQ(unready.front(), tasks[0]);
}

TEST_F(WaitFor, KeepsTheOrderGiven) {
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(manta::Task(SleepAndReturn).Remote(i % 5));
  const auto [ready, unready] = manta::Wait(tasks, 20);
  ASSERT_EQ(ready.size(), 20u);
  EXPECT_TRUE(std::equal(ready.begin(), ready.end(), tasks.begin()));
  EXPECT_TRUE(unready.empty());
}

TEST_F(WaitFor, ReturnsNoMoreThanAskedFor) {
  std::vector<manta::ObjectRef<int>> values;
  for (int i = 0; i < 10; ++i) values.push_back(manta::Put(i));
  const auto [ready, unready] = manta::Wait(values, 3);
  ASSERT_EQ(ready.size(), 3u);
  ASSERT_EQ(unready.size(), 7u);
  EXPECT_TRUE(std::equal(ready.begin(), ready.end(), values.begin()));
  EXPECT_TRUE(std::equal(unready.begin(), unready.end(), values.begin() + 3));
}

TEST_F(WaitFor, NoLongerThanItsTime) {
  std::vector<manta::ObjectRef<int>> tasks = {manta::Task(SleepAndReturn).Remote(10),
                                              manta::Task(SleepAndReturn).Remote(1500)};
  Stopwatch watch;
  const auto [ready, unready] = manta::Wait(tasks, 2, 200);
  EXPECT_GE(watch.seconds(), 0.199);
  EXPECT_LT(watch.seconds(), 1.0);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready.front(), tasks[0]);
  // Looking without waiting.
  watch = Stopwatch();
  EXPECT_EQ(manta::Wait(tasks, 2, 0).ready.size(), 1u);
  EXPECT_LT(watch.seconds(), 0.1);
}

TEST_F(WaitFor, FailuresCountAsReady) {
  std::vector<manta::ObjectRef<int>> tasks = {manta::Task(Fail).Remote(), manta::Task(SleepAndReturn).Remote(1500)};
  const auto [ready, unready] = manta::Wait(tasks, 1, 1000);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready.front(), tasks[0]);
  EXPECT_THROW(ready.front().Get(), std::runtime_error);
}

TEST_F(WaitFor, WrongNumbersAreRefused) {
  std::vector<manta::ObjectRef<int>> two = {manta::Put(1), manta::Put(2)};
  EXPECT_THROW(manta::Wait(two, 3), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Wait(two, -1), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Wait(two, 0), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Wait(std::vector<manta::ObjectRef<int>>(), 1), manta::InvalidArgumentError);
}

TEST_F(WaitFor, TheSameReferenceTwice) {
  const auto task = manta::Task(SleepAndReturn).Remote(100);
  const auto [ready, unready] = manta::Wait(std::vector<manta::ObjectRef<int>>{task, task}, 2);
  EXPECT_EQ(ready.size(), 2u);
}

TEST_F(WaitFor, AThousandOneAtATime) {
  std::vector<manta::ObjectRef<int>> tasks;
  int sum = 0;
  for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task([](int x) { return x; }).Remote(i));
  while (!tasks.empty()) {
    const auto index = manta::WaitAny(tasks, 10s);
    ASSERT_TRUE(index.has_value());
    sum += *manta::Get(tasks[*index]);
    tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(*index));
  }
  EXPECT_EQ(sum, 999 * 500);
}

TEST_F(WaitFor, IndicesOfThoseThatAreReady) {
  std::vector<manta::ObjectRef<int>> tasks = {manta::Task(SleepAndReturn).Remote(1000), manta::Put(1),
                                              manta::Task(Fail).Remote(), manta::Put(2)};
  EXPECT_EQ(manta::WaitReady(tasks, 3), (std::vector<size_t>{1, 2, 3}));
  EXPECT_EQ(manta::WaitAny(tasks), 1u);
  EXPECT_EQ(manta::WaitAny(std::vector<manta::ObjectRef<int>>{tasks[0]}, 1), std::nullopt);
}

TEST_F(WaitFor, WhatComesFromAnotherThreadsPolling) {
  // One thread waits in Get for a long task; the other's tasks are ready in between.
  const auto slow = manta::Task(SleepAndReturn).Remote(1000);
  std::thread waiting([&] { manta::Get(slow); });
  usleep(100'000);
  for (int i = 0; i < 50; ++i) {
    Stopwatch watch;
    std::vector<manta::ObjectRef<int>> quick = {manta::Task(SleepAndReturn).Remote(2)};
    EXPECT_EQ(manta::Wait(quick, 1, 500).ready.size(), 1u);
    EXPECT_LT(watch.seconds(), 0.4);
  }
  waiting.join();
}

TEST_F(WaitFor, ObjectsOfEveryKind) {
  std::vector<manta::ObjectRef<std::string>> objects = {
      manta::Put(std::string("small")), manta::Put(std::string(1000, 'm')), manta::Put(std::string(200'000, 'l')),
      manta::Task([] { return std::string(200'000, 'r'); }).Remote()};
  EXPECT_EQ(manta::Wait(objects, 4, 5s).ready.size(), 4u);
}

// Tasks start in the order of their submission: none waits behind a long one while a later one runs.
TEST_F(WaitFor, AShortTaskDoesNotWaitBehindALongOne) {
  std::vector<manta::ObjectRef<int>> tasks;
  for (const int milliseconds : {900, 10, 900, 900}) tasks.push_back(manta::Task(SleepAndReturn).Remote(milliseconds));
  const auto [ready, unready] = manta::Wait(tasks, 1);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready.front(), tasks[1]);
}

}  // namespace
}  // namespace manta_test
