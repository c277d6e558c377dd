// A driver in a process of its own, for tests with several drivers and tests that kill one.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace manta_test {

class DriverProcess {
 public:
  // What the driver does; its output to the test goes through `say`, one line per call.
  using Say = std::function<void(const std::string& line)>;
  using Body = std::function<void(const Say& say)>;

  // Forks this process, which must not be connected to a cluster, and runs `body` there, then leaves. An exception that leaves
  // `body` is printed and ends the process with status 1, as a failed assertion does. With `output`, stdout and stderr of the
  // driver go into that file.
  explicit DriverProcess(const Body& body, const std::string& output = "");
  // Kills it if it runs.
  ~DriverProcess();
  DriverProcess(const DriverProcess&) = delete;
  DriverProcess& operator=(const DriverProcess&) = delete;

  pid_t pid() const { return pid_; }
  // The next line that the driver has said; nothing when it has ended or the time is up.
  std::optional<std::string> Hear(std::chrono::milliseconds within);
  void Signal(int signal) const { kill(pid_, signal); }
  // Its wait status when it has ended within the time.
  std::optional<int> Wait(std::chrono::milliseconds within);
  // It has ended by itself, without a failed assertion.
  bool Succeeds(std::chrono::milliseconds within);

 private:
  pid_t pid_ = 0;
  int from_child_ = -1;
  std::string heard_;
  std::optional<int> status_;
};

}  // namespace manta_test
