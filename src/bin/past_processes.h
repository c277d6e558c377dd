// Who took part in a session, from its recordings.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/ids.h"
#include "bin/session_recordings.h"
#include "shm/recorder_events.h"

namespace manta::bin {

struct PastProcess {
  shm::RecorderRole role = shm::RecorderRole::kUnknown;
  uint32_t pid = 0;          // 0: not known
  uint64_t job = 0;          // 0: not known
  std::string program;       // of a driver: its file's name; "": not known
  uint32_t constructor = 0;  // of the actor that it hosts: its function's key; 0: none
  struct Time {
    int64_t monotonic_ns;
    int64_t wall_ns;
  };
  std::optional<Time> gone;  // nullopt: not known to have ended
};

// Those that have recorded anything, and those that a daemon has seen.
std::map<ProcessId, PastProcess> PastProcessesOf(const SessionRecordings& session);

}  // namespace manta::bin
