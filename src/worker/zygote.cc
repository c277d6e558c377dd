#include "worker/zygote.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include "base/remedies.h"
#include "contracts/frames.h"
#include "worker/runtime.h"

namespace manta::worker {
namespace {

int WorkerMain(int socket, const manta_zygote_hooks& hooks) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  wire::HelloT hello;
  hello.role = wire::Role::Worker;
  hello.pid = getpid();
  Result<std::unique_ptr<Runtime>> runtime = MakeError(MANTA_ERROR_SYSTEM, "");
  try {
    runtime = Runtime::Connect(socket, std::move(hello));
  } catch (const std::system_error& error) {  // its thread
    runtime = MakeError(MANTA_ERROR_SYSTEM, error.what());
  }
  if (!runtime) {
    std::fprintf(stderr, "manta worker: %s\n", runtime.error().message.c_str());
    std::fflush(nullptr);
    _exit(1);  // what the program's static objects do at the end is for workers that have served
  }
  runtime.value()->set_children_in_place(hooks.children_in_place != 0);
  runtime.value()->set_stop_task(hooks.stop_task);
  Runtime::SetCurrent(runtime.value().get());
  runtime.value()->ExecuteTasks();
  Runtime::SetCurrent(nullptr);
  std::fflush(nullptr);
  return 0;
}

// 1 when the system does not say.
int ThreadsOfThisProcess() {
  int threads = 0;
  if (DIR* list = opendir("/proc/self/task")) {
    while (const dirent* entry = readdir(list)) threads += entry->d_name[0] != '.';
    closedir(list);
  }
  return std::max(threads, 1);
}

class Zygote {
 public:
  Zygote(int fd, char** arguments, const manta_zygote_hooks& hooks)
      : fd_(fd), arguments_(arguments), hooks_(hooks), forks_(arguments == nullptr || ThreadsOfThisProcess() == 1) {}

  int Run() {
    if (!forks_) {
      worker_variable_ = std::string(kWorkerVariable) + "=" + std::to_string(kWorkerSocket);
      for (char** variable = environ; *variable != nullptr; ++variable) environment_.push_back(*variable);
      environment_.push_back(worker_variable_.data());
      environment_.push_back(nullptr);
    }
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, &mask_before_);
    child_fd_ = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    wire::HelloT hello;
    hello.role = wire::Role::Zygote;
    hello.pid = getpid();
    hello.protocol_min = contracts::kProtocolMin;
    hello.protocol_max = contracts::kProtocolMax;
    Send(std::move(hello));
    while (exit_code_ < 0) {
      pollfd sources[2] = {{fd_, POLLIN, 0}, {child_fd_, POLLIN, 0}};
      poll(sources, 2, -1);
      if (sources[1].revents != 0) Reap();
      if (sources[0].revents != 0 && !ReadRequests()) return 0;
    }
    return exit_code_;
  }

 private:
  template <class MessageT>
  void Send(MessageT message) {
    (void)contracts::WriteAll(fd_, contracts::Encode(std::move(message)));
  }

  void Reap() {
    signalfd_siginfo info;
    while (read(child_fd_, &info, sizeof info) > 0) {
    }
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      wire::ChildExitedT exited;
      exited.pid = pid;
      exited.status = status;
      Send(std::move(exited));
    }
  }

  bool ReadRequests() {
    uint8_t buffer[4096];
    Result<int64_t> count = contracts::ReadSome(fd_, buffer, sizeof buffer, &descriptors_);
    if (!count || count.value() == 0) return false;
    reader_.Append({buffer, static_cast<size_t>(count.value())});
    for (;;) {
      Result<const wire::Frame*> frame = reader_.Next();
      if (!frame) return false;
      if (frame.value() == nullptr) return true;
      if (const auto* request = frame.value()->message_as_ForkWorker()) Fork(request->ticket());
      if (exit_code_ >= 0) return true;
    }
  }

  void Fork(uint64_t ticket) {
    wire::ForkedT answer;
    answer.ticket = ticket;
    if (descriptors_.size() < 3) {
      answer.error = "the request came without its three descriptors";
      Send(std::move(answer));
      return;
    }
    const int socket = descriptors_[0];
    const int out = descriptors_[1];
    const int err = descriptors_[2];
    descriptors_.erase(descriptors_.begin(), descriptors_.begin() + 3);
    const pid_t zygote = getpid();
    if (hooks_.before_fork != nullptr) hooks_.before_fork();
    const pid_t pid = fork();
    if (pid == 0) {
      exit_code_ = BecomeWorker(zygote, socket, out, err);
      return;
    }
    if (pid < 0) answer.error = ForkError("fork", errno).message;
    if (hooks_.after_fork_in_zygote != nullptr) hooks_.after_fork_in_zygote();
    answer.pid = pid;
    for (int descriptor : {socket, out, err}) close(descriptor);
    Send(std::move(answer));
  }

  int BecomeWorker(pid_t zygote, int socket, int out, int err) {
    // The daemon's death ends its zygotes, a zygote's death its workers.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != zygote) _exit(1);
    close(fd_);
    close(child_fd_);
    for (int descriptor : descriptors_) close(descriptor);
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    if (!forks_) Execute(socket);
    if (hooks_.after_fork_in_worker != nullptr) hooks_.after_fork_in_worker();
    return WorkerMain(socket, hooks_);
  }

  // In a child of a process with threads: system calls only.
  [[noreturn]] void Execute(int socket) {
    if (socket == kWorkerSocket) {
      fcntl(socket, F_SETFD, 0);
    } else {
      dup2(socket, kWorkerSocket);
      close(socket);
    }
    execve("/proc/self/exe", arguments_, environment_.data());
    _exit(127);
  }

  static constexpr int kWorkerSocket = 3;
  const int fd_;
  char** const arguments_;
  const manta_zygote_hooks hooks_;
  const bool forks_;
  std::string worker_variable_;
  std::vector<char*> environment_;  // of workers that start by exec
  int child_fd_ = -1;
  int exit_code_ = -1;
  sigset_t mask_before_;
  std::vector<int> descriptors_;
  contracts::FrameReader reader_;
};

}  // namespace

int ZygoteMain(int fd, char** arguments, const manta_zygote_hooks& hooks) { return Zygote(fd, arguments, hooks).Run(); }

int TakeDescriptor(const char* variable) {
  const char* const value = getenv(variable);
  if (value == nullptr) return -1;
  const int number = atoi(value);
  unsetenv(variable);
  return number;
}

int ExecutedWorkerMain(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  std::fprintf(stderr,
               "manta: static objects of this program start threads before main, so its workers start by exec, as slowly as the program "
               "does, and not by fork: start the threads at their first use\n");
  manta_zygote_hooks hooks{};
  hooks.children_in_place = 1;
  return WorkerMain(fd, hooks);
}

}  // namespace manta::worker
