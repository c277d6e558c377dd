// A node daemon of `manta start`: in a child of this process, which waits for its end and clears away what a killed daemon leaves.
#pragma once

#include <functional>

#include "base/result.h"
#include "bin/command_line.h"
#include "bin/node_process.h"

namespace manta::bin {

struct Attendance {
  // The daemon ends when the calling process does; otherwise it lives on.
  bool daemon_follows = false;
};

// Returns when the daemon has ended. It is told to end by SIGTERM, SIGINT or SIGHUP of the calling process, which must have one
// thread. However the daemon ended, its session directory then leads nobody to it, and daemon.err says which signal killed it.
// `on_ready` is called in the calling process, at most once. Error: it could not start, or was killed.
Result<> ServeNodeAttended(const NodeOptions& options, const Attendance& attendance,
                           const std::function<void(const NodeReady&)>& on_ready);

}  // namespace manta::bin
