#include "node/log_service.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace manta::node {
namespace {

constexpr uint64_t kReadAtOnce = 256 << 10;
constexpr int kTurnsAtTheEnd = 16;
constexpr uint64_t kReadAtMost = 4 << 20;  // what a worker wrote beyond that since the last look is skipped
constexpr size_t kMostPending = 8 << 20;   // for a driver: while more does, it is sent nothing

}  // namespace

LogService::LogService(EventLoop& loop, spdlog::logger& log, ProcessTable& processes,
                       bool deduplicate)
    : loop_(loop),
      log_(log),
      processes_(processes),
      pause_(loop,
             [this] {
               ReadChanged();
               if (changed_.empty()) {
                 watch_->WantRead();
               } else {
                 pause_.ExpireAfter(kPause);
               }
             }),
      summaries_(loop, [this] {
        const Nanoseconds now = EventLoop::Now();
        for (auto& [job, forwarder] : jobs_) {
          for (auto& output : forwarder.Expire(now)) {
            Show(output.source, job, std::move(output.lines));
          }
        }
        ArmSummaries();
      }) {
  options_.deduplicate = deduplicate;
}

void LogService::Watch(const Process& worker, const WorkerLog& log) {
  if (!inotify_) {
    inotify_ = UniqueFd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify_) {
      log_.warn("workers' output is not forwarded reason=\"{}\"",
                ErrnoError("inotify_init1", errno).message);
      return;
    }
    watch_ = std::make_unique<FdWatch>(loop_, inotify_.get(), [this] { OnEvents(); });
    watch_->WantRead();
  }
  for (const bool is_stderr : {false, true}) {
    const LogSource source{worker.id, is_stderr};
    File& file = files_[source];
    file.job = worker.job;
    file.path = is_stderr ? log.err() : log.out();
    file.watch = inotify_add_watch(inotify_.get(), file.path.c_str(), IN_MODIFY);
    if (file.watch >= 0) {
      by_watch_[file.watch] = source;
    } else {
      log_.warn("output is not forwarded worker={} reason=\"{}\"", SerialOf(worker.id),
                ErrnoError("inotify_add_watch", errno).message);
    }
    // What static constructors of the program printed after the fork.
    changed_.insert(source);
  }
  if (!pause_.armed()) pause_.ExpireAfter(kPause);
}

void LogService::OnEvents() {
  alignas(inotify_event) char buffer[4096];
  for (;;) {
    const ssize_t size = read(inotify_.get(), buffer, sizeof buffer);
    if (size <= 0) break;
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      if ((event->mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [source, file] : files_) changed_.insert(source);
      }
      const auto source = by_watch_.find(event->wd);
      if (source != by_watch_.end()) changed_.insert(source->second);
    }
  }
  ReadChanged();
  pause_.ExpireAfter(kPause);
}

void LogService::ReadChanged() {
  const std::set<LogSource> changed = std::exchange(changed_, {});
  for (const LogSource& source : changed) {
    const auto file = files_.find(source);
    if (file != files_.end() && !ReadNew(source, &file->second, false)) changed_.insert(source);
  }
  ArmSummaries();
}

