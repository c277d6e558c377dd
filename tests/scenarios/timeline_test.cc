// `manta timeline`: what user code did is there, with its name, its process and its time.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/timeline.h"

// Names as a user's program has them.
int TimelineSleep(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return getpid();
}
// Says that it runs, and goes on until it is let.
int TimelineStay(const std::string& begun, const std::string& let) {
  std::ofstream(begun).flush();
  while (!std::filesystem::exists(let)) usleep(1000);
  return getpid();
}
int TimelineFail(int) { throw std::runtime_error("on purpose"); }
int TimelineChild(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return getpid();
}
int TimelineParent(int milliseconds) { return *manta::Get(manta::Task(TimelineChild).Remote(milliseconds)); }

struct TimelineCounter {
  int Add(int x) {
    total += x;
    return getpid();
  }
  int Nap(int milliseconds) { return TimelineSleep(milliseconds); }
  int total = 0;
};

namespace manta_test {
namespace {

namespace fs = std::filesystem;

class TimelineTest : public ConnectedTest {
 protected:
  std::string Session() const { return Sessions().at(0); }
};

TEST_F(TimelineTest, TasksAreSlicesOfTheirProcessesWithTheirNamesAndTimes) {
  const int pid = *manta::Get(manta::Task(TimelineSleep).Remote(30));
  const Timeline timeline(Session());
  const auto tasks = timeline.Named("TimelineSleep");
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0]["pid"], pid);
  EXPECT_EQ(tasks[0]["tid"], 0);
  EXPECT_EQ(tasks[0]["cat"], "task");
  EXPECT_EQ(tasks[0]["args"]["outcome"], "ok");
  EXPECT_EQ(tasks[0]["args"]["function"], "TimelineSleep(int)");
  EXPECT_GE(tasks[0]["dur"].get<double>(), 30'000);
  EXPECT_EQ(timeline.ProcessName(pid).find("worker "), 0u) << timeline.ProcessName(pid);
  EXPECT_EQ(timeline.ProcessName(getpid()).find("driver 2: "), 0u) << timeline.ProcessName(getpid());
  EXPECT_EQ(tasks[0]["args"]["owner"], "driver 2");
}

TEST_F(TimelineTest, ALongGetShowsInTheDriverAndCoversTheTask) {
  manta::Get(manta::Task(TimelineSleep).Remote(30));
  const Timeline timeline(Session());
  const auto waits = timeline.Named("Get");
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0]["pid"], getpid());
  EXPECT_EQ(waits[0]["cat"], "wait");
  EXPECT_EQ(waits[0]["args"]["objects"], 1);
  // Two processes, one clock.
  const auto task = timeline.Named("TimelineSleep").at(0);
  EXPECT_LT(BeginOf(waits[0]), EndOf(task));
  EXPECT_GE(EndOf(waits[0]), EndOf(task));
  EXPECT_LT(EndOf(waits[0]), EndOf(task) + 1e6);
}

TEST_F(TimelineTest, AWaitThatGivesUpSaysSo) {
  const std::string begun = root() + "/begun", let = root() + "/let";
  const auto slow = manta::Task(TimelineStay).Remote(begun, let);
  ASSERT_TRUE(Eventually(20s, [&] { return fs::exists(begun); }));
  EXPECT_THROW(manta::Get(slow, 10ms), manta::GetTimeoutError);
  const Timeline timeline(Session());
  std::ofstream(let).flush();
  manta::Get(slow);
  const auto waits = timeline.Named("Get");
  ASSERT_EQ(waits.size(), 1u);
  EXPECT_EQ(waits[0]["args"]["outcome"], "timeout");
  const auto running = timeline.Named("TimelineStay");
  ASSERT_EQ(running.size(), 1u);
  EXPECT_EQ(running[0]["args"]["outcome"], "unfinished");
}

TEST_F(TimelineTest, ErrorsAndCancelledTasksAreMarked) {
  EXPECT_THROW(manta::Get(manta::Task(TimelineFail).Remote(1)), manta::Error);
  const auto failed = Timeline(Session()).Named("TimelineFail");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0]["args"]["outcome"], "error");
}

