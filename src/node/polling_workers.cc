#include "node/polling_workers.h"

#include <time.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace manta::node {
namespace {

std::optional<Nanoseconds> Read(clockid_t clock) {
  timespec used;
  if (clock_gettime(clock, &used) != 0) return std::nullopt;
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
  worker.cpu = Read(worker.clock).value_or(0);
  workers_.insert_or_assign(id, worker);
  if (!timer_.armed()) timer_.ExpireAfter(kLook);
}

void PollingWorkers::Look() {
  const Nanoseconds now = EventLoop::Now();
  std::vector<ProcessId> running;
  for (auto& [id, worker] : workers_) {
    const Nanoseconds used = Read(worker.clock).value_or(worker.cpu);
    // Half of the time, over a time that was long enough to tell.
    const bool runs = 2 * (used - worker.cpu) >= std::max(now - worker.looked_at, kLook);
    if (runs || now - worker.since >= kLongest) running.push_back(id);
    worker.looked_at = now;
    worker.cpu = used;
  }
  for (const ProcessId id : running) {
    workers_.erase(id);
    runs_(id);
  }
  if (!workers_.empty()) timer_.ExpireAfter(kLook);
}

}  // namespace manta::node
