// Actors: their order, their end, and how they start again.
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

class Counter {
 public:
  explicit Counter(int start = 0) : total_(start) {}
  int Add(int x) { return total_ += x; }
  int Pid() { return getpid(); }
  void Crash() { raise(SIGKILL); }
  void Exit() { manta::ExitActor(); }
  bool WasRestarted() { return manta::WasCurrentActorRestarted(); }
  // Waits until `path` exists.
  int AddAfter(int x, std::string path) {
    while (access(path.c_str(), F_OK) != 0) usleep(1000);
    return Add(x);
  }

 private:
  int total_;
};

using Handle = manta::ActorHandle<Counter>;

class Actors : public ConnectedTest {
 protected:
  std::string PathOf(const std::string& name) const { return root() + "/" + name; }
  static int PidOf(const Handle& actor) { return *manta::Get(actor.Task(&Counter::Pid).Remote()); }
  // Waits until the actor answers again.
  static int NewPidOf(const Handle& actor, int former) {
    int pid = former;
    EXPECT_TRUE(Eventually(10s, [&] {
      try {
        pid = PidOf(actor);
      } catch (const manta::ActorUnavailableError&) {
      }
      return pid != former;
    }));
    return pid;
  }
  static void ExpectItDies(const Handle& actor) {
    EXPECT_TRUE(Eventually(10s, [&] {
      try {
        PidOf(actor);
        return false;
      } catch (const manta::ActorDiedError&) {
        return true;
      }
    }));
  }
  template <class E>
  static std::string MessageOfCall(const Handle& actor) {
    return MessageOf<E>([&] { manta::Get(actor.Task(&Counter::Add).Remote(1)); });
  }
};

TEST_F(Actors, CallsOfOneCallerRunInOrder) {
  const Handle actor = manta::Actor<Counter>().Remote(0);
  std::vector<manta::ObjectRef<int>> sums;
  for (int i = 1; i <= 1000; ++i) sums.push_back(actor.Task(&Counter::Add).Remote(1));
  for (int i = 1; i <= 1000; ++i) EXPECT_EQ(*manta::Get(sums[i - 1]), i);
}

TEST_F(Actors, CallsThroughAHandleThatIsGoneStillRun) {
  const auto sum = manta::Actor<Counter>().Remote(40).Task(&Counter::Add).Remote(2);
  EXPECT_EQ(*manta::Get(sum), 42);
}

TEST_F(Actors, WithoutRestartsACrashIsTheEnd) {
  const Handle actor = manta::Actor<Counter>().Remote(0);
  const auto crash = actor.Task(&Counter::Crash).Remote();
  const auto behind = actor.Task(&Counter::Add).Remote(1);
  EXPECT_NE(MessageOf<manta::ActorDiedError>([&] { manta::Get(crash); }).find("SIGKILL"), std::string::npos);
  EXPECT_THROW(manta::Get(behind), manta::ActorDiedError);
  EXPECT_NE(MessageOfCall<manta::ActorDiedError>(actor).find("SIGKILL"), std::string::npos);
}

TEST_F(Actors, StartsAgainFromItsCreationTask) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(1).Remote(manta::Put(100));
  EXPECT_FALSE(*manta::Get(actor.Task(&Counter::WasRestarted).Remote()));
  EXPECT_EQ(*manta::Get(actor.Task(&Counter::Add).Remote(5)), 105);
  const int pid = PidOf(actor);
  const auto crash = actor.Task(&Counter::Crash).Remote();
  EXPECT_NE(MessageOf<manta::ActorUnavailableError>([&] { manta::Get(crash); }).find("The actor is restarting"),
            std::string::npos);
  NewPidOf(actor, pid);
  EXPECT_EQ(*manta::Get(actor.Task(&Counter::Add).Remote(5)), 105);  // its state is that of a new one
  EXPECT_TRUE(*manta::Get(actor.Task(&Counter::WasRestarted).Remote()));
}

