#include "syscall_tracer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <fstream>

#include "harness.h"
#include "processes.h"

namespace manta::bench {
namespace {

constexpr int kSyscallStop = SIGTRAP | 0x80;  // by PTRACE_O_TRACESYSGOOD

pid_t ProcessOfThread(pid_t thread) {
  std::ifstream status("/proc/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("Tgid:", 0) == 0) return static_cast<pid_t>(std::atoi(line.c_str() + 5));
  }
  return thread;
}

// Interrupts waitpid every few milliseconds, without a loop that would take the processor from who
// is measured.
class Alarm {
 public:
  explicit Alarm(int64_t period_us) {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // no SA_RESTART
    sigaction(SIGALRM, &action, &before_);
    const itimerval timer = {{0, period_us}, {0, period_us}};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }
  ~Alarm() {
    const itimerval off = {};
    setitimer(ITIMER_REAL, &off, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
};

}  // namespace

SyscallTracer::SyscallTracer(const std::vector<pid_t>& processes) {
  for (const pid_t process : processes) {
    for (const pid_t thread : ThreadsOf(process)) Attach(process, thread);
  }
}

void SyscallTracer::Attach(pid_t process, pid_t thread) {
  const auto options =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
  if (ptrace(PTRACE_SEIZE, thread, nullptr, options) != 0) {
    if (errno == ESRCH) return;
    throw RowFailed(std::string("ptrace is not possible here: ") + strerror(errno));
  }
  process_of_thread_[thread] = process;
  ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
}

void SyscallTracer::OnStop(pid_t thread, int status, Purpose purpose) {
  if (WIFEXITED(status) || WIFSIGNALED(status)) {
    process_of_thread_.erase(thread);
    return;
  }
  const auto known = process_of_thread_.find(thread);
  if (known == process_of_thread_.end()) process_of_thread_[thread] = ProcessOfThread(thread);
  const int event = status >> 16;
  const int signal = WSTOPSIG(status);
  if (event == 0 && signal == kSyscallStop) {
    __ptrace_syscall_info info{};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      ++counts_[process_of_thread_[thread]][info.entry.nr];
    }
  }
  if (purpose == Purpose::kDetach) {
    const bool delivers = event == 0 && signal != kSyscallStop && signal != SIGTRAP;
    ptrace(PTRACE_DETACH, thread, nullptr, delivers ? signal : 0);
    process_of_thread_.erase(thread);
    return;
  }
  if (event == PTRACE_EVENT_STOP &&
      (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)) {
    ptrace(PTRACE_LISTEN, thread, nullptr, nullptr);  // a group stop goes on
    return;
  }
  const bool is_signal = event == 0 && signal != kSyscallStop;
  ptrace(PTRACE_SYSCALL, thread, nullptr, is_signal ? signal : 0);
}

void SyscallTracer::RunUntil(const std::function<bool()>& done) {
  Alarm alarm(5'000);
  while (!done()) {
    int status;
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread > 0) {
      OnStop(thread, status, Purpose::kCount);
    } else if (errno != EINTR) {
      throw RowFailed("the traced processes are gone");
    }
  }
}

SyscallTracer::~SyscallTracer() {
  Alarm alarm(5'000);
  const int64_t deadline = NowNs() + 2'000'000'000;
  for (const auto& [thread, process] : process_of_thread_)
    ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
  while (!process_of_thread_.empty() && NowNs() < deadline) {
    int status;
    const pid_t thread = waitpid(-1, &status, __WALL);
    if (thread > 0) {
      OnStop(thread, status, Purpose::kDetach);
    } else if (errno != EINTR) {
      return;
    }
  }
}

std::string SyscallName(uint64_t number) {
  switch (number) {
    case SYS_futex:
      return "futex";
    case SYS_read:
      return "read";
    case SYS_write:
      return "write";
    case SYS_readv:
      return "readv";
    case SYS_writev:
      return "writev";
    case SYS_sendmsg:
      return "sendmsg";
    case SYS_recvmsg:
      return "recvmsg";
    case SYS_sendto:
      return "sendto";
    case SYS_recvfrom:
      return "recvfrom";
    case SYS_ppoll:
      return "ppoll";
    case SYS_epoll_pwait:
      return "epoll_pwait";
    case SYS_nanosleep:
      return "nanosleep";
    case SYS_clock_nanosleep:
      return "clock_nanosleep";
    case SYS_mmap:
      return "mmap";
    case SYS_munmap:
      return "munmap";
    case SYS_madvise:
      return "madvise";
    case SYS_mprotect:
      return "mprotect";
    case SYS_brk:
      return "brk";
    case SYS_timerfd_settime:
      return "timerfd_settime";
    case SYS_restart_syscall:
      return "restart_syscall";
    case SYS_sched_yield:
      return "sched_yield";
    case SYS_openat:
      return "openat";
    case SYS_close:
      return "close";
    case SYS_getpid:
      return "getpid";
    case SYS_wait4:
      return "wait4";
    case SYS_clone3:
      return "clone3";
#ifdef SYS_poll
    case SYS_poll:
      return "poll";
#endif
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
      return "epoll_wait";
#endif
    default:
      return "call " + std::to_string(number);
  }
}

}  // namespace manta::bench
