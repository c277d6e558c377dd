// Daemons that are killed: every reference of the driver resolves, and no process and no memory stays behind.
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/kills/fixture.h"
#include "tests/support/driver_process.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

constexpr int kRunning = 1;
constexpr int kNever = 2;  // nobody opens it
constexpr size_t kNumbers = (1 << 20) / sizeof(int);

int StandForever() {
  Board::OfThisTest().Arrive(kRunning);
  Board::OfThisTest().Wait(kNever);
  return 1;
}
int Parent() { return *manta::Get(manta::Task(StandForever).Remote()); }
int Nothing() { return 0; }
int Size(const std::vector<int>& values) { return static_cast<int>(values.size()); }
std::vector<int> Make() { return std::vector<int>(kNumbers, 7); }

class Keeper {
 public:
  int Stand() { return StandForever(); }
  int Size() const { return 0; }
  int Take(int value) { return value; }
  std::vector<manta::ObjectRef<int>> Lend() { return {manta::Put(5), manta::Task(StandForever).Remote()}; }
};

using References = std::vector<manta::ObjectRef<int>>;

// Reaches the phase; returns the references that have to resolve.
struct Phase {
  const char* name;
  std::function<References(Board& board)> reach;
};

std::vector<Phase> Phases() {
  return {
      {"connected", [](Board&) { return References{}; }},
      {"tasks submitted before a worker exists",
       [](Board&) {
         References tasks;
         for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task(StandForever).Remote());
         return tasks;
       }},
      {"tasks running",
       [](Board& board) {
         References tasks;
         for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task(StandForever).Remote());
         EXPECT_TRUE(board.Await(kRunning)) << "waited for a task to run";
         return tasks;
       }},
      {"short tasks stream",
       [](Board&) {
         References tasks;
         for (int i = 0; i < 20'000; ++i) tasks.push_back(manta::Task(Nothing).Remote());
         return tasks;
       }},
      {"a task waits for a task",
       [](Board& board) {
         References tasks{manta::Task(Parent).Remote()};
         EXPECT_TRUE(board.Await(kRunning)) << "waited for the child to run";
         return tasks;
       }},
      {"an actor being created",
       [](Board&) {
         const auto keeper = manta::Actor<Keeper>().Remote();
         return References{keeper.Task(&Keeper::Stand).Remote(), keeper.Task(&Keeper::Size).Remote()};
       }},
      {"a call of an actor running, others queued",
       [](Board& board) {
         const auto keeper = manta::Actor<Keeper>().Remote();
         References calls{keeper.Task(&Keeper::Stand).Remote()};
         for (int i = 0; i < 100; ++i) calls.push_back(keeper.Task(&Keeper::Size).Remote());
         EXPECT_TRUE(board.Await(kRunning)) << "waited for the call to run";
         return calls;
       }},
      {"a call that waits for a value, and calls held back behind it",
       [](Board& board) {
         const auto keeper = manta::Actor<Keeper>().Remote();
         References calls{manta::Task(StandForever).Remote()};
         manta::Get(keeper.Task(&Keeper::Size).Remote());
         calls.push_back(keeper.Task(&Keeper::Take).Remote(calls.front()));
         for (int i = 0; i < 10; ++i) calls.push_back(keeper.Task(&Keeper::Size).Remote());
         EXPECT_TRUE(board.Await(kRunning)) << "waited for the task to run";
         return calls;
       }},
      {"references borrowed from an actor",
       [](Board& board) {
         const auto keeper = manta::Actor<Keeper>().Remote();
         References borrowed = *manta::Get(keeper.Task(&Keeper::Lend).Remote());
         EXPECT_TRUE(board.Await(kRunning)) << "waited for the task to run";
         return borrowed;
       }},
      {"large objects made and read by workers",
       [](Board&) {
         References sizes;
         for (int i = 0; i < 20; ++i) sizes.push_back(manta::Task(Size).Remote(manta::Task(Make).Remote()));
         return sizes;
       }},
      {"a task cancelled while it runs",
       [](Board& board) {
         References tasks{manta::Task(StandForever).Remote()};
         EXPECT_TRUE(board.Await(kRunning)) << "waited for the task to run";
         manta::Cancel(tasks.front());
         return tasks;
       }},
  };
}

