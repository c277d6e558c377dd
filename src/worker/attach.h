// Finds a running cluster of this machine for a driver that names one.
#pragma once

#include <string>

#include "base/result.h"
#include "contracts/session_files.h"

namespace manta::worker {

struct Attachment {
  contracts::SessionAddress session;
  int socket;          // connected, nothing said yet
  std::string secret;  // for Hello
};

// `address`: "auto" (the only cluster of this user that was started by `manta start`), a session's name, or its directory.
// Error START_FAILED when there is none, or when "auto" could mean several: the message says how to go on.
Result<Attachment> AttachToCluster(const std::string& address);

// Does the daemon of `session` still listen? One that was killed may be found and connected to until the system has
// closed its sockets: whoever fails to join a cluster that then runs no more looks again.
bool StillRuns(const contracts::SessionAddress& session);

}  // namespace manta::worker
