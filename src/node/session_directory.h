// The directory of one cluster's run: logs, and how others find it (contracts/session_files.h).
#pragma once

#include <string>

#include "base/result.h"

namespace manta::node {

class SessionDirectory {
 public:
  // `path` empty: a new one under the session root. With its directory for logs, mode 0700.
  static Result<SessionDirectory> Create(const std::string& path);

  // 128 random bits in hex, also in the file "secret", which the user alone can read.
  Result<std::string> MakeSecret() const;

  // At the end: whatever is neither a log nor a flight recorder. The directory itself goes if no log has a byte in it.
  void RemoveAllButHistory() const;

  const std::string& path() const { return path_; }
  std::string logs() const { return path_ + "/logs"; }
  std::string name() const { return path_.substr(path_.rfind('/') + 1); }

 private:
  std::string path_;
};

// Logs are kept, but not for ever: of the sessions that have ended, the newest `keep` stay.
void RemoveOldSessions(const std::string& root, size_t keep = 32);

// `bytes` random ones in hex.
Result<std::string> RandomHex(size_t bytes);

}  // namespace manta::node
