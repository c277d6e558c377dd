// Workers that are killed in each phase of a task's, and of an actor's, life which user code can hold open.
#include <signal.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/kills/fixture.h"

namespace manta_test {
namespace {

// Places of the board.
constexpr int kHere = 1;   // the task whose worker is killed
constexpr int kChild = 2;  // what it waits for
constexpr int kGate = 3;   // opened when the kill is done

using References = std::vector<manta::ObjectRef<int>>;

class Tasks : public ConnectedKillTest {
 protected:
  // `reach` submits and names the victim. After the kill the gate is open; every reference has to end as one of `allowed`.
  void KillIn(const std::string& phase, const std::function<pid_t(References*)>& reach,
              const std::vector<std::string>& allowed) {
    for (int round = 0; round < kKills; ++round) {
      board().Clear();
      References references;
      const pid_t victim = reach(&references);
      ASSERT_GT(victim, 0) << phase << ": nobody to kill";
      Stopwatch since_kill;
      kill(victim, SIGKILL);
      EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(victim); })) << "waited for the victim to end";
      board().Open(kGate);
      Outcomes outcomes;
      for (const auto& reference : references) {
        const Resolution one = Resolve(reference);
        ++outcomes[one.how];
        EXPECT_NE(std::find(allowed.begin(), allowed.end(), one.how), allowed.end())
            << phase << ": " << one.how << ": " << one.message;
      }
      log().Add(phase, "worker " + std::to_string(victim), outcomes, since_kill.seconds());
      ASSERT_FALSE(HasFailure()) << phase << ", kill " << round;
    }
  }
  pid_t Visitor(int place) {
    EXPECT_TRUE(board().Await(place)) << "waited for somebody at place " << place;
    return board().visitor(place);
  }
};

int Stand(int value) {
  Board::OfThisTest().Arrive(kHere);
  Board::OfThisTest().Wait(kGate);
  return value;
}
int Nothing(int value) { return value; }
int Child() {
  Board::OfThisTest().Arrive(kChild);
  Board::OfThisTest().Wait(kGate);
  return 1;
}

// ---- Tasks

TEST_F(Tasks, Running) {
  for (const int retries : {0, 3}) {
    KillIn(retries == 0 ? "running, no retries" : "running, retries",
           [&](References* references) {
             references->push_back(manta::Task(Stand).SetMaxRetries(retries).Remote(1));
             return Visitor(kHere);
           },
           {retries == 0 ? "WorkerCrashed" : "value"});
  }
}

TEST_F(Tasks, StartingItsWorker) {
  KillIn("workers starting",
         [&](References* references) {
           for (const pid_t worker : Pids(Role::kWorker)) kill(worker, SIGKILL);
           for (int i = 0; i < 100; ++i) references->push_back(manta::Task(Nothing).Remote(i));
           pid_t starting = 0;
           EXPECT_TRUE(Eventually(5s, [&] {
             // The youngest, whatever it has got to.
             for (const pid_t child : ChildrenOf(ThePid(Role::kZygote))) {
               if (IsAlive(child)) starting = std::max(starting, child);
             }
             return starting > 0;
           })) << "waited for a worker to be forked";
           return starting;
         },
         {"value"});
}

// The parent holds a CPU no more when it waits; its child runs in the other worker.
int ParentOfAChildElsewhere() {
  const auto child = manta::Task(Child).Remote();
  Board::OfThisTest().Arrive(kHere);
  (void)Board::OfThisTest().Await(kChild);
  return *manta::Get(child);
}

TEST_F(Tasks, WaitingInGet) {
  KillIn("waiting in Get, the parent dies",
         [&](References* references) {
           references->push_back(manta::Task(ParentOfAChildElsewhere).Remote());
           Visitor(kChild);
           return Visitor(kHere);
         },
         {"value"});
  KillIn("waiting in Get, the parent dies, no retries",
         [&](References* references) {
           references->push_back(manta::Task(ParentOfAChildElsewhere).SetMaxRetries(0).Remote());
           Visitor(kChild);
           return Visitor(kHere);
         },
         {"WorkerCrashed"});
  KillIn("waiting in Get, the child dies",
         [&](References* references) {
           references->push_back(manta::Task(ParentOfAChildElsewhere).Remote());
           return Visitor(kChild);
         },
         {"value"});
}

