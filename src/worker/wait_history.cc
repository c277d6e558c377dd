#include "worker/wait_history.h"

#include "base/schedstat.h"
#include "worker/clock.h"

namespace manta::worker {

ThreadTimes ReadThreadTimes() {
  static thread_local const SchedStat stat = SchedStat::OfThisThread();
  return {ReadClock(CLOCK_THREAD_CPUTIME_ID), stat.Read().queued};
}

}  // namespace manta::worker
