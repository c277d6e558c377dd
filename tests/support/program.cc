#include "tests/support/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace manta_test {
namespace {

// An open file without a name, in /tmp: shared memory would count as Manta's.
int NewFile() {
  char name[] = "/tmp/manta-test-output-XXXXXX";
  const int file = mkostemp(name, O_CLOEXEC);
  if (file < 0) std::abort();
  unlink(name);
  return file;
}

std::string ReadAll(int file) {
  std::string text;
  char buffer[65536];
  for (ssize_t size; (size = pread(file, buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  return text;
}

}  // namespace

Program::Program(const std::vector<std::string>& command, const std::function<void()>& in_child)
    : out_(NewFile()), err_(NewFile()) {
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  alarm(0);
  dup2(out_, STDOUT_FILENO);
  dup2(err_, STDERR_FILENO);
  if (in_child) in_child();
  execv(argv[0], argv.data());
  std::perror(argv[0]);
  _exit(127);
}

Program::~Program() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  CloseOutput();
}

void Program::CloseOutput() {
  if (out_ >= 0) close(out_);
  if (err_ >= 0) close(err_);
  out_ = err_ = -1;
}

void Program::Signal(int signal) const {
  if (pid_ > 0) kill(pid_, signal);
}

std::string Program::Out() const { return ReadAll(out_); }

ProgramResult Program::Wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  ProgramResult result;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = ReadAll(out_);
  result.err = ReadAll(err_);
  CloseOutput();
  return result;
}

std::string ExamplePath(const std::string& name) {
  const char* executable = std::getenv("MANTA_EXECUTABLE");
  std::string folder = executable != nullptr ? executable : "build/release/bin/manta";
  folder.resize(folder.rfind('/'));
  return folder + "/../examples/" + name;
}

}  // namespace manta_test
