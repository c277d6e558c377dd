#include "tests/support/driver_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tests/support/waiting.h"

namespace manta_test {
namespace {

[[noreturn]] void RunDriver(const DriverProcess::Body& body, int to_parent) {
  try {
    body([to_parent](const std::string& line) {
      const std::string text = line + "\n";
      if (write(to_parent, text.data(), text.size()) < 0) std::perror("saying something to the test");
    });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "the driver %d has thrown: %s\n", getpid(), error.what());
    std::fflush(nullptr);
    _exit(1);
  }
  const bool failed = testing::Test::HasFailure();
  std::fflush(nullptr);
  _exit(failed ? 1 : 0);
}

}  // namespace

DriverProcess::DriverProcess(const Body& body, const std::string& output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
  std::fflush(nullptr);
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    close(ends[0]);
    if (!output.empty()) {
      const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      dup2(file, STDOUT_FILENO);
      dup2(file, STDERR_FILENO);
      close(file);
    }
    RunDriver(body, ends[1]);
  }
  close(ends[1]);
  from_child_ = ends[0];
}

DriverProcess::~DriverProcess() {
  if (!status_) {
    kill(pid_, SIGKILL);
    kill(pid_, SIGCONT);
    waitpid(pid_, nullptr, 0);
  }
  close(from_child_);
}

std::optional<std::string> DriverProcess::Hear(std::chrono::milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  for (;;) {
    if (const size_t end = heard_.find('\n'); end != std::string::npos) {
      std::string line = heard_.substr(0, end);
      heard_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd source{from_child_, POLLIN, 0};
    if (left.count() <= 0 || poll(&source, 1, static_cast<int>(left.count())) <= 0) return std::nullopt;
    char buffer[4096];
    const ssize_t size = read(from_child_, buffer, sizeof buffer);
    if (size <= 0) return std::nullopt;
    heard_.append(buffer, static_cast<size_t>(size));
  }
}

std::optional<int> DriverProcess::Wait(std::chrono::milliseconds within) {
  (void)Eventually(within, [this] {
    int status;
    if (!status_ && waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return status_.has_value();
  });
  return status_;
}

bool DriverProcess::Succeeds(std::chrono::milliseconds within) {
  const std::optional<int> status = Wait(within);
  return status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
}

}  // namespace manta_test