int ParentInPlace() {
  Board::OfThisTest().Arrive(kHere);
  std::vector<manta::ObjectRef<int>> children;
  for (int i = 0; i < 4; ++i) children.push_back(manta::Task(Child).Remote());
  int sum = 0;
  for (const auto& child : children) sum += *manta::Get(child);
  return sum;
}

TEST_F(Tasks, RunningChildrenInPlace) {
  KillIn("running nested children in place",
         [&](References* references) {
           references->push_back(manta::Task(ParentInPlace).Remote());
           Visitor(kChild);
           return Visitor(kHere);
         },
         {"value"});
}

TEST_F(Tasks, CancelledWhileRunning) {
  KillIn("cancelled while running",
         [&](References* references) {
           references->push_back(manta::Task(Stand).Remote(1));
           for (int i = 0; i < 50; ++i) references->push_back(manta::Task(Nothing).SetMaxRetries(0).Remote(i));
           const pid_t worker = Visitor(kHere);
           manta::Cancel(references->front());
           return worker;
         },
         {"TaskCancelled", "value"});
}

// ---- Actors

class Keeper {
 public:
  explicit Keeper(bool hold = false) {
    if (hold) Stand(0);
  }
  int Hold() { return tests_held_ = Stand(1); }
  int Size() const { return tests_held_; }

 private:
  int tests_held_ = 0;
};
int CallIt(manta::ActorHandle<Keeper> keeper) {
  const auto call = keeper.Task(&Keeper::Size).Remote();
  Board::OfThisTest().Arrive(kChild);
  try {
    return *manta::Get(call);
  } catch (const manta::ActorDiedError&) {
    return -1;
  }
}

TEST_F(Tasks, OfAnActorBeingCreated) {
  KillIn("an actor being created",
         [&](References* references) {
           const auto keeper = manta::Actor<Keeper>().Remote(true);
           for (int i = 0; i < 20; ++i) references->push_back(keeper.Task(&Keeper::Size).Remote());
           return Visitor(kHere);
         },
         {"ActorDied"});
}

TEST_F(Tasks, OfAnActorThatRunsACall) {
  KillIn("an actor's call running, others queued",
         [&](References* references) {
           const auto keeper = manta::Actor<Keeper>().Remote();
           references->push_back(keeper.Task(&Keeper::Hold).Remote());
           for (int i = 0; i < 100; ++i) references->push_back(keeper.Task(&Keeper::Size).Remote());
           return Visitor(kHere);
         },
         {"ActorDied"});
}

TEST_F(Tasks, OfACancelledCallOfAnActor) {
  KillIn("an actor's call cancelled while running, others queued",
         [&](References* references) {
           const auto keeper = manta::Actor<Keeper>().Remote();
           const auto held = keeper.Task(&Keeper::Hold).Remote();
           for (int i = 0; i < 20; ++i) references->push_back(keeper.Task(&Keeper::Size).Remote());
           const pid_t actor = Visitor(kHere);
           manta::Cancel(held);
           return actor;
         },
         {"ActorDied"});
}

TEST_F(Tasks, OfAnActorWithSeveralCallers) {
  KillIn("an actor dies while calls of several callers are in flight",
         [&](References* references) {
           const auto keeper = manta::Actor<Keeper>().Remote();
           const auto held = keeper.Task(&Keeper::Hold).Remote();
           const pid_t actor = Visitor(kHere);
           for (int i = 0; i < 4; ++i) references->push_back(manta::Task(CallIt).SetNumCpus(0.5).Remote(keeper));
           EXPECT_TRUE(board().Await(kChild, 4)) << "waited for four callers";
           return actor;
         },
         {"value"});
}

}  // namespace
}  // namespace manta_test
