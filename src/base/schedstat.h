// What the kernel counts of a thread: for how long it could have run but stood in the queue for a core. What it has neither run nor queued, it
// has slept.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <utility>

#include "base/unique_fd.h"

namespace manta {

// Of one thread, from /proc (proc(5): schedstat). Movable. A reading is one system call.
class SchedStat {
 public:
  SchedStat() = default;  // of none
  static SchedStat OfThisThread();
  static SchedStat OfMainThread(pid_t process);

  // For how long it has queued, in ns, without the queueing that goes on right now. 0 for a thread that is gone, and where the kernel does not
  // count (without CONFIG_SCHED_INFO).
  int64_t Queued() const;

 private:
  explicit SchedStat(UniqueFd file) : file_(std::move(file)) {}

  UniqueFd file_;
};

}  // namespace manta