TEST_F(Actors, WhenRestartsAreUsedUpTheErrorSaysHowManyThereWere) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(2).Remote(0);
  int pid = PidOf(actor);
  for (int restart = 0; restart < 2; ++restart) {
    kill(pid, SIGKILL);
    pid = NewPidOf(actor, pid);
  }
  const auto crash = actor.Task(&Counter::Crash).Remote();
  const std::string message = MessageOf<manta::ActorDiedError>([&] { manta::Get(crash); });
  EXPECT_NE(message.find("restarted 2 times"), std::string::npos) << message;
}

TEST_F(Actors, RestartsWithoutEnd) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(-1).SetMaxTaskRetries(-1).Remote(7);
  int pid = PidOf(actor);
  for (int restart = 0; restart < 5; ++restart) {
    kill(pid, SIGKILL);
    pid = NewPidOf(actor, pid);
  }
  EXPECT_EQ(*manta::Get(actor.Task(&Counter::Add).Remote(0)), 7);
}

class Steps {
 public:
  // The first process that comes here dies.
  int Next(std::string path) {
    if (access(path.c_str(), F_OK) != 0) {
      std::ofstream(path).flush();
      raise(SIGKILL);
    }
    return ++steps_;
  }

 private:
  int steps_ = 0;
};

TEST_F(Actors, RetriesKeepTheOrderOfCalls) {
  const auto actor = manta::Actor<Steps>().SetMaxRestarts(1).SetMaxTaskRetries(1).Remote();
  std::vector<manta::ObjectRef<int>> steps;
  for (int i = 0; i < 500; ++i) steps.push_back(actor.Task(&Steps::Next).Remote(PathOf("crashed")));
  for (int i = 0; i < 500; ++i) ASSERT_EQ(*manta::Get(steps[i]), i + 1);
}

class Patient {
 public:
  // How much of its CPU the process uses while it waits, in seconds.
  double WaitIdly() {
    const double began = Cpu();
    (void)manta::Wait(std::vector{manta::Task([] { return usleep(60'000'000); }).SetNumCpus(0).Remote()}, 1, 1s);
    return Cpu() - began;
  }
  int Answer() { return 1; }

 private:
  static double Cpu() {
    timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
  }
};

TEST_F(Actors, SleepWhileTheyWaitWhateverCallsWaitBehind) {
  const auto actor = manta::Actor<Patient>().Remote();
  const auto idly = actor.Task(&Patient::WaitIdly).Remote();
  const auto behind = actor.Task(&Patient::Answer).Remote();
  EXPECT_LT(*manta::Get(idly), 0.2);
  EXPECT_EQ(*manta::Get(behind), 1);
}

class Doomed {
 public:
  // Its process dies each time; the times are counted in a file.
  void Die(std::string path) {
    std::ofstream(path, std::ios::app) << "." << std::flush;
    raise(SIGKILL);
  }
};

TEST_F(Actors, ACallThatKillsItsProcessEachTimeUsesUpItsRetries) {
  const auto actor = manta::Actor<Doomed>().SetMaxRestarts(-1).SetMaxTaskRetries(2).Remote();
  EXPECT_THROW(manta::Get(actor.Task(&Doomed::Die).Remote(PathOf("times")), 20s), manta::ActorUnavailableError);
  EXPECT_EQ(std::filesystem::file_size(PathOf("times")), 3u);
}

TEST_F(Actors, ACallMayAllowMoreRetriesThanItsActor) {
  const auto actor = manta::Actor<Steps>().SetMaxRestarts(1).Remote();
  EXPECT_EQ(*manta::Get(actor.Task(&Steps::Next).SetMaxRetries(1).Remote(PathOf("crashed"))), 1);
}

TEST_F(Actors, KillEndsItWhateverRestartsAreLeft) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(-1).SetMaxTaskRetries(-1).Remote(0);
  PidOf(actor);
  actor.Kill();
  ExpectItDies(actor);
  EXPECT_NE(MessageOfCall<manta::ActorDiedError>(actor).find("the actor was killed"), std::string::npos);
}

