// Finds a running cluster of this machine for a driver that names one.
#pragma once

#include <string>

#include "base/result.h"

namespace manta::worker {

struct Attachment {
  int socket;          // connected, nothing said yet
  std::string secret;  // for Hello
};

// `address`: "auto" (the only cluster of this user that was started by `manta start`), a session's name, or its directory.
// Error START_FAILED when there is none, or when "auto" could mean several: the message says how to go on.
Result<Attachment> AttachToCluster(const std::string& address);

}  // namespace manta::worker