bool LogService::ReadNew(const LogSource& source, File* file, bool last) {
  UniqueFd log(open(file->path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!log || fstat(log.get(), &status) != 0) return true;
  const auto size = static_cast<uint64_t>(status.st_size);
  if (size < file->offset) file->offset = 0;  // its writer truncated it
  const Process* driver = processes_.DriverOf(file->job);
  if (driver == nullptr || !driver->log_to_driver) {
    file->offset = size;
  } else if (!last && processes_.Pending(*driver) > kMostPending) {
    if (size - file->offset <= kReadAtMost) return false;
    ForwarderOf(file->job).Skipped(EventLoop::Now(), source, size - file->offset);
    file->offset = size;
  } else {
    LogForwarder& forwarder = ForwarderOf(file->job);
    const Nanoseconds now = EventLoop::Now();
    if (size - file->offset > kReadAtMost) {
      forwarder.Skipped(now, source, size - kReadAtOnce - file->offset);
      file->offset = size - kReadAtOnce;
    }
    std::vector<char> buffer(std::min(size - file->offset, kReadAtOnce));
    const ssize_t got =
        pread(log.get(), buffer.data(), buffer.size(), static_cast<off_t>(file->offset));
    if (got > 0) {
      file->offset += static_cast<uint64_t>(got);
      file->parts.Split({buffer.data(), static_cast<size_t>(got)}, [&](const std::string&, std::string_view bytes) {
        const LogSource named = Named(source, file->parts);
        Show(named, file->job, forwarder.Add(now, named, bytes));
      });
    }
    if (file->offset < size) return false;
  }
  if (size > kRotateAt) Rotate(file);
  return true;
}

// Its writer holds the file open for appending, so that the text has to move, not the file. A line that is written in between is lost.
void LogService::Rotate(File* file) {
  for (int old = kOldLogs; old > 1; --old) {
    rename(OldLog(file->path, old - 1).c_str(), OldLog(file->path, old).c_str());
  }
  UniqueFd from(open(file->path.c_str(), O_RDWR | O_CLOEXEC));
  UniqueFd to(open(OldLog(file->path, 1).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!from || !to) return;
  // Of a file that grew far beyond the limit before the daemon looked, the end.
  struct stat status;
  if (fstat(from.get(), &status) != 0) return;
  const auto size = static_cast<uint64_t>(status.st_size);
  std::vector<char> buffer(kReadAtOnce);
  for (uint64_t at = size - std::min(size, kRotateAt); at < size;) {
    const ssize_t got = pread(from.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got <= 0 || write(to.get(), buffer.data(), static_cast<size_t>(got)) != got) break;
    at += static_cast<uint64_t>(got);
  }
  if (ftruncate(from.get(), 0) == 0) file->offset = 0;
}

void LogService::ReadAll(const LogSource& source, File* file) {
  for (int turn = 0; turn < kTurnsAtTheEnd && !ReadNew(source, file, true); ++turn) {
  }
}

void LogService::WorkerGone(ProcessId worker) {
  for (const bool is_stderr : {false, true}) {
    const LogSource source{worker, is_stderr};
    const auto found = files_.find(source);
    if (found == files_.end()) continue;
    ReadAll(source, &found->second);
    File file = std::move(found->second);
    files_.erase(found);
    changed_.erase(source);
    if (file.watch >= 0) {
      inotify_rm_watch(inotify_.get(), file.watch);
      by_watch_.erase(file.watch);
    }
    if (const auto job = jobs_.find(file.job); job != jobs_.end()) {
      const Nanoseconds now = EventLoop::Now();
      const LogSource named = Named(source, file.parts);
      file.parts.Finish([&](const std::string&, std::string_view bytes) { Show(named, file.job, job->second.Add(now, named, bytes)); });
      Show(named, file.job, job->second.Finish(now, named));
    }
  }
}

void LogService::DriverLeaves(JobId job) {
  for (auto& [source, file] : files_) {
    if (file.job == job) ReadAll(source, &file);
  }
  if (const auto found = jobs_.find(job); found != jobs_.end()) {
    for (auto& output : found->second.FinishAll(EventLoop::Now())) {
      Show(output.source, job, std::move(output.lines));
    }
  }
}

LogForwarder& LogService::ForwarderOf(JobId job) {
  return jobs_.try_emplace(job, options_).first->second;
}

LogSource LogService::Named(const LogSource& source, const LogParts& parts) const {
  LogSource named = source;
  if (const Process* process = processes_.Find(source.process)) {
    named.pid = process->pid;
    named.name = process->name;
  }
  if (named.name.empty()) {
    named.name = parts.task();
  } else if (!parts.actor().empty()) {  // else it has the name of the actor's class
    named.name = parts.actor();
  }
  return named;
}

void LogService::Show(const LogSource& source, JobId job, std::string lines) {
  if (lines.empty()) return;
  const Process* driver = processes_.DriverOf(job);
  if (driver == nullptr) return;
  wire::WorkerOutputT output;
  output.process = source.process.value;
  output.is_stderr = source.is_stderr;
  output.pid = source.pid;
  output.name = source.name;
  output.lines = std::move(lines);
  processes_.Send(driver->id, std::move(output));
}

void LogService::ArmSummaries() {
  Nanoseconds deadline = INT64_MAX;
  for (const auto& [job, forwarder] : jobs_) {
    deadline = std::min(deadline, forwarder.NextDeadline());
  }
  if (deadline == INT64_MAX) {
    summaries_.Cancel();
  } else {
    summaries_.ExpireAt(deadline);
  }
}

}  // namespace manta::node