TEST_F(Actors, NoCallAfterKillRuns) {
  for (int i = 0; i < 20; ++i) {
    const Handle actor = manta::Actor<Counter>().SetName("killed").Remote(0);
    manta::Get(actor.Task(&Counter::Add).Remote(1));
    actor.Kill();
    EXPECT_NE(MessageOfCall<manta::ActorDiedError>(actor).find("the actor was killed"), std::string::npos);
  }
}

TEST_F(Actors, KillMayLeaveItsRestarts) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(1).Remote(0);
  const int pid = PidOf(actor);
  actor.Kill(false);
  NewPidOf(actor, pid);
  actor.Kill(false);  // none left
  ExpectItDies(actor);
}

TEST_F(Actors, ExitActorIsFinalAndPendingCallsSayWhy) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(-1).SetMaxTaskRetries(-1).Remote(0);
  const auto exit = actor.Task(&Counter::Exit).Remote();
  const auto behind = actor.Task(&Counter::Add).Remote(1);
  manta::Get(exit);  // the call that asked for it ends well
  const std::string message = MessageOf<manta::ActorDiedError>([&] { manta::Get(behind); });
  EXPECT_NE(message.find("one of its methods has ended it"), std::string::npos) << message;
  EXPECT_THROW(manta::Get(actor.Task(&Counter::Add).Remote(1)), manta::ActorDiedError);
}

