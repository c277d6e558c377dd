// Flight recordings as a trace that chrome://tracing and Perfetto show: one row per process and thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bin/session_recordings.h"

namespace manta::bin {

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
