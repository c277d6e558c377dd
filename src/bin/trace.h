// Flight recordings as a trace that chrome://tracing and Perfetto show: one row per process and thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "contracts/recorder_files.h"
#include "shm/flight_recorder.h"

namespace manta::bin {

// What one session's processes have left.
struct SessionRecordings {
  std::string session;
  contracts::RecorderNames names;
  std::vector<shm::Recording> recordings;
  std::vector<std::string> problems;  // of files that could not be read
};

// Error when there is nothing to read: no directory, no permission, no recording.
Result<SessionRecordings> ReadSessionRecordings(const std::string& session);

struct Trace {
  std::string json;  // an object with `traceEvents`
  uint64_t events = 0;
  uint64_t processes = 0;
  uint64_t tasks = 0;        // and calls of actors, in place or not
  uint64_t waits = 0;
  uint64_t overwritten = 0;  // events that newer ones have taken the place of
};

// `now_ns` (CLOCK_MONOTONIC): until when what runs is shown; 0: until the last event.
// Whatever the recordings contain, the result is JSON.
Trace BuildTrace(const std::vector<SessionRecordings>& sessions, int64_t now_ns);

}  // namespace manta::bin
