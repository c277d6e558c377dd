#include "helper_programs.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace manta::bench {
namespace {

pid_t Start(const std::string& program, std::vector<std::string> arguments,
            const Environment& environment, int kept_fd, int output = -1) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  Require(pid >= 0, "fork failed");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  if (kept_fd >= 0) fcntl(kept_fd, F_SETFD, 0);
  if (output >= 0) dup2(output, STDOUT_FILENO);
  for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  dprintf(STDERR_FILENO, "bench: cannot execute %s: %s\n", program.c_str(), strerror(errno));
  _exit(127);
}

}  // namespace

void AwaitProgram(pid_t pid, const std::string& what) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) Require(errno == EINTR, "waitpid failed");
  if (WIFSIGNALED(status))
    throw RowFailed(what + " was killed by signal " + std::to_string(WTERMSIG(status)));
  Require(WEXITSTATUS(status) == 0,
          what + " exited with code " + std::to_string(WEXITSTATUS(status)));
}

std::string ThisProgram() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  Require(length > 0, "/proc/self/exe cannot be read");
  return std::string(path, static_cast<size_t>(length));
}

std::string ProgramFolder() {
  const std::string program = ThisProgram();
  return program.substr(0, program.rfind('/'));
}

void RunHelperProgram(const std::string& name, RowContext& context) {
  const std::string program = ProgramFolder() + "/" + name;
  if (access(program.c_str(), X_OK) != 0)
    throw NotThereYet(name + " was not built: its library is missing");
  std::vector<std::string> arguments = {std::to_string(context.result_fd())};
  if (context.quick()) arguments.push_back("--quick");
  AwaitProgram(Start(program, std::move(arguments), {}, context.result_fd()), name);
}

pid_t StartRole(const std::string& role, const std::vector<std::string>& arguments,
                const Environment& environment) {
  std::vector<std::string> all = {"--role", role};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return Start(ThisProgram(), std::move(all), environment, -1);
}

std::string MantaProgram() {
  const char* chosen = std::getenv("MANTA_EXECUTABLE");
  return chosen != nullptr ? chosen : ProgramFolder() + "/../bin/manta";
}

pid_t StartManta(const std::vector<std::string>& arguments) {
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t pid = Start(MantaProgram(), arguments, {}, -1, nowhere);
  close(nowhere);
  return pid;
}

std::string OutputOf(const std::string& program, const std::vector<std::string>& arguments) {
  // A file, not a pipe: what the program leaves running must not keep anybody waiting.
  const int file = memfd_create("output", MFD_CLOEXEC);
  Require(file >= 0, "no memory for a program's output");
  AwaitProgram(Start(program, arguments, {}, -1, file), program);
  std::string output;
  char buffer[4096];
  for (ssize_t count;
       (count = pread(file, buffer, sizeof buffer, static_cast<off_t>(output.size()))) > 0;) {
    output.append(buffer, static_cast<size_t>(count));
  }
  close(file);
  return output;
}

SessionFolder::SessionFolder() {
  Require(mkdtemp(path_) != nullptr, "no temporary folder");
  setenv("MANTA_TMPDIR", path_, 1);
}
SessionFolder::~SessionFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void AwaitRole(pid_t pid, const std::string& role) {
  AwaitProgram(pid, "the process '" + role + "'");
}

}  // namespace manta::bench
