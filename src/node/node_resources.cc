#include "node/node_resources.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/unique_fd.h"

namespace manta::node {
namespace {

constexpr double kObjectStoreShare = 0.3;
// What the kernel writes for "no limit" in the first version of control groups, give or take a page.
constexpr uint64_t kUnlimited = uint64_t{1} << 62;

std::string ReadSmallFile(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[4096];
  const ssize_t size = file ? read(file.get(), text, sizeof text) : -1;
  return size <= 0 ? std::string() : std::string(text, static_cast<size_t>(size));
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  int64_t value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <class T>
void TakeLess(T* least, std::optional<T> other) {
  if (other && *other < *least) *least = *other;
}

// Calls `read` for the group's directory and those above it: a limit of any of them holds. In a container the path may be the
// host's, which does not exist here; then only the root is found.
template <class Read>
void ForEachGroup(const std::string& mount, std::string path, const Read& read) {
  for (;;) {
    read(mount + path);
    if (path.empty() || path == "/") return;
    path.erase(path.rfind('/'));
  }
}

}  // namespace

std::optional<uint64_t> ParseMemoryLimit(std::string_view text) {
  const auto value = ParseInteger(text);
  if (!value || *value <= 0 || static_cast<uint64_t>(*value) >= kUnlimited) return std::nullopt;
  return static_cast<uint64_t>(*value);
}

std::optional<uint32_t> ParseCpuMax(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto quota = ParseInteger(text.substr(0, space));
  const auto period = ParseInteger(text.substr(space + 1));
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return static_cast<uint32_t>((*quota + *period - 1) / *period);
}

std::optional<std::string> CgroupPath(std::string_view text, std::string_view controller) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    std::string_view names = line.substr(first + 1, second - first - 1);
    if (names.empty() && controller.empty()) return std::string(line.substr(second + 1));
    while (!names.empty()) {
      const size_t comma = names.find(',');
      if (!controller.empty() && names.substr(0, comma) == controller) {
        return std::string(line.substr(second + 1));
      }
      names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
  }
  return std::nullopt;
}

uint32_t CountGpus(uint32_t devices, const char* visible) {
  if (visible == nullptr) return devices;
  const std::string_view list = visible;
  if (list.empty()) return 0;
  const auto entries = 1 + std::count(list.begin(), list.end(), ',');
  return static_cast<uint32_t>(std::min<int64_t>(devices, entries));
}

MachineLimits ReadMachineLimits() {
  MachineLimits limits;
  uint32_t devices = 0;
  while (access(("/dev/nvidia" + std::to_string(devices)).c_str(), F_OK) == 0) ++devices;
  limits.gpus = CountGpus(devices, getenv("CUDA_VISIBLE_DEVICES"));
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    limits.cores = static_cast<uint32_t>(std::max(1, CPU_COUNT(&allowed)));
  } else {
    limits.cores = static_cast<uint32_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  }
  struct sysinfo info;
  if (sysinfo(&info) == 0) limits.memory_bytes = uint64_t{info.totalram} * info.mem_unit;

  const std::string groups = ReadSmallFile("/proc/self/cgroup");
  if (const auto path = CgroupPath(groups, "")) {
    ForEachGroup("/sys/fs/cgroup", *path, [&](const std::string& directory) {
      TakeLess(&limits.memory_bytes, ParseMemoryLimit(ReadSmallFile(directory + "/memory.max")));
      TakeLess(&limits.cores, ParseCpuMax(ReadSmallFile(directory + "/cpu.max")));
    });
  }
  if (const auto path = CgroupPath(groups, "memory")) {
    ForEachGroup("/sys/fs/cgroup/memory", *path, [&](const std::string& directory) {
      TakeLess(&limits.memory_bytes,
               ParseMemoryLimit(ReadSmallFile(directory + "/memory.limit_in_bytes")));
    });
  }
  if (const auto path = CgroupPath(groups, "cpu")) {
    ForEachGroup("/sys/fs/cgroup/cpu", *path, [&](const std::string& directory) {
      TakeLess(&limits.cores, ParseCpuMax(ReadSmallFile(directory + "/cpu.cfs_quota_us") + " " +
                                          ReadSmallFile(directory + "/cpu.cfs_period_us")));
    });
  }
  return limits;
}

Result<uint64_t> ObjectArenaBytes(uint64_t requested, uint64_t memory_bytes) {
  const std::string memory = std::to_string(memory_bytes >> 20) + " MiB";
  const std::string least = std::to_string(kMinObjectArenaBytes >> 20) + " MiB";
  if (requested == 0) {
    const auto bytes = static_cast<uint64_t>(static_cast<double>(memory_bytes) * kObjectStoreShare);
    if (bytes < kMinObjectArenaBytes) {
      return MakeError(MANTA_ERROR_START_FAILED,
                       "30 % of the memory that this machine or container has (" + memory +
                           ") is less than the " + least + " that an object store needs");
    }
    return bytes >> 16 << 16;
  }
  if (requested < kMinObjectArenaBytes) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "an object store of " + std::to_string(requested) +
                         " bytes is too small: it needs at least " + least);
  }
  if (requested > memory_bytes) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "an object store of " + std::to_string(requested >> 20) +
                         " MiB is more than the memory that this machine or container has (" +
                         memory + ")");
  }
  return requested >> 16 << 16;
}

}  // namespace manta::node