class Daemons : public KillTest {
 protected:
  void ExpectResolved(const Outcomes& outcomes, size_t references) {
    int resolved = 0;
    // The owner of a borrowed object may end before its node does: nobody has a handle to it any more.
    for (const char* how : {"value", "NodeDied", "TaskCancelled", "OwnerDied"}) {
      if (const auto found = outcomes.find(how); found != outcomes.end()) resolved += found->second;
    }
    EXPECT_EQ(resolved, static_cast<int>(references));
  }
  std::minstd_rand random_{13};
};

TEST_F(Daemons, ResolveEveryReferenceOfTheirDriver) {
  for (const Phase& phase : Phases()) {
    for (int round = 0; round < kKills; ++round) {
      board().Clear();
      manta::Init(OfTwoCpus());
      const pid_t daemon = ThePid(Role::kDaemon);
      ASSERT_NE(daemon, 0);
      Outcomes outcomes;
      Stopwatch since_kill;
      {
        const References references = phase.reach(board());
        std::this_thread::sleep_for(std::chrono::microseconds(random_() % 2000));  // different instants
        since_kill = Stopwatch();
        kill(daemon, SIGKILL);
        for (const auto& reference : references) ++outcomes[Resolve(reference).how];
        ExpectResolved(outcomes, references.size());
      }
      const double seconds = since_kill.seconds();
      ExpectNoProcesses();
      manta::Shutdown();
      ExpectOnlyLogsLeft();
      log().Add(phase.name, "the daemon", outcomes, seconds);
      ASSERT_FALSE(HasFailure()) << phase.name << ", kill " << round;
    }
  }
}

// What the driver does after its node has died gets an error at once.
TEST_F(Daemons, RefuseWhatComesLater) {
  for (int round = 0; round < kKills; ++round) {
    board().Clear();
    manta::Init(OfTwoCpus());
    Stopwatch since_kill;
    Outcomes outcomes;
    {
      const auto before = manta::Task(StandForever).Remote();
      ASSERT_TRUE(board().Await(kRunning)) << "waited for the task to run";
      since_kill = Stopwatch();
      kill(ThePid(Role::kDaemon), SIGKILL);
      ++outcomes[Resolve(before).how];
    }
    const double seconds = since_kill.seconds();
    EXPECT_EQ(outcomes["NodeDied"], 1);
    EXPECT_THROW(manta::Task(Nothing).Remote(), manta::NodeDiedError);
    EXPECT_THROW(manta::Actor<Keeper>().Remote(), manta::NodeDiedError);
    EXPECT_THROW(manta::Put(std::vector<int>(kNumbers)), manta::NodeDiedError);
    EXPECT_EQ(*manta::Get(manta::Put(5)), 5) << "small values need no node";
    manta::Shutdown();
    ExpectOnlyLogsLeft();
    log().Add("before tasks, actors and objects are made", "the daemon", outcomes, seconds);
    ASSERT_FALSE(HasFailure()) << "kill " << round;
  }
}

// The driver starts its cluster, or ends it, and the daemon dies then.
TEST_F(Daemons, AtAnyInstantOfInitAndShutdown) {
  for (int round = 0; round < 3 * kKills; ++round) {
    const bool at_start = round % 3 != 0;
    DriverProcess driver([&](const DriverProcess::Say& say) {
      alarm(0);
      if (at_start) say("there");
      try {
        manta::Init(OfTwoCpus());
        (void)Resolve(manta::Task(Nothing).Remote());
      } catch (const manta::Error&) {
      }
      if (!at_start) say("there");
      manta::Shutdown();
    });
    ASSERT_EQ(driver.Hear(20s).value_or("nothing"), "there");
    std::vector<pid_t> daemons;
    if (at_start) {
      // It gets its name late; before that it is the only other process.
      (void)Eventually(5s, [&] { return !(daemons = PidsOf(Processes())).empty(); });
    } else {
      daemons = Pids(Role::kDaemon);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % (at_start ? 10'000 : 3'000)));
    Stopwatch since_kill;
    if (!daemons.empty()) kill(daemons.front(), SIGKILL);
    EXPECT_TRUE(driver.Succeeds(20s)) << "waited for the driver to see it and to go on";
    const double seconds = since_kill.seconds();
    ExpectNoProcesses();
    log().Add(at_start ? "during Init" : "during Shutdown", "the daemon", {}, seconds);
    ASSERT_FALSE(HasFailure()) << "kill " << round;
  }
}