int AddLater(Handle actor, int x) {
  usleep(300'000);
  return *manta::Get(actor.Task(&Counter::Add).Remote(x));
}

// Found by its name: such a handle does not keep the actor alive, and is a handle all the same when it has died.
TEST_F(Actors, MayEndBeforeAHandleThatWasFoundByName) {
  auto actor = std::make_optional(manta::Actor<Counter>().SetName("counter").Remote(0));
  auto held = manta::Task(AddLater).Remote(*actor, 1);
  actor.reset();
  const auto found = manta::GetActor<Counter>("counter");
  ASSERT_TRUE(found);
  EXPECT_EQ(*manta::Get(found->Task(&Counter::Add).Remote(10)), 10);
  EXPECT_EQ(*manta::Get(held), 11);
  held = {};
  ExpectItDies(*found);
}

TEST_F(Actors, GiveTheirNameBackWithTheLastHandle) {
  for (int round = 0; round < 100; ++round) {
    const Handle actor = manta::Actor<Counter>().SetName("counter").SetGetIfExists().Remote(0);
    EXPECT_EQ(*manta::Get(actor.Task(&Counter::Add).Remote(1)), 1) << "in round " << round;
  }
}

TEST_F(Actors, OfOneNameAreCreatedOnceByManyThreads) {
  for (int round = 0; round < 50; ++round) {
    std::vector<int> sums(3);
    std::vector<std::thread> threads;
    std::atomic<int> ready{0};
    for (int& sum : sums) {
      threads.emplace_back([&, name = "shared" + std::to_string(round)] {
        ++ready;
        while (ready < 3) {
        }
        auto actor = manta::Actor<Counter>().SetName(name).SetGetIfExists().SetNumCpus(0).Remote(0);
        sum = *manta::Get(actor.Task(&Counter::Add).Remote(1));
        ++ready;
        while (ready < 6) usleep(100);  // each holds it until all have called
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::sort(sums.begin(), sums.end());
    EXPECT_EQ(sums, (std::vector<int>{1, 2, 3})) << "in round " << round;
  }
}

int PidThrough(Handle actor) { return *manta::Get(actor.Task(&Counter::Pid).Remote()); }
int AddThrough(Handle actor, int x) {
  return *manta::Get(actor.Task(&Counter::Add).SetMaxRetries(-1).Remote(x));
}

TEST_F(Actors, HandlesInOtherProcessesGoOnWorking) {
  const Handle actor = manta::Actor<Counter>().SetMaxRestarts(1).Remote(10);
  const auto user = manta::Actor<Counter>().Remote(0);
  const int pid = *manta::Get(manta::Task(PidThrough).Remote(actor));
  EXPECT_EQ(pid, PidOf(actor));
  EXPECT_EQ(*manta::Get(manta::Task(AddThrough).Remote(actor, 1)), 11);
  kill(pid, SIGKILL);
  EXPECT_EQ(*manta::Get(manta::Task(AddThrough).Remote(actor, 2)), 12);
  EXPECT_NE(*manta::Get(manta::Task(PidThrough).Remote(actor)), pid);
}

// A handle that is passed on before its actor has a process.
TEST_F(Actors, OtherProcessesWaitForItsPlace) {
  const Handle first = manta::Actor<Counter>().Remote(1);
  const manta::ObjectRef<int> start = manta::Task(AddThrough).Remote(first, 1);
  const Handle actor = manta::Actor<Counter>().Remote(start);
  EXPECT_EQ(*manta::Get(manta::Task(AddThrough).Remote(actor, 1)), 3);
}

// While its only handle travels, nobody holds one.
TEST_F(Actors, AHandleInsideOfAValueKeepsItAlive) {
  EXPECT_EQ(*manta::Get(manta::Task(AddThrough).Remote(manta::Actor<Counter>().Remote(1), 1)), 2);
  const manta::ObjectRef<Handle> kept = manta::Put(manta::Actor<Counter>().Remote(5));
  EXPECT_EQ(*manta::Get(manta::Task(AddThrough).Remote(kept, 1)), 6);
  EXPECT_EQ(*manta::Get(manta::Get(kept)->Task(&Counter::Add).Remote(1)), 7);
}

class Maker {
 public:
  Handle Make(int start) { return manta::Actor<Counter>().Remote(start); }
};

class Holder {
 public:
  explicit Holder(Handle held) : held_(held) {}
  int Pid() { return *manta::Get(held_.Task(&Counter::Pid).Remote()); }

 private:
  Handle held_;
};

TEST_F(Actors, AHandleInAResultKeepsItAlive) {
  const auto holder = manta::Actor<Maker>().Remote();
  const Handle actor = *manta::Get(holder.Task(&Maker::Make).Remote(3));
  EXPECT_EQ(*manta::Get(actor.Task(&Counter::Add).Remote(1)), 4);
}

TEST_F(Actors, ItEndsWithTheLastHandleAnywhere) {
  int pid;
  {
    const auto holder = manta::Actor<Holder>().Remote(manta::Actor<Counter>().Remote(1));
    pid = *manta::Get(holder.Task(&Holder::Pid).Remote());
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_TRUE(Eventually(10s, [&] { return kill(pid, 0) != 0; }));
}

TEST_F(Actors, ACallTooManyIsRefusedAtOnce) {
  const Handle actor = manta::Actor<Counter>().SetMaxPendingCalls(2).Remote(0);
  PidOf(actor);  // its creation does not count any more
  const std::string path = PathOf("go");
  std::vector<manta::ObjectRef<int>> calls;
  for (int i = 0; i < 2; ++i) calls.push_back(actor.Task(&Counter::AddAfter).Remote(1, path));
  const std::string message = MessageOf<manta::PendingCallsLimitExceededError>(
      [&] { actor.Task(&Counter::Add).Remote(1); });
  EXPECT_NE(message.find("max_pending_calls"), std::string::npos) << message;
  std::ofstream(path).flush();
  EXPECT_EQ(*manta::Get(calls[1]), 2);
  EXPECT_EQ(*manta::Get(actor.Task(&Counter::Add).Remote(1)), 3);
}

TEST_F(Actors, WrongLimitsAreRefused) {
  const std::string cut("one\0two", 7);
  EXPECT_THROW(manta::Actor<Counter>().SetName(cut), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Counter>().SetResource(cut, 1), manta::InvalidArgumentError);
  EXPECT_THROW(manta::GetActor<Counter>(cut), manta::InvalidArgumentError);
  EXPECT_THROW(manta::CreatePlacementGroup({{{cut, 1.0}}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Counter>().SetMaxRestarts(-2).Remote(0), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Counter>().SetMaxTaskRetries(-2).Remote(0), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Counter>().SetMaxPendingCalls(-2).Remote(0), manta::InvalidArgumentError);
}

}  // namespace
}  // namespace manta_test
