#include "node/zygote_launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "base/remedies.h"

namespace manta::node {
namespace {

// In the child only system calls are safe.
[[noreturn]] void Fail(int status, const char* what, const char* path) {
  const int error = errno;
  const char* parts[] = {"manta: ", what, " ", path, ": ", strerrordesc_np(error), "\n"};
  for (const char* part : parts) {
    if (part != nullptr && write(2, part, strlen(part)) < 0) break;
  }
  _exit(status);
}

// As pointers, which exec wants.
std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void MoveDescriptor(int from, int to) {
  if (from == to) {
    fcntl(to, F_SETFD, 0);
  } else {
    dup2(from, to);
  }
}

void CloseFrom(unsigned first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0u, 0) == 0) return;
#endif
  for (int fd = static_cast<int>(first); fd < 65536; ++fd) close(fd);
}

}  // namespace

Result<pid_t> LaunchZygote(const Program& program, int socket, int log, uint64_t file_limit) {
  std::vector<std::string> arguments = program.arguments;
  if (arguments.empty()) arguments.push_back(program.path);
  std::vector<std::string> environment;
  for (const std::string& entry : program.environment) {
    if (!entry.starts_with("MANTA_ZYGOTE_FD=")) environment.push_back(entry);
  }
  environment.push_back("MANTA_ZYGOTE_FD=" + std::to_string(kZygoteSocket));
  const std::vector<char*> argv = Pointers(arguments);
  const std::vector<char*> envp = Pointers(environment);
  const char* directory = program.working_directory.c_str();

  // A signal for the daemon that arrives in the child before exec must not reach the daemon's handlers there.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) {
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return ForkError("fork", error);
    return pid;
  }

  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // the daemon died before the line above
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  pthread_sigmask(SIG_SETMASK, &none, nullptr);

  // Above what is about to be overwritten.
  const int high_socket = fcntl(socket, F_DUPFD_CLOEXEC, 10);
  const int high_log = fcntl(log, F_DUPFD_CLOEXEC, 10);
  if (high_socket < 0 || high_log < 0) {
    const int error = errno;
    dup2(log, 2);
    errno = error;
    Fail(126, "too few open files are allowed (raise ulimit -n) to start", program.path.c_str());
  }
  socket = high_socket;
  log = high_log;
  MoveDescriptor(open("/dev/null", O_RDONLY), 0);
  MoveDescriptor(log, 1);
  MoveDescriptor(log, 2);
  MoveDescriptor(socket, kZygoteSocket);
  CloseFrom(kZygoteSocket + 1);

  // The daemon has raised its own.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = file_limit < files.rlim_max ? file_limit : files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // When memory runs out, workers go before the daemon and the driver.
  const int score = open("/proc/self/oom_score_adj", O_WRONLY);
  if (score >= 0) {
    if (write(score, "1000", 4) < 0) errno = 0;
    close(score);
  }
  if (*directory != '\0' && chdir(directory) != 0) Fail(126, "cannot enter the directory", directory);
  execve(program.path.c_str(), argv.data(), envp.data());
  Fail(127, "cannot execute", program.path.c_str());
}

}  // namespace manta::node
