// Workers that are killed while thousands of tasks are under way.
#include <signal.h>

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "tests/kills/fixture.h"

namespace manta_test {
namespace {

constexpr int kTasks = 10'000;
constexpr int kGate = kTasks;  // the place where all of them wait

class Workers : public ConnectedKillTest {
 protected:
  // The tasks that have started and are held at the gate now, once there are so many.
  std::vector<int> Running(size_t count) {
    std::vector<int> running;
    EXPECT_TRUE(Eventually(20s, [&] {
      running.clear();
      for (int i = 0; i < kTasks; ++i) {
        if (board().arrivals(i) > 0) running.push_back(i);
      }
      return running.size() >= count;
    })) << "waited for " << count << " tasks to run; " << running.size() << " do";
    return running;
  }
};

int Stand(int number) {
  std::printf("task %d runs\n", number);
  std::fflush(stdout);
  Board::OfThisTest().Arrive(number);
  Board::OfThisTest().Wait(kGate);
  return number;
}
int Nothing(int number) { return number; }

std::vector<manta::ObjectRef<int>> Submit(int retries) {
  std::vector<manta::ObjectRef<int>> tasks;
  tasks.reserve(kTasks);
  for (int i = 0; i < kTasks; ++i) tasks.push_back(manta::Task(Stand).SetMaxRetries(retries).Remote(i));
  return tasks;
}

// Tasks have been short so far, so that the ring of the worker is full of those that it has not claimed.
void FillTheWindow() {
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 2000; ++i) tasks.push_back(manta::Task(Nothing).SetMaxRetries(0).Remote(i));
  manta::Get(tasks, 20s);
}

TEST_F(Workers, WithoutRetriesExactlyTheRunningTaskFails) {
  for (int round = 0; round < kKills; ++round) {
    board().Clear();
    FillTheWindow();
    const std::vector<manta::ObjectRef<int>> tasks = Submit(0);
    const std::vector<int> running = Running(1);
    ASSERT_FALSE(running.empty());
    const int victim = running[static_cast<size_t>(round) % running.size()];
    Stopwatch watch;
    kill(board().visitor(victim), SIGKILL);
    const Resolution lost = Resolve(tasks[static_cast<size_t>(victim)]);
    const double seconds = watch.seconds();
    EXPECT_EQ(lost.how, "WorkerCrashed") << lost.message;
    EXPECT_NE(lost.message.find("SIGKILL"), std::string::npos) << lost.message;
    EXPECT_NE(lost.message.find("task " + std::to_string(victim) + " runs"), std::string::npos)
        << "the last lines of its log: " << lost.message;
    board().Open(kGate);
    Outcomes outcomes;
    for (int i = 0; i < kTasks; ++i) {
      const Resolution one = Resolve(tasks[static_cast<size_t>(i)]);
      ++outcomes[one.how];
      ASSERT_EQ(one.how, i == victim ? "WorkerCrashed" : "value") << "task " << i << ": " << one.message;
      ASSERT_EQ(board().arrivals(i), 1) << "task " << i << " ran more than once, or never";
    }
    log().Add("10,000 tasks in flight, no retries", "the worker of task " + std::to_string(victim),
              outcomes, seconds);
  }
}

TEST_F(Workers, WithRetriesEveryTaskHasItsValue) {
  for (int round = 0; round < kKills; ++round) {
    board().Clear();
    FillTheWindow();
    const std::vector<manta::ObjectRef<int>> tasks = Submit(3);
    const std::vector<int> running = Running(1);
    ASSERT_FALSE(running.empty());
    const int victim = running[static_cast<size_t>(round) % running.size()];
    Stopwatch watch;
    kill(board().visitor(victim), SIGKILL);
    EXPECT_TRUE(board().Await(victim, 2)) << "waited for task " << victim << " to run again";
    const double seconds = watch.seconds();
    board().Open(kGate);
    Outcomes outcomes;
    for (int i = 0; i < kTasks; ++i) {
      const Resolution one = Resolve(tasks[static_cast<size_t>(i)]);
      ++outcomes[one.how];
      ASSERT_EQ(one.how, "value") << "task " << i << ": " << one.message;
      ASSERT_EQ(board().arrivals(i), i == victim ? 2 : 1) << "runs of task " << i;
    }
    log().Add("10,000 tasks in flight, retries", "the worker of task " + std::to_string(victim),
              outcomes, seconds);
  }
}

int Spin(int microseconds) {
  Stopwatch watch;
  while (watch.seconds() * 1e6 < microseconds) {
  }
  return microseconds;
}

// Claimed, running, completed, published: whatever the worker is at just then.
TEST_F(Workers, AtAnyInstantOfAStreamOfShortTasks) {
  std::minstd_rand random(17);
  for (int round = 0; round < 3 * kKills; ++round) {
    const bool retry = round % 3 == 0;
    FillTheWindow();
    const std::vector<pid_t> workers = Pids(Role::kWorker);
    ASSERT_FALSE(workers.empty());
    const pid_t victim = workers[random() % workers.size()];
    const double delay = static_cast<double>(random() % 3000) * 1e-6;
    std::vector<manta::ObjectRef<int>> tasks;
    const auto submit = [&] {
      tasks.push_back(manta::Task(Spin).SetMaxRetries(retry ? 1 : 0).Remote(static_cast<int>(random() % 8)));
    };
    for (int i = 0; i < 500; ++i) submit();
    for (Stopwatch watch; watch.seconds() < delay;) submit();
    Stopwatch since_kill;
    kill(victim, SIGKILL);
    for (int i = 0; i < 500; ++i) submit();
    Outcomes outcomes;
    for (const auto& task : tasks) ++outcomes[Resolve(task).how];
    const int crashed = outcomes.contains("WorkerCrashed") ? outcomes["WorkerCrashed"] : 0;
    EXPECT_LE(crashed, retry ? 0 : 1) << "a worker runs one task at a time";
    EXPECT_EQ(outcomes["value"] + crashed, static_cast<int>(tasks.size()));
    log().Add(retry ? "short tasks stream, retries" : "short tasks stream, no retries",
              "worker " + std::to_string(victim), outcomes, since_kill.seconds());
  }
}

}  // namespace
}  // namespace manta_test
