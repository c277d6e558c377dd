// How a driver shows what its workers print.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace manta::worker {

struct OutputOrigin {
  std::string name;  // of the actor or its class, or empty
  int pid = 0;
  uint32_t node = 0;  // 0: the driver's own
};

// Each line after "(name pid=N) ", with ", node=M" where it comes from another node; as Ray prints them. `colored`: the prefix in cyan.
std::string WithPrefix(const OutputOrigin& origin, std::string_view lines, bool colored);

}  // namespace manta::worker
