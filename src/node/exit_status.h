// What a wait status means, for programs and for people. Pure.
#pragma once

#include <optional>
#include <string>

#include "contracts/frames.h"

namespace manta::node {

// "worker 7 (pid 4711) was killed by signal 9 (SIGKILL)". `status` as from waitpid; none: only its socket closed.
// `reason`: why the daemon or somebody else ended it on purpose, if so.
wire::CauseT CauseOf(const std::string& who, std::optional<int> status, const std::string& reason);

// "exit status 3", "signal 11 (SIGSEGV)"
std::string DescribeStatus(int status);

}  // namespace manta::node
