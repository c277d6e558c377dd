#include "base/schedstat.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <utility>

namespace manta {
namespace {

int Open(const std::string& path) { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }

}  // namespace

SchedStat SchedStat::OfThisThread() { return SchedStat(Open("/proc/thread-self/schedstat")); }

SchedStat SchedStat::OfMainThread(pid_t process) {
  const std::string id = std::to_string(process);
  return SchedStat(Open("/proc/" + id + "/task/" + id + "/schedstat"));
}

SchedStat::SchedStat(SchedStat&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

SchedStat& SchedStat::operator=(SchedStat&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

SchedStat::~SchedStat() {
  if (fd_ >= 0) close(fd_);
}

int64_t SchedStat::Queued() const {
  // "ran queued slices"
  char text[96];
  const ssize_t size = fd_ < 0 ? -1 : pread(fd_, text, sizeof text, 0);
  if (size <= 0) return 0;
  int64_t ran = 0, queued = 0;
  const char* const end = text + size;
  const char* const after = std::from_chars(text, end, ran).ptr;
  if (after != end) std::from_chars(after + 1, end, queued);
  return queued;
}

}  // namespace manta
