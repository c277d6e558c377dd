// The flight recordings of a session, running or not.
#pragma once

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

}  // namespace manta::bin
