#include "node/exit_status.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <fstream>
#include <string>

namespace manta::node {
namespace {

std::string DescribeSignal(int signal) {
  std::string text = "signal " + std::to_string(signal);
  if (const char* name = sigabbrev_np(signal)) text += std::string(" (SIG") + name + ")";
  return text;
}

// What became of the memory of a process that ended by a signal whose default is to dump it.
std::string CoreHint(int status) {
  if (WCOREDUMP(status)) {
    std::string pattern;
    std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
    return "; its core was dumped (core_pattern: " + pattern + ")";
  }
  switch (WTERMSIG(status)) {
    case SIGSEGV: case SIGABRT: case SIGBUS: case SIGFPE: case SIGILL: case SIGTRAP: case SIGSYS: case SIGQUIT:
      return "; for a core dump, start the cluster after `ulimit -c unlimited`";
    default: return "";
  }
}

}  // namespace

std::string DescribeStatus(int status) {
  if (WIFSIGNALED(status)) return DescribeSignal(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

wire::CauseT CauseOf(const std::string& who, std::optional<int> status, const std::string& reason) {
  wire::CauseT cause;
  if (status && WIFSIGNALED(*status)) cause.signal = WTERMSIG(*status);
  if (status && WIFEXITED(*status)) cause.exit_code = WEXITSTATUS(*status);
  if (!reason.empty()) {
    cause.message = who + " was ended: " + reason;
  } else if (!status) {
    cause.message = who + " closed its connection";
  } else if (WIFSIGNALED(*status)) {
    cause.message = who + " was killed by " + DescribeSignal(WTERMSIG(*status));
    if (WTERMSIG(*status) == SIGKILL) {
      cause.message += "; if nobody did that, the kernel was out of memory";
    }
    cause.message += CoreHint(*status);
  } else {
    cause.message = who + " exited with status " + std::to_string(WEXITSTATUS(*status));
  }
  return cause;
}

}  // namespace manta::node
