// Drivers that are killed: their local cluster goes with them; a standing cluster stays and gets everything back.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
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
constexpr size_t kLarge = 1 << 20;

int StandForever() {
  Board::OfThisTest().Arrive(kRunning);
  Board::OfThisTest().Wait(kNever);
  return 1;
}
int Parent() { return *manta::Get(manta::Task(StandForever).Remote()); }
int Sum(const std::vector<int>& values, int more) { return static_cast<int>(values.size()) + more; }

class Keeper {
 public:
  int Keep(std::vector<int> values) { return static_cast<int>((values_ = std::move(values)).size()); }
  int Stand() { return StandForever(); }
  int Size() const { return static_cast<int>(values_.size()); }

 private:
  std::vector<int> values_;
};

// What the driver has reached when it says so. Then it goes on until it is killed.
struct Phase {
  const char* name;
  std::function<void(const DriverProcess::Say& say)> reach;
};

void SayWhenRunning(const DriverProcess::Say& say) {
  if (Board::OfThisTest().Await(kRunning)) say("there");
}

// Everything that a driver can be at while the cluster is up. `say` is called once.
std::vector<Phase> Phases() {
  return {
      {"connected", [](const auto& say) { say("there"); }},
      {"tasks submitted before a worker exists",
       [](const auto& say) {
         std::vector<manta::ObjectRef<int>> tasks;
         for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task(StandForever).Remote());
         say("there");
         manta::Get(tasks);
       }},
      {"tasks running",
       [](const auto& say) {
         std::vector<manta::ObjectRef<int>> tasks;
         for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task(StandForever).Remote());
         SayWhenRunning(say);
         manta::Get(tasks);
       }},
      {"a placement group in use",
       [](const auto& say) {
         const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}});
         const auto task = manta::Task(StandForever).SetPlacementGroup(group).Remote();
         SayWhenRunning(say);
         manta::Get(task);
       }},
      {"a task waits for a task",
       [](const auto& say) {
         const auto parent = manta::Task(Parent).Remote();
         SayWhenRunning(say);
         manta::Get(parent);
       }},
      {"an actor being created",
       [](const auto& say) {
         const auto keeper = manta::Actor<Keeper>().Remote();
         const auto size = keeper.Task(&Keeper::Size).Remote();
         say("there");
         manta::Get(size);
         manta::Get(keeper.Task(&Keeper::Stand).Remote());
       }},
      {"a call of an actor running",
       [](const auto& say) {
         const auto keeper = manta::Actor<Keeper>().Remote();
         const auto call = keeper.Task(&Keeper::Stand).Remote();
         SayWhenRunning(say);
         manta::Get(call);
       }},
      {"objects being put and freed",
       [](const auto& say) {
         bool said = false;
         for (std::vector<manta::ObjectRef<std::vector<int>>> objects;;) {
           objects.push_back(manta::Put(std::vector<int>(kLarge / sizeof(int))));
           if (objects.size() < 8) continue;
           objects.clear();
           if (!std::exchange(said, true)) say("there");
         }
       }},
      {"objects read by workers",
       [](const auto& say) {
         const auto object = manta::Put(std::vector<int>(kLarge / sizeof(int)));
         bool said = false;
         for (;;) {
           std::vector<manta::ObjectRef<int>> sums;
           for (int i = 0; i < 100; ++i) sums.push_back(manta::Task(Sum).Remote(object, i));
           manta::Get(sums);
           if (!std::exchange(said, true)) say("there");
         }
       }},
  };
}

class Drivers : public KillTest {
 protected:
  // Kills a driver `delay` after it has reached the phase. How long that was ago.
  Stopwatch KillDriverIn(const Phase& phase, const manta::Config& config, std::chrono::microseconds delay) {
    board().Clear();
    DriverProcess driver([&](const DriverProcess::Say& say) {
      alarm(0);
      manta::Init(config);
      phase.reach(say);
    });
    EXPECT_EQ(driver.Hear(20s).value_or("nothing"), "there") << "waited for a driver with " << phase.name;
    std::this_thread::sleep_for(delay);  // to hit it at different instants
    driver.Signal(SIGKILL);
    Stopwatch since_kill;
    EXPECT_TRUE(driver.Wait(5s)) << "the driver was killed, and lives";
    return since_kill;
  }
  std::minstd_rand random_{11};
};

TEST_F(Drivers, LeaveNothingOfTheirLocalCluster) {
  for (const Phase& phase : Phases()) {
    for (int round = 0; round < kKills; ++round) {
      const Stopwatch since_kill =
          KillDriverIn(phase, OfTwoCpus(), std::chrono::microseconds(random_() % 2000));
      ExpectOnlyLogsLeft();
      log().Add(std::string("local: ") + phase.name, "the driver", {}, since_kill.seconds());
      ASSERT_FALSE(HasFailure()) << phase.name << ", kill " << round;
    }
  }
}

