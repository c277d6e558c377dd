#include "worker/wait_history.h"

#include <unistd.h>

#include "base/schedstat.h"
#include "worker/clock.h"

namespace manta::worker {

ThreadTimes ReadThreadTimes() {
  const int64_t ran = ReadClock(CLOCK_THREAD_CPUTIME_ID);
  // Only the main thread, which runs tasks, keeps its file open: an actor may have more threads than the process may have files.
  if (gettid() != getpid()) return {ran, SchedStat::OfThisThread().Queued()};
  static const SchedStat stat = SchedStat::OfThisThread();
  return {ran, stat.Queued()};
}

}  // namespace manta::worker
