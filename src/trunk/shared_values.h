// Where in a task or a completion handles of shared objects stand: a handle is good on its node only, so what crosses a trunk has
// them replaced by those of local copies. Pure; what a peer wrote is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "shm/channel.h"

namespace manta::trunk {

// Offsets of the SharedHandles in a task's payload. None: damaged.
std::optional<std::vector<uint32_t>> HandlesInTask(const shm::TaskBody& body,
                                                   std::span<const uint8_t> payload);
// In the list of a completion of a task that went well and has so many results.
std::optional<std::vector<uint32_t>> HandlesInResults(std::span<const uint8_t> list,
                                                      uint32_t results);

// A list with one error, which serves all results.
std::vector<uint8_t> ErrorList(const Error& error);

}  // namespace manta::trunk
