#include "node/node_recorder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "contracts/recorder_files.h"
#include "node/process_table.h"
#include "shm/recorder_events.h"
#include "testing/temporary_directory.h"

namespace manta::node {
namespace {

namespace fs = std::filesystem;

class NodeRecorderTest : public testing::Test {
 protected:
  NodeRecorderTest() : log("daemon", std::make_shared<spdlog::sinks::ostream_sink_st>(said)) {}

  static Process Worker(uint32_t serial) {
    Process worker;
    worker.id = MakeProcessId(1, serial);
    worker.role = wire::Role::Worker;
    worker.pid = static_cast<pid_t>(1000 + serial);
    return worker;
  }
  std::string FileOf(uint32_t serial) const {
    return contracts::RecorderFile(session, MakeProcessId(1, serial), contracts::RecorderThreads::kExecuting);
  }
  // A worker that has left a recording of that size.
  Process WithFile(uint32_t serial, size_t bytes) const {
    std::ofstream(FileOf(serial)) << std::string(bytes, 'x');
    return Worker(serial);
  }

  std::ostringstream said;
  spdlog::logger log;
  const test::TemporaryDirectory temporary;
  const std::string session = temporary.path();
  const ProcessId daemon = MakeProcessId(1, 1);
};

TEST_F(NodeRecorderTest, TellsWhatHappensToProcessesAndLeases) {
  NodeRecorder recorder(log, session, daemon);
  const Process worker = Worker(3);
  recorder.Joined(worker);
  recorder.Demand(MakeProcessId(1, 2), 1, 5, true);
  recorder.LeaseGranted(LeaseId{7}, MakeProcessId(1, 2), worker.id, true);
  wire::CauseT cause;
  cause.signal = SIGKILL;
  recorder.Gone(worker, cause);
  const auto recording = shm::ReadRecorderFile(FileOf(1));
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_EQ(recording.value().process, daemon);
  EXPECT_EQ(recording.value().role, static_cast<uint32_t>(shm::RecorderRole::kDaemon));
  const auto& events = recording.value().events;
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(shm::KindOf(events[0].event), shm::EventKind::kJoined);
  EXPECT_EQ(events[0].event.b, 1003u);
  EXPECT_EQ(shm::KindOf(events[1].event), shm::EventKind::kDemand);
  EXPECT_EQ(events[1].event.b, 5u);
  EXPECT_EQ(shm::KindOf(events[2].event), shm::EventKind::kLeaseGranted);
  EXPECT_EQ(events[2].event.d, 7u);
  EXPECT_EQ(shm::KindOf(events[3].event), shm::EventKind::kGone);
  EXPECT_EQ(events[3].event.a, SIGKILL);
  EXPECT_EQ(events[3].event.c, worker.id.value);
}

TEST_F(NodeRecorderTest, OfEndedProcessesTheNewestFilesStay) {
  NodeRecorder recorder(log, session, daemon);
  const uint32_t last = 2 + NodeRecorder::kKeptFiles + 10;
  for (uint32_t serial = 3; serial <= last; ++serial) recorder.Gone(WithFile(serial, 100), {});
  EXPECT_FALSE(fs::exists(FileOf(3)));
  EXPECT_FALSE(fs::exists(FileOf(12)));
  EXPECT_TRUE(fs::exists(FileOf(13)));
  EXPECT_TRUE(fs::exists(FileOf(last)));
  EXPECT_TRUE(fs::exists(FileOf(1))) << "the daemon's own";
}

TEST_F(NodeRecorderTest, OfEndedProcessesNotTooManyBytesStay) {
  NodeRecorder recorder(log, session, daemon);
  constexpr size_t kBytes = NodeRecorder::kKeptBytes / 4;
  for (uint32_t serial = 3; serial < 9; ++serial) recorder.Gone(WithFile(serial, kBytes), {});
  for (uint32_t serial = 3; serial < 9; ++serial) EXPECT_EQ(fs::exists(FileOf(serial)), serial >= 5) << serial;
}

TEST_F(NodeRecorderTest, AtTheEndDriversCountAsTheNewest) {
  NodeRecorder recorder(log, session, daemon);
  ProcessTable processes(1);
  Process driver = WithFile(2, 100);
  driver.role = wire::Role::Driver;
  processes.Add(driver);
  for (uint32_t serial = 3; serial < 3 + NodeRecorder::kKeptFiles + 5; ++serial) processes.Add(WithFile(serial, 100));
  recorder.AllGone(processes);
  EXPECT_TRUE(fs::exists(FileOf(2)));
  EXPECT_FALSE(fs::exists(FileOf(3)));
  EXPECT_EQ(contracts::FindRecorderFiles(session).value().size(), NodeRecorder::kKeptFiles + 1);
}

TEST_F(NodeRecorderTest, WhatCannotBeRecordedIsSaidOnce) {
  std::ofstream(session + "/recorder") << "in the way";
  NodeRecorder recorder(log, session, daemon);
  recorder.Joined(Worker(3));
  recorder.Missing("worker 3", "no room");
  recorder.Gone(Worker(3), {});
  log.flush();
  EXPECT_EQ(recorder.missing(), 2u);
  EXPECT_NE(recorder.missing_reason().find("/recorder"), std::string::npos) << recorder.missing_reason();
  const std::string text = said.str();
  const size_t first = text.find("flight recorder missing");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("flight recorder missing", first + 1), std::string::npos) << text;
}

}  // namespace
}  // namespace manta::node
