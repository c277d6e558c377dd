// Zygotes that are killed: their workers go with them, and the next ones still start.
#include <signal.h>

#include <string>
#include <vector>

#include "tests/kills/fixture.h"

namespace manta_test {
namespace {

constexpr int kRunning = 1;
constexpr int kGate = 2;

int Stand(int value) {
  Board::OfThisTest().Arrive(kRunning);
  Board::OfThisTest().Wait(kGate);
  return value;
}
int Nothing(int value) { return value; }

class Zygotes : public ConnectedKillTest {
 protected:
  void KillZygote(const char* phase, const std::vector<manta::ObjectRef<int>>& references) {
    const pid_t zygote = ThePid(Role::kZygote);
    ASSERT_NE(zygote, 0) << phase << ": there is no zygote";
    Stopwatch since_kill;
    kill(zygote, SIGKILL);
    EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(zygote); })) << "waited for the zygote to end";
    board().Open(kGate);
    Outcomes outcomes;
    for (const auto& reference : references) {
      const Resolution one = Resolve(reference);
      ++outcomes[one.how];
      EXPECT_EQ(one.how, "value") << phase << ": " << one.message;
    }
    const Resolution next = Resolve(manta::Task(Nothing).Remote(1));
    ++outcomes[next.how];
    EXPECT_EQ(next.how, "value") << "the next task: " << next.message;
    log().Add(phase, "zygote " + std::to_string(zygote), outcomes, since_kill.seconds());
  }
};

TEST_F(Zygotes, WithoutAnythingToDo) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    manta::Get(manta::Task(Nothing).Remote(1));
    KillZygote("workers idle", {});
  }
}

TEST_F(Zygotes, WhileTasksRun) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    board().Clear();
    std::vector<manta::ObjectRef<int>> tasks;
    for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task(Stand).Remote(i));
    ASSERT_TRUE(board().Await(kRunning)) << "waited for a task to run";
    KillZygote("tasks running", tasks);
  }
}

TEST_F(Zygotes, WhileWorkersStart) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    manta::Get(manta::Task(Nothing).Remote(1));
    const std::vector<pid_t> workers = Pids(Role::kWorker);
    for (const pid_t worker : workers) kill(worker, SIGKILL);
    std::vector<manta::ObjectRef<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(manta::Task(Nothing).Remote(i));
    KillZygote("workers starting", tasks);
  }
}

}  // namespace
}  // namespace manta_test
