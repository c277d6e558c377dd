// Detached actors that may restart, after the driver that made them has gone.
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/driver_process.h"
#include "tests/support/standing_cluster_test.h"

namespace manta_test {
namespace {

class Account {
 public:
  Account() = default;
  Account(std::string note, std::vector<int> history) : note_(std::move(note)), history_(std::move(history)) {}
  static Account* New() { return new Account(); }
  static Account* WithHistory(std::string note, std::vector<int> history) {
    return new Account(std::move(note), std::move(history));
  }
  static Account* Holding(manta::ObjectRef<int> start) { return new Account(*start.Get()); }
  explicit Account(int start) : balance_(start) {}

  int Pay(int amount) { return balance_ += amount; }
  int Pid() { return getpid(); }
  bool Restarted() { return manta::WasCurrentActorRestarted(); }
  std::string Namespace() { return manta::GetNamespace(); }
  bool Finds(std::string name) { return manta::GetActor<Account>(name).has_value(); }
  std::string Note() { return note_; }
  std::vector<int> History() { return history_; }

 private:
  int balance_ = 0;
  std::string note_;
  std::vector<int> history_;
};

class DetachedActors : public StandingClusterTest {
 protected:
  void SetUp() override {
    StandingClusterTest::SetUp();
    config_.ray_namespace = "bank";
    config_.log_to_driver = false;
  }

  // Ends the actor's process as a crash does, and waits until it is gone.
  static void Crash(manta::ActorHandle<Account>& account) {
    const pid_t pid = *account.Task(&Account::Pid).Remote().Get();
    kill(pid, SIGKILL);
    EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(pid); }));
  }

  void ExpectOnlyTheDaemon() {
    EXPECT_TRUE(Eventually(10s, [&] { return OnlyDaemonsRun(); })) << Describe(Processes());
  }
};

class Slow {
 public:
  Slow() { std::this_thread::sleep_for(300ms); }
  int Answer() { return 42; }
};

// The creator need not wait for the constructor, nor for the resources that it takes.
TEST_F(DetachedActors, AreCreatedThoughTheirCreatorLeavesAtOnce) {
  RunDriver([] { manta::Actor<Slow>().SetName("slow").SetDetached().Remote(); });
  manta::Init(config_);
  const auto slow = manta::GetActor<Slow>("slow");
  ASSERT_TRUE(slow);
  EXPECT_EQ(*manta::Get(slow->Task(&Slow::Answer).Remote()), 42);
  slow->Kill();
}

TEST_F(DetachedActors, RestartAsOftenAsTheyMayAfterTheirDriverHasLeft) {
  RunDriver([] {
    auto account = manta::Actor(Account::New).SetName("savings").SetDetached().SetMaxRestarts(2).SetMaxTaskRetries(3).Remote();
    EXPECT_EQ(*account.Task(&Account::Pay).Remote(100).Get(), 100);
  });
  manta::Init(config_);
  {
    auto account = manta::GetActor<Account>("savings");
    ASSERT_TRUE(account);
    EXPECT_EQ(*account->Task(&Account::Pay).Remote(10).Get(), 110) << "the process is the same";
    for (int restart = 1; restart <= 2; ++restart) {
      Crash(*account);
      EXPECT_EQ(*account->Task(&Account::Pay).Remote(restart).Get(), restart) << "its state is fresh";
      EXPECT_TRUE(*account->Task(&Account::Restarted).Remote().Get());
      EXPECT_EQ(*account->Task(&Account::Namespace).Remote().Get(), "bank");
      EXPECT_TRUE(*account->Task(&Account::Finds).Remote("savings").Get());
    }
    Crash(*account);
    const auto last = account->Task(&Account::Pay).Remote(1);
    const std::string message = MessageOf<manta::ActorDiedError>([&] { last.Get(); });
    EXPECT_NE(message.find("restarted 2 times and may not restart again"), std::string::npos) << message;
  }
  EXPECT_FALSE(manta::GetActor<Account>("savings")) << "its name is free";
  manta::Shutdown();
  ExpectOnlyTheDaemon();
}