TEST_F(TimelineTest, ATaskInPlaceOfItsParentStandsInsideOfIt) {
  // The child finds no other worker free: the second one sleeps.
  const auto other = manta::Task(TimelineSleep).Remote(200);
  const int pid = *manta::Get(manta::Task(TimelineParent).Remote(5));
  manta::Get(other);
  const Timeline timeline(Session());
  const auto parents = timeline.Named("TimelineParent");
  const auto children = timeline.Named("TimelineChild");
  ASSERT_EQ(parents.size(), 1u);
  ASSERT_EQ(children.size(), 1u);
  EXPECT_EQ(children[0]["pid"], pid);
  if (children[0]["pid"] == parents[0]["pid"]) {
    EXPECT_EQ(children[0]["cat"], "task,in_place");
    EXPECT_TRUE(Contains(parents[0], children[0])) << parents[0] << children[0];
  } else {
    // A third worker was started for it: then the parent's wait stands inside of the parent.
    ASSERT_EQ(children[0]["cat"], "task");
  }
}

TEST_F(TimelineTest, ActorsHaveTheirClassAndTheirCalls) {
  const auto counter = manta::Actor<TimelineCounter>().Remote();
  int pid = 0;
  for (int i = 0; i < 10; ++i) pid = *manta::Get(counter.Task(&TimelineCounter::Add).Remote(1));
  const Timeline timeline(Session());
  const auto calls = timeline.Named("TimelineCounter::Add");
  ASSERT_EQ(calls.size(), 10u);
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i]["pid"], pid);
    EXPECT_EQ(calls[i]["cat"], "actor_call");
    if (i > 0) {
      EXPECT_LE(EndOf(calls[i - 1]), BeginOf(calls[i]) + 1e-3);
    }
  }
  const auto start = timeline.Named("TimelineCounter");
  ASSERT_EQ(start.size(), 1u);
  EXPECT_EQ(start[0]["cat"], "actor_start");
  EXPECT_NE(timeline.ProcessName(pid).find(": TimelineCounter"), std::string::npos) << timeline.ProcessName(pid);
}

TEST_F(TimelineTest, CallsOfAnActorWithThreadsHaveARowPerThread) {
  const auto actor = manta::Actor<TimelineCounter>().SetMaxConcurrency(2).Remote();
  std::vector<manta::ObjectRef<int>> calls;
  for (int i = 0; i < 2; ++i) calls.push_back(actor.Task(&TimelineCounter::Nap).Remote(100));
  manta::Get(calls);
  const auto naps = Timeline(Session()).Named("TimelineCounter::Nap");
  ASSERT_EQ(naps.size(), 2u);
  EXPECT_EQ(naps[0]["pid"], naps[1]["pid"]);
  EXPECT_NE(naps[0]["tid"], naps[1]["tid"]);
  EXPECT_LT(BeginOf(naps[0]), EndOf(naps[1]));
  EXPECT_LT(BeginOf(naps[1]), EndOf(naps[0]));
}

TEST_F(TimelineTest, LargeObjectsAndLeasesAreThere) {
  const auto object = manta::Put(std::vector<char>(1 << 20));
  const int pid = *manta::Get(manta::Task(TimelineSleep).Remote(1));
  const Timeline timeline(Session());
  const auto spaces = timeline.Named("space for an object");
  ASSERT_EQ(spaces.size(), 1u);
  EXPECT_EQ(spaces[0]["pid"], getpid());
  EXPECT_GE(spaces[0]["args"]["bytes"].get<uint64_t>(), 1u << 20);
  bool leased = false;
  for (const auto& lease : timeline.Named("leased to driver 2")) leased = leased || lease["pid"] == pid;
  EXPECT_TRUE(leased);
}

TEST_F(TimelineTest, OutlivesItsCluster) {
  manta::Get(manta::Task(TimelineSleep).Remote(1));
  const std::string session = Session();
  manta::Shutdown();
  EXPECT_EQ(Timeline(session).Named("TimelineSleep").size(), 1u);
  const ProgramResult nothing_runs = RunManta({"timeline"});
  EXPECT_EQ(nothing_runs.status, 1);
  EXPECT_NE(nothing_runs.err.find("--address " + session), std::string::npos)
      << "what runs no more can still be looked at: " << nothing_runs.err;
}

