// Workers whose task waits in many short waits: between two of them nobody can say whether it runs on, but the time that it spends
// on the CPU shows it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <unordered_map>

#include "base/ids.h"
#include "node/event_loop.h"

namespace manta::node {

class PollingWorkers {
 public:
  static constexpr Nanoseconds kLook = 10 * kMillisecond;
  // One that has not waited again for so long does something else, if not on its CPU: reads a file, or waits for a program that it started.
  static constexpr Nanoseconds kLongest = kSecond;

  // `runs` is called for a worker that was added and runs; it is forgotten before.
  PollingWorkers(EventLoop& loop, std::function<void(ProcessId)> runs);

  // Its wait has ended without what it was for.
  void Add(ProcessId worker, pid_t pid);
  // It waits again, or is known to run.
  void Remove(ProcessId worker) { workers_.erase(worker); }

 private:
  struct Worker {
    clockid_t clock;
    Nanoseconds since, looked_at;
    Nanoseconds cpu;  // that it had used by then
  };

  void Look();

  std::unordered_map<ProcessId, Worker> workers_;
  std::function<void(ProcessId)> runs_;
  Timer timer_;
};

}  // namespace manta::node
