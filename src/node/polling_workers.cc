#include "node/polling_workers.h"

#include <time.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace manta::node {
namespace {

// 0: it is dead.
Nanoseconds Read(clockid_t clock) {
  timespec used;
  if (clock_gettime(clock, &used) != 0) return 0;
  return Nanoseconds{used.tv_sec} * kSecond + used.tv_nsec;
}

}  // namespace

PollingWorkers::PollingWorkers(EventLoop& loop, std::function<void(ProcessId)> runs)
    : runs_(std::move(runs)), timer_(loop, [this] { Look(); }) {}

void PollingWorkers::Add(ProcessId id, pid_t pid) {
  const Nanoseconds now = EventLoop::Now();
  Worker worker{};
  worker.since = worker.looked_at = now;
  // One whose time cannot be read is dead; its end is told elsewhere.
  if (clock_getcpuclockid(pid, &worker.clock) != 0) return;
  worker.stat = SchedStat::OfMainThread(pid);
  worker.wanted = Wanted(worker);
  workers_.insert_or_assign(id, std::move(worker));
  if (!timer_.armed()) timer_.ExpireAfter(kLook);
}

Nanoseconds PollingWorkers::Wanted(const Worker& worker) { return Read(worker.clock) + worker.stat.Read().queued; }

void PollingWorkers::Look() {
  const Nanoseconds now = EventLoop::Now();
  std::vector<ProcessId> running;
  for (auto& [id, worker] : workers_) {
    const Nanoseconds wanted = Wanted(worker);
    // Half of the time, over a time that was long enough to tell.
    const bool runs = 2 * (wanted - worker.wanted) >= std::max(now - worker.looked_at, kLook);
    if (runs || now - worker.since >= kLongest) running.push_back(id);
    worker.looked_at = now;
    worker.wanted = wanted;
  }
  for (const ProcessId id : running) {
    workers_.erase(id);
    runs_(id);
  }
  if (!workers_.empty()) timer_.ExpireAfter(kLook);
}

}  // namespace manta::node
