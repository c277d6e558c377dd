#include "bin/ended_tasks.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "bin/test_recordings.h"

namespace manta::bin {
namespace {

using nlohmann::json;
using shm::EventKind;
using shm::EventOutcome;
using shm::RecorderRole;

constexpr int64_t kMs = 1'000'000;
// The task of test_recordings.h.
constexpr const char* kTask = "00000001000000020000000400000005";

json RowsOf(std::vector<shm::Recording> recordings, const std::string& unfinished = "[]") {
  return json::parse(WithEndedTasks({unfinished, 0}, Session(std::move(recordings)), 100).json);
}

shm::Recording Worker(const std::vector<shm::RecorderEvent>& events) { return Recording(kWorker, 30, RecorderRole::kWorker, events); }

shm::Recording Daemon(const std::vector<shm::RecorderEvent>& events) { return Recording(kDaemon, 10, RecorderRole::kDaemon, events); }

TEST(EndedTasks, SayWhatTheyWereAndWhere) {
  const json rows = RowsOf({Worker({Task(EventKind::kTask, 1, 5 * kMs, 7 * kMs)}),
                            Daemon({News(EventKind::kJoined, 1, 1, 20, kDriver.value, 9), News(EventKind::kJoined, 2, 2, 30, kWorker.value, 9)})});
  EXPECT_EQ(rows, json::parse(R"json([{
      "task": "00000001000000020000000400000005", "name": "Square", "type": "NORMAL_TASK", "state": "FINISHED", "attempt": 1,
      "owner": {"description": "driver 2 (pid 20)", "process": 2, "node": 1, "pid": 20, "job": 9},
      "worker": {"description": "worker 3 (pid 30)", "process": 3, "node": 1, "pid": 30, "job": 9},
      "start_time_ms": 5, "end_time_ms": 7}])json"));
}

TEST(EndedTasks, NameTheProgramOfTheirOwner) {
  SessionRecordings session = Session({Worker({Task(EventKind::kTask, 1, 5, 7)}), Recording(kDriver, 20, RecorderRole::kDriver, {})});
  session.recordings.back().subject = 7;
  session.names.programs = {{7, "/home/ann/sums"}};
  const json rows = json::parse(WithEndedTasks({"[]", 0}, session, 100).json);
  EXPECT_EQ(rows[0]["owner"]["description"], "driver 2 (sums, pid 20)");
}

// A constructor's callers know its class; the process that runs it knows what invokes it, which may stand for several.
TEST(EndedTasks, HaveOneNameWhereverTheirFunctionIsNoted) {
  SessionRecordings session = Session({Worker({Task(EventKind::kActorStart, 3, 5, 7), Task(EventKind::kTask, 4, 8, 9)})});
  session.names.functions = {{3, {9, 1, 0, 0}, ""}, {3, {9, 1, 0, 0}, "Counter"}, {3, {8, 1, 0, 0}, "Counter"},
                             {4, {9, 2, 0, 0}, "Twice"}, {4, {9, 3, 0, 0}, "Half"}, {4, {8, 2, 0, 0}, "Twice"}};
  const json rows = json::parse(WithEndedTasks({"[]", 0}, session, 100).json);
  EXPECT_EQ(rows[1]["name"], "Counter");
  EXPECT_EQ(rows[0]["name"], "Twice or Half");
}

TEST(EndedTasks, ThatFailedSayHow) {
  const json rows = RowsOf({Worker({Task(EventKind::kActorCall, 1, 0, 1, EventOutcome::kRefused),
                                    Task(EventKind::kActorCall, 1, 1, 2, EventOutcome::kError), Task(EventKind::kTask, 1, 3, 4, EventOutcome::kCancelled),
                                    Task(EventKind::kActorStart, 2, 5, 6, EventOutcome::kRefused)})});
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0]["type"], "ACTOR_CREATION_TASK");  // the last one first
  EXPECT_EQ(rows[0]["error"], "TASK_EXECUTION_EXCEPTION");
  EXPECT_EQ(rows[1]["error"], "TASK_CANCELLED");
  EXPECT_EQ(rows[2]["type"], "ACTOR_TASK");
  EXPECT_EQ(rows[3]["error"], "ACTOR_DIED");
  for (const json& row : rows) EXPECT_EQ(row["state"], "FAILED");
}

shm::Recording WithBegun(shm::Recording recording, EventKind kind, int64_t at) {
  const shm::RecorderEvent noted = PackBegunTask(kind, {kDriver, 4, 5, 2, 1, {}}, static_cast<uint64_t>(at));
  recording.running = shm::RecordedEvent{0, at, at, {static_cast<uint64_t>(at), 0, 0, 0, noted.c, noted.d}};
  return recording;
}

TEST(EndedTasks, WhoseProcessDiedHaveEnded) {
  const json rows = RowsOf({WithBegun(Worker({Task(EventKind::kTask, 1, 1 * kMs, 2 * kMs)}), EventKind::kActorCall, 3 * kMs),
                            Daemon({News(EventKind::kGone, 8 * kMs, SIGKILL, 30, kWorker.value, 0)})});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["task"], kTask);
  EXPECT_EQ(rows[0]["attempt"], 1);
  EXPECT_EQ(rows[0]["name"], "Parent");
  EXPECT_EQ(rows[0]["type"], "ACTOR_TASK");
  EXPECT_EQ(rows[0]["error"], "WORKER_DIED");
  EXPECT_EQ(rows[0]["start_time_ms"], 3);
  EXPECT_EQ(rows[0]["end_time_ms"], 8);
}

TEST(EndedTasks, AreNoneOfThoseThatRun) {
  const std::string unfinished = R"([{"task": ")" + std::string(kTask) + R"(", "attempt": 1, "state": "RUNNING"}, {"task": "other", "attempt": 0}])";
  const json rows = RowsOf({WithBegun(Worker({}), EventKind::kTask, 3 * kMs)}, unfinished);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["state"], "RUNNING");
  EXPECT_EQ(rows[0]["start_time_ms"], 3);
  EXPECT_FALSE(rows[1].contains("start_time_ms"));
}

TEST(EndedTasks, StandForWhatTheirOwnersHaveNotHeardYet) {
  const std::string unfinished =
      R"([{"task": ")" + std::string(kTask) + R"(", "attempt": 1, "state": "RUNNING"}, {"task": ")" + kTask + R"(", "attempt": 2, "state": "RUNNING"}])";
  const json rows = RowsOf({Worker({Task(EventKind::kTask, 1, 1, 2)})}, unfinished);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["attempt"], 2);
  EXPECT_EQ(rows[1]["state"], "FINISHED");
}

TEST(EndedTasks, BeyondTheMostAreCounted) {
  std::vector<shm::RecorderEvent> events;
  for (uint64_t i = 0; i < 10; ++i) events.push_back(Task(EventKind::kTask, 1, i * kMs, i * kMs + kMs));
  const ToolClient::Answer answer = WithEndedTasks({R"([{"task": "other", "attempt": 0}])", 7}, Session({Worker(events)}), 4);
  const json rows = json::parse(answer.json);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0]["task"], "other");
  EXPECT_EQ(rows[1]["end_time_ms"], 10);
  EXPECT_EQ(rows[3]["end_time_ms"], 8);
  EXPECT_EQ(answer.left_out, 7u + 7u);
}

TEST(EndedTasks, LeaveAnErrorAsItIs) {
  const std::string error = R"({"error": "the daemon is ill"})";
  EXPECT_EQ(WithEndedTasks({error, 0}, Session({Worker({})}), 10).json, error);
}

}  // namespace
}  // namespace manta::bin