TEST_F(DetachedActors, KeepTheArgumentsOfTheirConstructors) {
  RunDriver([] {
    const std::vector<int> history(1 << 18, 7);  // in the object store
    const std::string note(30'000, 'n');         // an object, too
    manta::Actor(Account::WithHistory).SetName("savings").SetDetached().SetMaxRestarts(1).SetMaxTaskRetries(1).Remote(note, history);
  });
  manta::Init(config_);
  {
    auto account = manta::GetActor<Account>("savings");
    ASSERT_TRUE(account);
    Crash(*account);
    EXPECT_EQ(account->Task(&Account::Note).Remote().Get()->size(), 30'000u);
    EXPECT_EQ(*account->Task(&Account::History).Remote().Get(), std::vector<int>(1 << 18, 7));
    account->Kill();
  }
  manta::Shutdown();
  ExpectOnlyTheDaemon();
}

TEST_F(DetachedActors, AnErrorTellsOfAnArgumentWhoseOwnerHasGone) {
  RunDriver([] {
    const auto start = manta::Put(100);
    auto account = manta::Actor(Account::Holding).SetName("savings").SetDetached().SetMaxRestarts(1).SetMaxTaskRetries(1).Remote(
        start);
    EXPECT_EQ(*account.Task(&Account::Pay).Remote(1).Get(), 101);
  });
  manta::Init(config_);
  {
    auto account = manta::GetActor<Account>("savings");
    ASSERT_TRUE(account);
    Crash(*account);
    const auto payment = account->Task(&Account::Pay).Remote(1);
    const std::string message = MessageOf<manta::ActorDiedError>([&] { payment.Get(); });
    EXPECT_NE(message.find("that owned the object has died"), std::string::npos) << message;
  }
  manta::Shutdown();
  ExpectOnlyTheDaemon();
}

TEST_F(DetachedActors, TheirDriverMayBeKilled) {
  const manta::Config config = config_;
  DriverProcess driver([&](const DriverProcess::Say& say) {
    manta::Init(config);
    auto account = manta::Actor(Account::New).SetName("savings").SetDetached().SetMaxRestarts(-1).SetMaxTaskRetries(1).Remote();
    account.Task(&Account::Pay).Remote(100).Get();
    say("made");
    pause();
  });
  ASSERT_EQ(driver.Hear(20s).value_or("nothing"), "made");
  driver.Signal(SIGKILL);
  ASSERT_TRUE(driver.Wait(5s));
  manta::Init(config_);
  {
    auto account = manta::GetActor<Account>("savings");
    ASSERT_TRUE(account);
    for (int restart = 0; restart < 3; ++restart) {
      Crash(*account);
      EXPECT_EQ(*account->Task(&Account::Pay).Remote(5).Get(), 5);
    }
    account->Kill();
  }
  manta::Shutdown();
  ExpectOnlyTheDaemon();
}

TEST_F(DetachedActors, ATakenNameIsAnErrorOfTheCreation) {
  RunDriver([] {
    auto account = manta::Actor(Account::New).SetName("savings").SetDetached().SetMaxRestarts(1).Remote();
    EXPECT_EQ(*account.Task(&Account::Pay).Remote(100).Get(), 100);
    EXPECT_THROW(manta::Actor(Account::New).SetName("savings").SetDetached().SetMaxRestarts(1).Remote(),
                 manta::ActorNameTakenError);
    auto same = manta::Actor(Account::New).SetName("savings").SetDetached().SetMaxRestarts(1).SetGetIfExists().Remote();
    EXPECT_EQ(*same.Task(&Account::Pay).Remote(1).Get(), 101);
    account.Kill();
  });
  ExpectOnlyTheDaemon();
}

TEST_F(DetachedActors, SeveralShareWhatLooksAfterThem) {
  RunDriver([] {
    for (const char* name : {"a", "b", "c"}) {
      auto account = manta::Actor(Account::New).SetName(name).SetDetached().SetMaxRestarts(1).SetMaxTaskRetries(1).Remote();
      EXPECT_EQ(*account.Task(&Account::Pay).Remote(1).Get(), 1);
    }
  });
  EXPECT_EQ(Pids(Role::kWorker).size(), 4u) << Describe(Processes());
  manta::Init(config_);
  for (const char* name : {"a", "b", "c"}) {
    auto account = manta::GetActor<Account>(name);
    ASSERT_TRUE(account);
    Crash(*account);
    EXPECT_EQ(*account->Task(&Account::Pay).Remote(5).Get(), 5);
    account->Kill();
  }
  manta::Shutdown();
  ExpectOnlyTheDaemon();
}

// The steward of the one before may be about to end.
TEST_F(DetachedActors, MayFollowEachOtherAtAnyPace) {
  manta::Init(config_);
  for (int round = 0; round < 200; ++round) {
    auto account = manta::Actor(Account::New).SetDetached().Remote();
    ASSERT_EQ(*account.Task(&Account::Pay).Remote(round).Get(), round) << "in round " << round;
    account.Kill();
    std::this_thread::sleep_for(std::chrono::microseconds(round * 37 % 2'000));
  }
  manta::Shutdown();
  ExpectOnlyTheDaemon();
}

// What a driver keeps of dead actors goes in between, and with it what it knew of their steward.
TEST_F(DetachedActors, AreCreatedByADriverThatHasForgottenTheirSteward) {
  manta::Init(config_);
  for (int round = 0; round < 2; ++round) {
    auto account = manta::Actor(Account::New).SetDetached().Remote();
    EXPECT_EQ(*account.Task(&Account::Pay).Remote(1).Get(), 1);
    account.Kill();
    EXPECT_TRUE(Eventually(5s, [this] { return Pids(Role::kWorker).size() <= 2; }));
    std::vector<manta::ActorHandle<Account>> others;
    for (int i = 0; i < 70; ++i) {
      others.push_back(manta::Actor(Account::New).SetNumCpus(0).Remote());
      others.back().Kill();
    }
    std::this_thread::sleep_for(100ms);
  }
  manta::Shutdown();
}

class NeverThere {
 public:
  explicit NeverThere(std::string file) {
    std::ofstream(file) << getpid() << std::flush;
    std::this_thread::sleep_for(1min);
  }
  static NeverThere* New(std::string file) { return new NeverThere(std::move(file)); }
  int Answer() { return 42; }
};

TEST_F(DetachedActors, DieWithTheirStewardWhileTheirConstructorRuns) {
  manta::Init(config_);
  const std::string file = root() + "/constructed";
  {
    auto actor = manta::Actor(NeverThere::New).SetName("slow").SetDetached().Remote(file);
    const auto answer = actor.Task(&NeverThere::Answer).Remote();
    pid_t host = 0;
    ASSERT_TRUE(Eventually(5s, [&] { return static_cast<bool>(std::ifstream(file) >> host); }));
    for (const pid_t worker : Pids(Role::kWorker)) {
      if (worker != host) kill(worker, SIGKILL);
    }
    EXPECT_THROW(manta::Get(answer, 10'000), manta::ActorDiedError);
    EXPECT_FALSE(manta::GetActor<NeverThere>("slow"));
    EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(host); })) << "its process has no other end";
  }
  manta::Shutdown();
}

}  // namespace
}  // namespace manta_test