TEST_F(TimelineTest, WritesAFileAndSaysWhere) {
  manta::Get(manta::Task(TimelineSleep).Remote(1));
  const std::string file = root() + "/trace.json";
  const ProgramResult result = RunManta({"timeline", "--output", file});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.out.find(file), std::string::npos) << result.out;
  std::ifstream stream(file);
  EXPECT_TRUE(nlohmann::json::parse(stream, nullptr, false).is_object());
  const ProgramResult as_json = RunManta({"timeline", "--json", "--output", file});
  const auto report = nlohmann::json::parse(as_json.out, nullptr, false);
  ASSERT_TRUE(report.is_object()) << as_json.out;
  EXPECT_EQ(report["file"], file);
  EXPECT_EQ(report["tasks"], 1);
  EXPECT_EQ(report["left_out"].size(), 0u);
}

TEST_F(TimelineTest, WhatCannotBeDoneIsSaidClearly) {
  const ProgramResult nowhere = RunManta({"timeline", "--address", "/nowhere"});
  EXPECT_EQ(nowhere.status, 1);
  EXPECT_NE(nowhere.err.find("there is no session /nowhere"), std::string::npos) << nowhere.err;
  fs::create_directory(root() + "/empty");
  const ProgramResult empty = RunManta({"timeline", "--address", root() + "/empty"});
  EXPECT_EQ(empty.status, 1);
  EXPECT_NE(empty.err.find("no flight recorder"), std::string::npos) << empty.err;
  const ProgramResult unwritable = RunManta({"timeline", "--output", "/nowhere/trace.json"});
  EXPECT_EQ(unwritable.status, 1);
  EXPECT_NE(unwritable.err.find("/nowhere/trace.json"), std::string::npos) << unwritable.err;
}

TEST_F(TimelineTest, ADamagedRecordingIsLeftOutAndNamed) {
  manta::Get(manta::Task(TimelineSleep).Remote(1));
  std::ofstream(Session() + "/recorder/process-99.rec") << "garbage";
  const ProgramResult result = RunManta({"timeline", "--output", "-"});
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.err.find("left out"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("process-99.rec"), std::string::npos) << result.err;
}

// docs/howto/timeline.md says nothing that does not work.
TEST_F(TimelineTest, TheCommandsOfTheHowToWork) {
  manta::Get(manta::Task(TimelineSleep).Remote(1));
  std::ifstream page(MANTA_INCLUDE_FOLDER "/../docs/howto/timeline.md");
  int commands = 0;
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("manta timeline", 0) != 0) continue;
    ++commands;
    if (const size_t at = line.find("SESSION"); at != std::string::npos) line.replace(at, 7, Session());
    const ProgramResult result = RunProgram({"/bin/sh", "-c", "cd " + root() + " && \"$MANTA_EXECUTABLE\"" + line.substr(5)});
    EXPECT_EQ(result.status, 0) << line << ": " << result.err;
  }
  EXPECT_EQ(commands, 4);
  EXPECT_TRUE(fs::exists(root() + "/trace.json"));
}

class WithoutRecorder : public ClusterTest {};

TEST_F(WithoutRecorder, EverythingRunsAndOneLineSaysWhatIsMissing) {
  const std::string user = root() + "/manta-" + std::to_string(geteuid());
  fs::create_directories(user + "/session_x/logs");
  fs::permissions(user, fs::perms::owner_all);
  std::ofstream(user + "/session_x/logs/daemon.err") << "manta-session 1\n";  // of a session that has ended
  std::ofstream(user + "/session_x/recorder") << "in the way";
  StartedCluster cluster("--num-cpus 2 --session-dir " + user + "/session_x");
  manta::Config config;
  config.address = cluster.address();
  manta::Init(config);
  for (int i = 0; i < 5; ++i) EXPECT_GT(*manta::Get(manta::Task(TimelineSleep).Remote(1)), 0);
  EXPECT_TRUE(Eventually(5s, [&] {
    const ProgramResult status = RunManta({"status", "--json"});
    const auto json = nlohmann::json::parse(status.out, nullptr, false);
    return json.is_object() && json["flight_recorder"]["missing"].get<int>() >= 2;
  }));
  const std::string log = DaemonLog();
  const size_t first = log.find("flight recorder missing");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("flight recorder missing", first + 1), std::string::npos) << log;
  EXPECT_NE(RunManta({"status"}).out.find("recorders are missing"), std::string::npos);
  manta::Shutdown();
  cluster.Stop();
  fs::remove_all(user + "/session_x");
}

}  // namespace
}  // namespace manta_test
