// For tests: recordings as the processes of a small session would leave them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bin/session_recordings.h"
#include "shm/recorder_events.h"

namespace manta::bin {

inline constexpr ProcessId kDaemon = MakeProcessId(1, 1);
inline constexpr ProcessId kDriver = MakeProcessId(1, 2);
inline constexpr ProcessId kWorker = MakeProcessId(1, 3);

// A recording whose clock counts nanoseconds.
inline shm::Recording Recording(ProcessId process, uint32_t pid, shm::RecorderRole role,
                         const std::vector<shm::RecorderEvent>& events) {
  shm::Recording recording;
  recording.process = process;
  recording.pid = pid;
  recording.role = static_cast<uint32_t>(role);
  for (const shm::RecorderEvent& event : events) {
    const auto at = static_cast<int64_t>(event.ticks);
    recording.events.push_back({recording.written++, at, at, event});
  }
  return recording;
}

inline shm::RecorderEvent Task(shm::EventKind kind, uint32_t function, uint64_t begin, uint64_t end,
                        shm::EventOutcome outcome = shm::EventOutcome::kOk) {
  return PackTask(kind, 0, {kDriver, 4, 5, function, 1, outcome}, end, end - begin);
}

inline shm::RecorderEvent News(shm::EventKind kind, uint64_t at, uint16_t a, uint32_t b, uint64_t c, uint64_t d) {
  return {at, shm::KindWord(kind, 0), a, b, c, d};
}

inline SessionRecordings Session(std::vector<shm::Recording> recordings) {
  SessionRecordings session;
  session.session = "/tmp/session_1";
  session.names.functions = {{1, {9, 1, 0, 0}, "Square"}, {2, {9, 2, 0, 0}, "Parent"}};
  session.recordings = std::move(recordings);
  return session;
}

}  // namespace manta::bin
