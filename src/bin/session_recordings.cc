#include "bin/session_recordings.h"

#include <utility>

namespace manta::bin {

Result<SessionRecordings> ReadSessionRecordings(const std::string& session) {
  Result<std::vector<std::string>> files = contracts::FindRecorderFiles(session);
  if (!files) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, session + " has no flight recorder that can be read: " +
                                                       files.error().message);
  }
  SessionRecordings read;
  read.session = session;
  for (const std::string& file : *files) {
    Result<shm::Recording> recording = shm::ReadRecorderFile(file);
    if (recording) {
      read.recordings.push_back(std::move(*recording));
    } else {
      read.problems.push_back(file + ": " + recording.error().message);
    }
  }
  if (read.recordings.empty()) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     read.problems.empty() ? "nothing has been recorded in " + session
                                           : "no recording can be read: " + read.problems.front());
  }
  read.names = contracts::ReadRecorderNames(session);
  return read;
}

}  // namespace manta::bin
