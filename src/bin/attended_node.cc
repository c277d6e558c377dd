#include "bin/attended_node.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "bin/outcome_pipe.h"
#include "contracts/session_files.h"
#include "contracts/session_lock.h"

namespace manta::bin {
namespace {

// What the daemon makes of a request to end.
constexpr int kPassedOn[] = {SIGTERM, SIGINT, SIGHUP};

[[noreturn]] void ServeInChild(const NodeOptions& options, pid_t parent, bool follow, UniqueFd outcome) {
  if (follow) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);  // it was gone before
  }
  const Result<> served = ServeNode(options, {}, [&](const NodeReady& ready) { Tell(&outcome, ready); });
  if (!served && outcome) Tell(&outcome, served.error());
  _exit(served ? 0 : 1);
}

// Passes the caller's signals on until the child has ended; returns its status.
int AwaitEnd(pid_t child, const sigset_t& signals) {
  for (;;) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child || (ended < 0 && errno == ECHILD)) return status;
    siginfo_t info{};
    const int signal = sigwaitinfo(&signals, &info);
    // A terminal sends its interrupts to the child, too; that it is closed, it tells the leader of its session alone.
    const bool sent_to_both = signal == SIGINT && info.si_code == SI_KERNEL;
    if (signal > 0 && signal != SIGCHLD && !sent_to_both) kill(child, signal);
  }
}

Result<> ClearAway(const NodeReady& node, int status) {
  contracts::RemoveFilesOfDeadDaemon(node.session_directory);
  if (!WIFSIGNALED(status)) return {};
  const std::string text = "the node daemon (pid " + std::to_string(node.pid) + ") was ended by SIG" +
                           sigabbrev_np(WTERMSIG(status)) + (WCOREDUMP(status) ? "; there is a core file" : "");
  const UniqueFd log(contracts::OpenErrorLog(node.session_directory));
  if (log) dprintf(log.get(), "%s\n", text.c_str());
  return MakeError(MANTA_ERROR_SYSTEM, text);
}

}  // namespace

Result<> ServeNodeAttended(const NodeOptions& options, const Attendance& attendance,
                           const std::function<void(const NodeReady&)>& on_ready) {
  Result<OutcomePipe> pipe = OutcomePipe::Make();
  if (!pipe) return pipe.error();
  sigset_t signals, before;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (const int signal : kPassedOn) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t self = getpid();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ErrnoError("starting a process for the daemon", errno);
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    KeepOnly(pipe->writer);
    (void)pipe->reader.release();
    ServeInChild(options, self, attendance.daemon_follows, std::move(pipe->writer));
  }
  prctl(PR_SET_NAME, "manta-attendant");
  pipe->writer.reset();
  const Result<NodeReady> node = Await(pipe->reader);
  if (node) on_ready(node.value());
  const int status = AwaitEnd(child, signals);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (!node) return node.error();
  return ClearAway(node.value(), status);
}

}  // namespace manta::bin
