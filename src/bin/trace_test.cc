#include "bin/trace.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "bin/symbols.h"
#include "bin/test_recordings.h"
#include "shm/recorder_events.h"

namespace manta::bin {
namespace {

using nlohmann::json;
using shm::EventKind;
using shm::EventOutcome;

// The events of a trace that are not metadata.
std::vector<json> EventsOf(const Trace& trace) {
  std::vector<json> events;
  const json parsed = json::parse(trace.json);
  for (const json& event : parsed["traceEvents"]) {
    if (event["ph"] != "M") events.push_back(event);
  }
  return events;
}

TEST(TraceTest, ATaskIsASliceWithItsNameItsTimeAndItsProcess) {
  const Trace trace = BuildTrace(
      {Session({Recording(kWorker, 4711, shm::RecorderRole::kWorker,
                          {Task(EventKind::kTask, 1, 10'000, 12'500, EventOutcome::kError)})})},
      0);
  const std::vector<json> events = EventsOf(trace);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["name"], "Square");
  EXPECT_EQ(events[0]["ph"], "X");
  EXPECT_EQ(events[0]["cat"], "task");
  EXPECT_EQ(events[0]["ts"], 0.0);  // the first one is the beginning
  EXPECT_EQ(events[0]["dur"], 2.5);
  EXPECT_EQ(events[0]["pid"], 4711);
  EXPECT_EQ(events[0]["tid"], 0);
  EXPECT_EQ(events[0]["args"]["outcome"], "error");
  EXPECT_EQ(events[0]["args"]["attempt"], 1);
  EXPECT_EQ(events[0]["args"]["task"], "2.4.5");
  EXPECT_EQ(trace.tasks, 1u);
}

TEST(TraceTest, WhatContainsOthersComesFirst) {
  // Recorded when they end: the child first, though both begin at once.
  const std::vector<json> events = EventsOf(BuildTrace(
      {Session({Recording(kWorker, 1, shm::RecorderRole::kWorker,
                          {Task(EventKind::kInPlace, 1, 100, 200), Task(EventKind::kTask, 2, 100, 300)})})},
      0));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0]["name"], "Parent");
  EXPECT_EQ(events[1]["name"], "Square");
  EXPECT_EQ(events[1]["cat"], "task,in_place");
}

TEST(TraceTest, AProcessThatDiedIsSaidToHaveDiedAndLosesItsTask) {
  shm::Recording worker = Recording(kWorker, 30, shm::RecorderRole::kWorker, {Task(EventKind::kTask, 1, 100, 200)});
  const shm::RecorderEvent begun = Task(EventKind::kTask, 2, 250, 250);
  worker.running = shm::RecordedEvent{0, 250, 250, {250, 0, 0, 0, begun.c, begun.d}};
  const std::vector<json> events = EventsOf(BuildTrace(
      {Session({worker, Recording(kDaemon, 10, shm::RecorderRole::kDaemon,
                                  {News(EventKind::kJoined, 50, 2, 30, kWorker.value, 0),
                                   News(EventKind::kGone, 900, SIGKILL, 30, kWorker.value, 0)})})},
      2000));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["name"], "joined");
  EXPECT_EQ(events[2]["name"], "Parent");
  EXPECT_EQ(events[2]["args"]["outcome"], "lost with its process");
  EXPECT_EQ(events[2]["dur"], 0.65);
  EXPECT_EQ(events[3]["name"], "killed by SIGKILL");
  for (const json& event : events) EXPECT_EQ(event["pid"], 30);
}

TEST(TraceTest, AFinishedTaskIsNotShownAsRunningToo) {
  shm::Recording worker = Recording(kWorker, 30, shm::RecorderRole::kWorker, {Task(EventKind::kTask, 1, 100, 200)});
  worker.running = shm::RecordedEvent{0, 100, 100, {100, 0, 0, 0, worker.events[0].event.c, 1}};
  EXPECT_EQ(EventsOf(BuildTrace({Session({worker})}, 5000)).size(), 1u);
}

TEST(TraceTest, ALeaseLastsFromItsGrantToItsReturn) {
  const std::vector<json> events = EventsOf(BuildTrace(
      {Session({Recording(kDriver, 20, shm::RecorderRole::kDriver, {}),
                Recording(kWorker, 30, shm::RecorderRole::kWorker, {}),
                Recording(kDaemon, 10, shm::RecorderRole::kDaemon,
                          {News(EventKind::kLeaseGranted, 1000, 0, 2, kWorker.value, 77),
                           News(EventKind::kLeaseReturned, 4000, 0, 0, kWorker.value, 77)})})},
      0));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["name"], "leased to driver 2");
  EXPECT_EQ(events[0]["pid"], 30);
  EXPECT_EQ(events[0]["dur"], 3.0);
  EXPECT_EQ(events[0]["args"]["lease"], 77);
}

TEST(TraceTest, PidsThatWereUsedTwiceAreToldApart) {
  const std::vector<json> events = EventsOf(BuildTrace(
      {Session({Recording(kWorker, 30, shm::RecorderRole::kWorker, {Task(EventKind::kTask, 1, 1, 2)}),
                Recording(MakeProcessId(1, 4), 30, shm::RecorderRole::kWorker, {Task(EventKind::kTask, 1, 5, 6)})})},
      0));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_NE(events[0]["pid"], events[1]["pid"]);
}

TEST(TraceTest, NamesMayContainAnything) {
  SessionRecordings session =
      Session({Recording(kWorker, 1, shm::RecorderRole::kWorker, {Task(EventKind::kTask, 1, 1, 2)})});
  session.names.functions[0].type = "a \"quote\", a \\, a\ttab and \xff no UTF-8";
  const std::vector<json> events = EventsOf(BuildTrace({session}, 0));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["name"], "a \"quote\", a \\, a\ttab and \xef\xbf\xbd no UTF-8");
}

TEST(TraceTest, FunctionsWithOneKeyAreBothNamed) {
  SessionRecordings session =
      Session({Recording(kWorker, 1, shm::RecorderRole::kWorker,
                         {Task(EventKind::kTask, 1, 1, 2), Task(EventKind::kTask, 0xabc, 3, 4)})});
  session.names.functions.push_back({1, {9, 7, 0, 0}, "Cube"});
  const std::vector<json> events = EventsOf(BuildTrace({session}, 0));
  EXPECT_EQ(events[0]["name"], "Square or Cube");
  EXPECT_EQ(events[1]["name"], "function 00000abc") << "nobody has named it";
}

TEST(TraceTest, NothingIsAnEmptyTrace) {
  EXPECT_TRUE(EventsOf(BuildTrace({}, 0)).empty());
  EXPECT_TRUE(EventsOf(BuildTrace({Session({})}, 0)).empty());
}

TEST(SymbolsTest, AFileOfAnotherBuildHasNoNames) {
  const std::vector<uint64_t> addresses = {0x1000};
  EXPECT_FALSE(FunctionsOfModule("/proc/self/exe", "00", addresses));
  EXPECT_FALSE(FunctionsOfModule("/etc/passwd", "00", addresses));
  EXPECT_FALSE(FunctionsOfModule("/nowhere", "", addresses));
}

}  // namespace
}  // namespace manta::bin
