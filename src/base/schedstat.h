// What the kernel counts of a thread: for how long it ran, and for how long it could have run but stood in the queue for a core. What it has
// neither run nor queued, it has slept.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace manta {

// Of one thread, from /proc (proc(5): schedstat). Movable. A reading is one system call.
class SchedStat {
 public:
  struct Times {
    int64_t ran = 0;     // ns; of a thread that runs, as of its last clock tick (some ms)
    int64_t queued = 0;  // ns, without the queueing that goes on right now
  };

  SchedStat() = default;  // of none
  static SchedStat OfThisThread();
  static SchedStat OfMainThread(pid_t process);

  SchedStat(SchedStat&& other) noexcept;
  SchedStat& operator=(SchedStat&& other) noexcept;
  ~SchedStat();

  // Zeros for a thread that is gone, and where the kernel does not count (without CONFIG_SCHED_INFO).
  Times Read() const;

 private:
  explicit SchedStat(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace manta
