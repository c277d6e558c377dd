// What this machine, or the container that we are in, lets the node use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace manta::node {

struct MachineLimits {
  uint32_t cores = 1;         // affinity and CPU quota, rounded up
  uint32_t gpus = 0;          // NVIDIA's device files, or the length of CUDA_VISIBLE_DEVICES if that is less
  uint64_t memory_bytes = 0;  // of the machine or the control group, whichever is less
};

MachineLimits ReadMachineLimits();

// `requested` 0: 30 % of the memory. Error INVALID_ARGUMENT for less than 64 MiB or more than the memory, START_FAILED when even the default
// does not reach 64 MiB.
Result<uint64_t> ObjectArenaBytes(uint64_t requested, uint64_t memory_bytes);

inline constexpr uint64_t kMinObjectArenaBytes = 64u << 20;

// Pure parts. The limit in the text of memory.max, memory.limit_in_bytes; none: unlimited.
std::optional<uint64_t> ParseMemoryLimit(std::string_view text);
// `visible`: CUDA_VISIBLE_DEVICES, or nullptr.
uint32_t CountGpus(uint32_t devices, const char* visible);
// From cpu.max ("200000 100000", "max 100000"), rounded up.
std::optional<uint32_t> ParseCpuMax(std::string_view text);
// The path of a controller in /proc/self/cgroup; an empty name stands for the unified hierarchy.
std::optional<std::string> CgroupPath(std::string_view proc_self_cgroup, std::string_view controller);

}  // namespace manta::node
