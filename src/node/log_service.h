// Follows the logs of the workers: forwards new lines to the driver of the job, and keeps the files small.
//
// The kernel says when a file grows (inotify); after each look the service pauses for a moment, so that a worker that prints line
// by line costs the daemon at most twenty wake-ups a second, and a silent one none.
#pragma once

#include <cstdint>
#include <memory>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "base/unique_fd.h"
#include "node/event_loop.h"
#include "node/log_forwarder.h"
#include "node/log_parts.h"
#include "node/log_tail.h"
#include "node/process_table.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class LogService {
 public:
  static constexpr Nanoseconds kPause = 50 * kMillisecond;
  static constexpr uint64_t kRotateAt = 10 << 20;

  LogService(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, bool deduplicate);

  void Watch(const Process& worker, const WorkerLog& log);
  // Forwards what it wrote last. Call while it is still in the table.
  void WorkerGone(ProcessId worker);
  // The driver leaves: it is sent what its workers have written so far.
  void DriverLeaves(JobId job);
  // Its workers' output goes nowhere from now on.
  void DriverGone(JobId job) { jobs_.erase(job); }

 private:
  struct File {
    JobId job;
    std::string path;
    int watch = -1;
    uint64_t offset = 0;  // read up to here
    LogParts parts = {};
  };

  void OnEvents();
  void ReadChanged();
  // False: there is more to read. `last`: also when the driver does not read.
  bool ReadNew(const LogSource& source, File* file, bool last);
  void ReadAll(const LogSource& source, File* file);
  void Rotate(File* file);
  void Show(const LogSource& source, JobId job, std::string lines);
  LogForwarder& ForwarderOf(JobId job);
  // With pid and name as they are now, while it is in the table.
  LogSource Named(const LogSource& source, const LogParts& parts) const;
  void ArmSummaries();

  EventLoop& loop_;
  spdlog::logger& log_;
  ProcessTable& processes_;
  LogForwarder::Options options_;
  UniqueFd inotify_;
  std::unique_ptr<FdWatch> watch_;
  Timer pause_;
  Timer summaries_;
  std::map<LogSource, File> files_;
  std::unordered_map<int, LogSource> by_watch_;
  std::set<LogSource> changed_;
  std::unordered_map<JobId, LogForwarder> jobs_;
};

}  // namespace manta::node
