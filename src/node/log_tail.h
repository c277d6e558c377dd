// The end of a log file, for the message about its writer's death.
#pragma once

#include <cstddef>
#include <string>

namespace manta::node {

// At most `max_bytes` and `max_lines`, whole lines where possible, without the last newline. Empty if it cannot be read.
std::string ReadLogTail(const std::string& path, size_t max_bytes = 2048, size_t max_lines = 20);

}  // namespace manta::node
