#include "runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "helper_programs.h"
#include "machine.h"
#include "manta/errors.h"
#include "processes.h"

namespace manta::bench {
namespace {

int64_t CpuOfReapedChildren() {
  rusage usage;
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto ns = [](const timeval& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_usec} * 1'000;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

pid_t StartRow(const Row& row, const Options& options, int result_fd) {
  const std::string fd = std::to_string(result_fd);
  std::vector<const char*> argv = {"manta_bench", "--run-row", row.name.c_str(), "--result-fd",
                                   fd.c_str()};
  if (options.quick) argv.push_back("--quick");
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  fcntl(result_fd, F_SETFD, 0);
  execv(ThisProgram().c_str(), const_cast<char* const*>(argv.data()));
  _exit(127);
}

// Reads what has come; false at the end of the stream.
bool ReadLines(int fd, std::string* pending, RowResult* result) {
  char buffer[4096];
  const ssize_t count = read(fd, buffer, sizeof buffer);
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  pending->append(buffer, static_cast<size_t>(count));
  for (size_t end; (end = pending->find('\n')) != std::string::npos;) {
    AddLine(pending->substr(0, end), result);
    pending->erase(0, end + 1);
  }
  return true;
}

std::string HowItEnded(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    return std::string("its process was killed by SIG") + (name != nullptr ? name : "?");
  }
  return "its process exited with code " + std::to_string(WEXITSTATUS(status));
}

// Whatever is a child of this process once the row has ended was left behind. They get a moment to
// end by themselves.
std::string CleanUp() {
  const int64_t patience = NowNs() + 3'000'000'000;
  std::string left;
  for (;;) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid > 0) continue;
    if (pid < 0) return left;
    if (NowNs() > patience) {
      for (const Process& process : ProcessesOf(getpid())) {
        if (process.pid == getpid()) continue;
        left +=
            (left.empty() ? "" : ", ") + process.program + " (" + std::to_string(process.pid) + ")";
        kill(process.pid, SIGKILL);
      }
      SleepNs(50'000'000);
      continue;
    }
    SleepNs(5'000'000);
  }
}

}  // namespace

void BecomeReaper() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

RowResult RunRow(const Row& row, const Options& options) {
  RowResult result;
  result.name = row.name;
  result.what = row.what;
  result.message = "it reported no end";
  result.crossing_before_ns = CacheLineRoundTripNs();
  const int64_t start = NowNs();
  const int64_t busy_before = MachineBusyNs();
  const int64_t own_before = CpuOfReapedChildren();

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    result.message = "no pipe";
    return result;
  }
  const pid_t pid = StartRow(row, options, ends[1]);
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    result.message = "fork failed";
    return result;
  }
  const int process_fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const int64_t deadline = start + int64_t{row.limit_s} * 1'000'000'000;
  std::string pending;
  bool timed_out = false;
  for (bool open = true;;) {
    pollfd sources[2] = {{process_fd, POLLIN, 0}, {open ? ends[0] : -1, POLLIN, 0}};
    const int64_t left = deadline - NowNs();
    if (left <= 0) {
      timed_out = true;
      kill(pid, SIGKILL);
      break;
    }
    poll(sources, 2, static_cast<int>(left / 1'000'000 + 1));
    if (open && sources[1].revents != 0) open = ReadLines(ends[0], &pending, &result);
    if (sources[0].revents != 0) break;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  for (int turn = 0; turn < 100; ++turn) {
    if (!ReadLines(ends[0], &pending, &result)) break;
  }
  close(ends[0]);
  close(process_fd);

  if (timed_out) {
    result.state = RowState::kFailed;
    result.message = "it hung: no end within " + std::to_string(row.limit_s) + " s";
  } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const std::string reported = result.state == RowState::kFailed ? result.message + "; " : "";
    result.state = RowState::kFailed;
    result.message = reported + HowItEnded(status);
  }
  if (const std::string left = CleanUp(); !left.empty()) {
    if (result.state == RowState::kOk) {
      result.state = RowState::kFailed;
      result.message.clear();
    }
    result.message +=
        (result.message.empty() ? "" : "; ") + std::string("processes left behind: ") + left;
  }
  const int64_t elapsed = NowNs() - start;
  const double capacity =
      static_cast<double>(elapsed) * static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN));
  const double others =
      static_cast<double>((MachineBusyNs() - busy_before) - (CpuOfReapedChildren() - own_before));
  result.seconds = static_cast<double>(elapsed) / 1e9;
  result.others_share = std::max(0.0, others / capacity);
  result.crossing_after_ns = CacheLineRoundTripNs();
  return result;
}

int RunRowHere(const Row& row, const Options& options, int result_fd) {
  fcntl(result_fd, F_SETFD, FD_CLOEXEC);
  RowContext context(options, result_fd);
  try {
    row.run(context);
    context.End("ok", "");
  } catch (const NotThereYet& error) {
    context.End("not_there_yet", error.what());
  } catch (const NotSupportedError& error) {
    context.End("not_there_yet", error.what());
  } catch (const Error& error) {
    context.End("failed", error.what());
  } catch (const std::exception& error) {
    context.End("failed", error.what());
  }
  return 0;
}

}  // namespace manta::bench
