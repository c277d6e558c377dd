// What `manta --version` says.
#pragma once

namespace manta::bin {

inline constexpr const char* kVersionText = "manta 0.1.0 (protocol 1)";

}  // namespace manta::bin