// While it starts its cluster, or ends it.
TEST_F(Drivers, AtAnyInstantOfInitAndShutdown) {
  for (int round = 0; round < 2 * kKills; ++round) {
    const bool at_start = round % 2 == 0;
    DriverProcess driver([&](const DriverProcess::Say& say) {
      alarm(0);
      if (at_start) say("there");
      manta::Init(OfTwoCpus());
      manta::Get(manta::Task(Sum).Remote(std::vector<int>{1}, 1));
      if (!at_start) say("there");
      manta::Shutdown();
      pause();
    });
    ASSERT_EQ(driver.Hear(20s).value_or("nothing"), "there");
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % (at_start ? 15'000 : 5'000)));
    driver.Signal(SIGKILL);
    Stopwatch since_kill;
    EXPECT_TRUE(driver.Wait(5s)) << "the driver was killed, and lives";
    ExpectOnlyLogsLeft();
    log().Add(at_start ? "during Init" : "during Shutdown", "the driver", {}, since_kill.seconds());
    ASSERT_FALSE(HasFailure()) << "kill " << round;
  }
}

// ---- Standing clusters

nlohmann::json Ask(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {std::getenv("MANTA_EXECUTABLE")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back("--json");
  return nlohmann::json::parse(RunProgram(command).out, nullptr, false);
}

// "" when nobody uses anything of the cluster, else what is still used. Asks for the lists as well when `lists`.
std::string Used(const std::string& address, bool lists) {
  const nlohmann::json status = Ask({"status", "--address", address});
  if (!status.is_object() || !status.contains("resources")) return "no status: " + status.dump();
  std::string used;
  const auto expect = [&](const char* what, const nlohmann::json& is, const nlohmann::json& wanted) {
    if (is != wanted) used += std::string(what) + ": " + is.dump() + "\n";
  };
  expect("available", status["resources"]["available"], status["resources"]["total"]);
  expect("objects", status["object_store"]["objects"], 0);
  expect("bytes of objects", status["object_store"]["used_bytes"], 0);
  expect("allocations that wait", status["object_store"]["waiting"], 0);
  expect("channels", status["channels"]["count"], 0);
  expect("bytes of channels", status["channels"]["bytes"], 0);
  expect("workers", status["workers"], nlohmann::json::array());
  expect("drivers", status["drivers"], nlohmann::json::array());
  expect("demands", status["demands"], nlohmann::json::array());
  if (!lists) return used;
  for (const char* what : {"workers", "leases", "objects", "demands"}) {
    expect(what, Ask({"list", what, "--address", address}), nlohmann::json::array());
  }
  for (const nlohmann::json& actor : Ask({"list", "actors", "--address", address})) {
    expect("the state of an actor", actor["state"], "DEAD");
  }
  return used;
}

TEST_F(Drivers, GiveEverythingBackToAStandingCluster) {
  StartedCluster cluster("--num-cpus 2");
  ASSERT_FALSE(cluster.address().empty());
  manta::Config config;
  config.address = cluster.address();
  config.log_to_driver = false;
  const pid_t daemon = ThePid(Role::kDaemon);
  for (const Phase& phase : Phases()) {
    for (int round = 0; round < kKills; ++round) {
      const Stopwatch since_kill = KillDriverIn(phase, config, std::chrono::microseconds(random_() % 2000));
      EXPECT_TRUE(Eventually(5s, [&] { return OnlyDaemonsRun(); }))
          << "waited for all but the daemon to end:\n" << Describe(Processes());
      const double seconds = since_kill.seconds();
      std::string used;
      EXPECT_TRUE(Eventually(5s, [&] { return (used = Used(cluster.address(), round == 0)).empty(); })) << used;
      log().Add(std::string("standing: ") + phase.name, "the driver", {}, seconds);
      ASSERT_FALSE(HasFailure()) << phase.name << ", kill " << round;
    }
  }
  EXPECT_EQ(Pids(Role::kDaemon), std::vector<pid_t>{daemon});
  manta::Init(config);
  EXPECT_EQ(*manta::Get(manta::Task(Sum).Remote(std::vector<int>{1}, 1)), 2) << "the cluster works";
  manta::Shutdown();
}

// Stopped, as in a debugger: what it holds and does not use goes to who wants it, and it goes on when it is let.
TEST_F(Drivers, AStoppedOneKeepsNoLeasesFromOthers) {
  StartedCluster cluster("--num-cpus 2");
  manta::Config config;
  config.address = cluster.address();
  const std::string end = root() + "/end";
  DriverProcess stopped([&](const DriverProcess::Say& say) {
    manta::Init(config);
    const auto batch = [] {
      std::vector<manta::ObjectRef<int>> sums;
      for (int i = 0; i < 100; ++i) sums.push_back(manta::Task(Sum).Remote(std::vector<int>{1}, i));
      for (int i = 0; i < 100; ++i) EXPECT_EQ(*sums[i].Get(), 1 + i);
    };
    batch();
    say("works");
    while (access(end.c_str(), F_OK) != 0) batch();
    batch();
    manta::Shutdown();
  });
  ASSERT_TRUE(stopped.Hear(10s));
  stopped.Signal(SIGSTOP);
  DriverProcess other([&](const DriverProcess::Say&) {
    manta::Init(config);
    std::vector<manta::ObjectRef<int>> sums;
    for (int i = 0; i < 100; ++i) sums.push_back(manta::Task(Sum).Remote(std::vector<int>{1}, i));
    manta::Get(sums, 20s);
    manta::Shutdown();
  });
  EXPECT_TRUE(other.Succeeds(25s));
  stopped.Signal(SIGCONT);
  close(creat(end.c_str(), 0600));
  EXPECT_TRUE(stopped.Succeeds(10s));
}

}  // namespace
}  // namespace manta_test
