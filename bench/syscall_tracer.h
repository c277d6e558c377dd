// Counts the system calls of other processes, by ptrace. A process that makes none runs at full
// speed meanwhile.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace manta::bench {

// All methods by one thread, which is the tracer. Processes and threads that traced ones start are
// traced, too.
class SyscallTracer {
 public:
  // Attaches to all threads of the processes: they run on, and every system call counts. RowFailed
  // when ptrace is not allowed.
  explicit SyscallTracer(const std::vector<pid_t>& processes);
  // Lets go of all that still live.
  ~SyscallTracer();
  SyscallTracer(const SyscallTracer&) = delete;
  SyscallTracer& operator=(const SyscallTracer&) = delete;

  // Serves the traced threads until `done` holds, which is looked at every few milliseconds.
  void RunUntil(const std::function<bool()>& done);

  // Counts by system call number since the last Reset, by process.
  using Counts = std::map<pid_t, std::map<uint64_t, uint64_t>>;
  const Counts& counts() const { return counts_; }
  void Reset() { counts_.clear(); }

 private:
  enum class Purpose { kCount, kDetach };
  void Attach(pid_t process, pid_t thread);
  void OnStop(pid_t thread, int status, Purpose purpose);

  std::map<pid_t, pid_t> process_of_thread_;
  Counts counts_;
};

// "futex", or "call 202" where the name is not known.
std::string SyscallName(uint64_t number);

}  // namespace manta::bench
