#include "shm/flight_recorder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace manta::shm {
namespace {

class FlightRecorderTest : public ::testing::Test {
 protected:
  FlightRecorderTest() {
    char name[] = "/tmp/manta_recorder_test_XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/recorder";
  }
  ~FlightRecorderTest() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  std::string directory_;
  std::string path_;
};

int64_t NowNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

TEST_F(FlightRecorderTest, ReadsWhatWasWritten) {
  Result<FlightRecorder> recorder = CreateRecorderFile(path_, 64);
  ASSERT_TRUE(recorder) << recorder.error().message;
  recorder->SetProcess(MakeProcessId(1, 2));
  recorder->Record(1, 2, 3, 4, 5);
  recorder->Record(0xffff, 0xfffe, 0xfffffffd, ~uint64_t{0}, 1);

  const Result<Recording> recording = ReadRecorderFile(path_);
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_EQ(recording.value().pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(recording.value().process, MakeProcessId(1, 2));
  EXPECT_EQ(recording.value().written, 2u);
  ASSERT_EQ(recording.value().events.size(), 2u);
  const RecordedEvent& first = recording.value().events[0];
  const RecordedEvent& second = recording.value().events[1];
  EXPECT_EQ(first.index, 0u);
  EXPECT_EQ(first.event, (RecorderEvent{first.event.ticks, 1, 2, 3, 4, 5}));
  EXPECT_EQ(second.index, 1u);
  EXPECT_EQ(second.event,
            (RecorderEvent{second.event.ticks, 0xffff, 0xfffe, 0xfffffffd, ~uint64_t{0}, 1}));
  EXPECT_LE(first.event.ticks, second.event.ticks);
}

TEST_F(FlightRecorderTest, KeepsTheLatestInOrder) {
  Result<FlightRecorder> recorder = CreateRecorderFile(path_, 100);  // 128
  ASSERT_TRUE(recorder);
  for (uint64_t i = 0; i < 1000; ++i) recorder->Record(7, 0, 0, i);
  const Result<Recording> recording = ReadRecorderFile(path_);
  ASSERT_TRUE(recording);
  EXPECT_EQ(recording.value().written, 1000u);
  ASSERT_EQ(recording.value().events.size(), 127u);
  for (size_t i = 0; i < 127; ++i) {
    EXPECT_EQ(recording.value().events[i].index, 873 + i);
    EXPECT_EQ(recording.value().events[i].event.c, 873 + i);
  }
}

TEST_F(FlightRecorderTest, ConvertsTicksToTime) {
  for (const bool calibrate : {false, true}) {
    Result<FlightRecorder> recorder = CreateRecorderFile(path_, 64);
    ASSERT_TRUE(recorder);
    std::vector<std::pair<int64_t, int64_t>> monotonic;
    std::vector<std::pair<int64_t, int64_t>> wall;
    for (int i = 0; i < 4; ++i) {
      const int64_t monotonic_before = NowNs(CLOCK_MONOTONIC);
      const int64_t wall_before = NowNs(CLOCK_REALTIME);
      recorder->Record(1);
      monotonic.emplace_back(monotonic_before, NowNs(CLOCK_MONOTONIC));
      wall.emplace_back(wall_before, NowNs(CLOCK_REALTIME));
      usleep(5000);
      if (calibrate) recorder->Calibrate();
    }
    const Result<Recording> recording = ReadRecorderFile(path_);
    ASSERT_TRUE(recording);
    ASSERT_EQ(recording.value().events.size(), 4u);
    constexpr int64_t kTolerance = 100'000;
    for (size_t i = 0; i < 4; ++i) {
      const RecordedEvent& event = recording.value().events[i];
      EXPECT_GE(event.monotonic_ns, monotonic[i].first - kTolerance);
      EXPECT_LE(event.monotonic_ns, monotonic[i].second + kTolerance);
      EXPECT_GE(event.wall_ns, wall[i].first - kTolerance);
      EXPECT_LE(event.wall_ns, wall[i].second + kTolerance);
    }
  }
}

TEST_F(FlightRecorderTest, ReplacesAFileThatOthersStillRead) {
  Result<FlightRecorder> first = CreateRecorderFile(path_, 64);
  ASSERT_TRUE(first);
  first->Record(1);
  Result<FlightRecorder> second = CreateRecorderFile(path_, 64);
  ASSERT_TRUE(second);
  first->Record(1);  // its file has no name any more
  EXPECT_EQ(ReadRecorderFile(path_).value().written, 0u);
}

TEST_F(FlightRecorderTest, OutlivesAKilledProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Result<FlightRecorder> recorder = CreateRecorderFile(path_, 256);
    if (!recorder) _exit(1);
    for (uint64_t i = 0;; ++i) {
      recorder->Record(3, 0, static_cast<uint32_t>(i), i, ~i);
      if (i == 1000 && write(ready[1], "r", 1) != 1) _exit(1);
    }
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  kill(child, SIGKILL);
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  close(ready[0]);
  close(ready[1]);

  const Result<Recording> recording = ReadRecorderFile(path_);
  ASSERT_TRUE(recording) << recording.error().message;
  EXPECT_EQ(recording.value().pid, static_cast<uint32_t>(child));
  EXPECT_EQ(recording.value().events.size(), 255u);
  for (const RecordedEvent& event : recording.value().events) {
    EXPECT_EQ(event.event.c, event.index);
    EXPECT_EQ(event.event.d, ~event.index);
  }
  EXPECT_EQ(recording.value().events.back().index + 1, recording.value().written);
}

TEST_F(FlightRecorderTest, ReadsALivingProcess) {
  Result<FlightRecorder> recorder = CreateRecorderFile(path_, 4096);
  ASSERT_TRUE(recorder);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    for (uint64_t i = 0;; ++i) {
      recorder->Record(static_cast<uint16_t>(i % 1000 + 1), static_cast<uint16_t>(i),
                       static_cast<uint32_t>(i), i, ~i);
    }
  }
  uint64_t read = 0;
  const int64_t until = NowNs(CLOCK_MONOTONIC) + 300'000'000;
  while (NowNs(CLOCK_MONOTONIC) < until) {
    const Result<Recording> recording = ReadRecorderFile(path_);
    ASSERT_TRUE(recording);
    uint64_t previous = 0;
    for (const RecordedEvent& event : recording.value().events) {
      const uint64_t i = event.index;
      ASSERT_TRUE(previous == 0 || i == previous + 1);
      previous = i;
      ASSERT_EQ(event.event,
                (RecorderEvent{event.event.ticks, static_cast<uint16_t>(i % 1000 + 1),
                               static_cast<uint16_t>(i), static_cast<uint32_t>(i), i, ~i}));
      ++read;
    }
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_GT(read, 0u);
}

TEST_F(FlightRecorderTest, RefusesWhatIsNoRecording) {
  EXPECT_FALSE(ReadRecorderFile(path_));       // nothing there
  EXPECT_FALSE(ReadRecorderFile(directory_));  // a folder
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(ReadRecorderFile(path_)) << "and waits for no writer";
  unlink(path_.c_str());
  ASSERT_EQ(symlink("/etc/passwd", path_.c_str()), 0);
  EXPECT_FALSE(ReadRecorderFile(path_));
  unlink(path_.c_str());
  std::ofstream(path_).put('x');
  const Result<Recording> too_short = ReadRecorderFile(path_);
  ASSERT_FALSE(too_short);
  EXPECT_NE(too_short.error().message.find("too short"), std::string::npos);
  std::ofstream(path_) << std::string(4096, 'x');
  const Result<Recording> no_magic = ReadRecorderFile(path_);
  ASSERT_FALSE(no_magic);
  EXPECT_NE(no_magic.error().message.find("magic"), std::string::npos);
  EXPECT_FALSE(CreateRecorderFile(directory_ + "/none/recorder", 64));
  alignas(kCacheLine) char region[2 * RecorderBytes(6)] = {};
  EXPECT_FALSE(CreateRecorder(region, sizeof(RecorderHeader)));
  EXPECT_FALSE(CreateRecorder(region + 8, RecorderBytes(6)));
  ASSERT_TRUE(CreateRecorder(region, sizeof region));
  EXPECT_TRUE(ReadRecorder(region, sizeof region));
  std::memmove(region + 8, region, sizeof region - 8);
  EXPECT_FALSE(ReadRecorder(region + 8, sizeof region - 8));
}

// A region with anything in it gives a recording or an error, and touches nothing beyond it.
TEST_F(FlightRecorderTest, ToleratesGarbage) {
  constexpr uint32_t kLog2Events = 6;
  constexpr uint64_t kBytes = RecorderBytes(kLog2Events);
  // Right in front of a page that must not be read.
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  void* mapping =
      mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(mapping, MAP_FAILED);
  ASSERT_EQ(mprotect(static_cast<char*>(mapping) + page, page, PROT_NONE), 0);
  ASSERT_LE(kBytes, page);
  char* region = static_cast<char*>(mapping) + page - kBytes;

  Result<FlightRecorder> recorder = CreateRecorder(region, kBytes);
  ASSERT_TRUE(recorder);
  for (uint64_t i = 0; i < 100; ++i) recorder->Record(1, 2, 3, i);
  recorder->Calibrate();
  const std::vector<char> good(region, region + kBytes);

  std::mt19937_64 random(7);
  int readable = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::memcpy(region, good.data(), kBytes);
    auto& header = *reinterpret_cast<RecorderHeader*>(region);
    // A damaged clock rate makes the reader measure, which takes 10 ms: now and then is enough.
    header.calibrations.store(0);
    if (round % 1000 != 0) header.clock = RecorderClock::kMonotonic;
    const uint64_t extent = round % 2 == 0 ? sizeof(RecorderHeader) : kBytes;
    const uint64_t changes = 1 + random() % 8;
    for (uint64_t i = 0; i < changes; ++i) {
      const uint64_t at = random() % extent;
      if (round % 1000 != 0 && at / 4 == offsetof(RecorderHeader, clock) / 4) continue;
      region[at] = static_cast<char>(random());
    }
    if (round % 5 == 0) {
      for (uint64_t at = sizeof(RecorderHeader); at < kBytes; ++at) {
        region[at] = static_cast<char>(random());
      }
    }
    const uint64_t bytes = round % 7 == 0 ? random() % kBytes / 64 * 64 : kBytes;
    char* shortened = region + (kBytes - bytes);
    std::memmove(shortened, region, bytes);
    const Result<Recording> recording = ReadRecorder(shortened, bytes);
    if (!recording) continue;
    ++readable;
    EXPECT_LE(recording.value().events.size(), 64u);
    for (size_t i = 1; i < recording.value().events.size(); ++i) {
      EXPECT_LT(recording.value().events[i - 1].index, recording.value().events[i].index);
    }
  }
  EXPECT_GT(readable, 1000);
  munmap(mapping, 2 * page);
}

}  // namespace
}  // namespace manta::shm
