// Log files of workers, and the ends of log files, for messages about their writers' deaths.
#pragma once

#include <cstddef>
#include <string>

namespace manta::node {

// At most `max_bytes` and `max_lines`, whole lines where possible, without the last newline. Empty if it cannot be read.
std::string ReadLogTail(const std::string& path, size_t max_bytes = 2048, size_t max_lines = 20);

// Where what is too much for one log goes, number 1 the newest.
inline constexpr int kOldLogs = 2;
inline std::string OldLog(const std::string& path, int number) { return path + "." + std::to_string(number); }

// Where a worker's standard output and standard error go.
struct WorkerLog {
  std::string base;  // both paths but for their ends

  std::string out() const { return base + ".out"; }
  std::string err() const { return base + ".err"; }
  // For messages.
  std::string name() const { return base + ".{out,err}"; }
  // The ends of both, each under its name if there is something in the other one, too.
  std::string Tail() const;
};

}  // namespace manta::node
