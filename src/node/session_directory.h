// The directory of one cluster's run: logs, and how others find it (contracts/session_files.h).
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace manta::node {

class SessionDirectory {
 public:
  // `path` empty: a new one under the session root. Else a directory that does not exist yet, is empty, or is of a session that has
  // ended. With its directory for logs, mode 0700; locked for as long as this object lives. On an error nothing has been changed in
  // a directory that was there.
  static Result<SessionDirectory> Create(const std::string& path);

  // 128 random bits in hex, also in the file "secret", which the user alone can read.
  Result<std::string> MakeSecret() const;

  // At the end: what led to the cluster, and empty logs. The rest of what Manta has made, and with it the directory, goes if no log has
  // a byte in it. Files of any other name stay where they are.
  void RemoveAllButHistory() const;

  const std::string& path() const { return path_; }
  std::string logs() const { return path_ + "/logs"; }
  std::string name() const { return path_.substr(path_.rfind('/') + 1); }

 private:
  std::string path_;
  UniqueFd lock_;
};

// Logs are kept, but not for ever: of the sessions that have ended, the newest `keep` stay. Of the others goes what Manta has made.
void RemoveOldSessions(const std::string& root, size_t keep = 32);

// `bytes` random ones in hex.
Result<std::string> RandomHex(size_t bytes);

}  // namespace manta::node
