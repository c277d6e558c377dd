#include "base/schedstat.h"

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <string>

namespace manta {
namespace {

UniqueFd Open(const std::string& path) { return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

}  // namespace

SchedStat SchedStat::OfThisThread() { return SchedStat(Open("/proc/thread-self/schedstat")); }

SchedStat SchedStat::OfMainThread(pid_t process) {
  const std::string id = std::to_string(process);
  return SchedStat(Open("/proc/" + id + "/task/" + id + "/schedstat"));
}

int64_t SchedStat::Queued() const {
  // "ran queued slices"
  char text[96];
  const ssize_t size = !file_ ? -1 : pread(file_.get(), text, sizeof text, 0);
  if (size <= 0) return 0;
  int64_t ran = 0, queued = 0;
  const char* const end = text + size;
  const char* const after = std::from_chars(text, end, ran).ptr;
  if (after != end) std::from_chars(after + 1, end, queued);
  return queued;
}

}  // namespace manta
