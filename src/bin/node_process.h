// A node daemon in this process, from its options to its end. Wiring only.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bin/command_line.h"

namespace manta::bin {

struct NodeReady {
  std::string session_directory;
  int pid = 0;
  std::string trunk_address;  // HOST:PORT where other nodes join; empty: nowhere
};

// Serves until told to stop; nothing that it started remains, nor any file but logs. `driver`: the socket of an embedded cluster,
// which ends with it; none: a cluster that others join. `on_ready` is called once it serves.
// Error: it could not start.
Result<> ServeNode(const NodeOptions& given, UniqueFd driver,
                   const std::function<void(const NodeReady&)>& on_ready);

}  // namespace manta::bin