// Several drivers, and nobody whose daemon it is.
TEST_F(Daemons, OfAStandingCluster) {
  for (int round = 0; round < kKills; ++round) {
    board().Clear();
    StartedCluster cluster("--num-cpus 2");
    manta::Config config;
    config.address = cluster.address();
    config.log_to_driver = false;
    const auto drive = [&config](const DriverProcess::Say& say) {
      alarm(0);
      manta::Init(config);
      {
        const auto task = manta::Task(StandForever).Remote();
        say("there");
        say(Resolve(task).how);
      }
      manta::Shutdown();
    };
    DriverProcess one(drive), other(drive);
    ASSERT_EQ(one.Hear(20s).value_or("nothing"), "there");
    ASSERT_EQ(other.Hear(20s).value_or("nothing"), "there");
    ASSERT_TRUE(board().Await(kRunning)) << "waited for a task to run";
    Stopwatch since_kill;
    kill(ThePid(Role::kDaemon), SIGKILL);
    cluster.Forget();
    Outcomes outcomes;
    ++outcomes[one.Hear(20s).value_or("PENDING")];
    ++outcomes[other.Hear(20s).value_or("PENDING")];
    const double seconds = since_kill.seconds();
    EXPECT_EQ(outcomes["NodeDied"], 2);
    EXPECT_TRUE(one.Succeeds(5s));
    EXPECT_TRUE(other.Succeeds(5s));
    ExpectOnlyLogsLeft();
    std::string answer;
    EXPECT_TRUE(Eventually(5s, [&] {
      answer = RunProgram({std::getenv("MANTA_EXECUTABLE"), "status"}).err;
      return answer.find("no cluster of yours is running") != std::string::npos;
    })) << "waited for `manta status` to find no cluster; it says: " << answer;
    log().Add("two drivers of a standing cluster", "the daemon", outcomes, seconds);
    ASSERT_FALSE(HasFailure()) << "kill " << round;
  }
}

// No driver is there to clear away what the daemon leaves.
TEST_F(Daemons, OfAStandingClusterThatNobodyUses) {
  for (int round = 0; round < kKills; ++round) {
    StartedCluster cluster("--num-cpus 2");
    const pid_t daemon = ThePid(Role::kDaemon);
    kill(daemon, SIGKILL);
    cluster.Forget();
    ExpectOnlyLogsLeft();
    ASSERT_FALSE(HasFailure()) << "kill " << round;
  }
}

// What runs in the foreground ends as a whole, whichever of its two processes is told to, and by whom.
TEST_F(Daemons, InTheForeground) {
  struct Ending {
    const char* name;
    bool daemon;
    int signal;
    int status;
  };
  for (const Ending& ending : {Ending{"the command is asked to end", false, SIGTERM, 0},
                               Ending{"the command is interrupted", false, SIGINT, 0},
                               Ending{"the command is killed", false, SIGKILL, 128 + SIGKILL},
                               Ending{"the daemon is asked to end", true, SIGTERM, 0},
                               Ending{"the daemon is killed", true, SIGKILL, 1}}) {
    const char* manta = std::getenv("MANTA_EXECUTABLE");
    Program command({manta, "start", "--head", "--block", "--num-cpus=1"});
    ASSERT_TRUE(Eventually(10s, [&] { return RunProgram({manta, "status"}).status == 0; }));
    if (ending.daemon) {
      kill(ThePid(Role::kDaemon), ending.signal);
    } else {
      command.Signal(ending.signal);
    }
    EXPECT_EQ(command.Wait().status, ending.status) << ending.name;
    ExpectOnlyLogsLeft();
    ASSERT_FALSE(HasFailure()) << ending.name;
  }
}

// As with `ssh -t host manta start --head --block`: the command leads the session, and hears alone that the terminal is gone.
TEST_F(Daemons, InATerminalThatIsClosed) {
  int terminal = -1;
  const pid_t command = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(command, 0);
  const char* manta = std::getenv("MANTA_EXECUTABLE");
  if (command == 0) {
    execl(manta, manta, "start", "--head", "--block", "--num-cpus=1", nullptr);
    _exit(127);
  }
  ASSERT_TRUE(Eventually(10s, [&] { return RunProgram({manta, "status"}).status == 0; }));
  close(terminal);
  int status = -1;
  const bool ended = Eventually(10s, [&] { return waitpid(command, &status, WNOHANG) == command; });
  if (!ended) kill(command, SIGKILL);
  ASSERT_TRUE(ended);
  EXPECT_EQ(status, 0);
  ExpectOnlyLogsLeft();
}

}  // namespace
}  // namespace manta_test
