// The benchmark's own programs, and further runs of this one as another process of a row.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "harness.h"

namespace manta::bench {

// The path of this executable, and its folder.
std::string ThisProgram();
std::string ProgramFolder();

// Runs a program beside this one as the whole of a row: it reports to the same place.
void RunHelperProgram(const std::string& name, RowContext& context);

// A role is what this executable does instead of running the benchmark when started as `manta_bench
// --role NAME ARGUMENT...`.
using Role = int (*)(const std::vector<std::string>& arguments);

// Environment variables to set in addition.
using Environment = std::vector<std::pair<std::string, std::string>>;

// Starts this executable in a role. The child dies with the caller.
pid_t StartRole(const std::string& role, const std::vector<std::string>& arguments,
                const Environment& environment = {});
// Where the `manta` command of this build (or of $MANTA_EXECUTABLE) is.
std::string MantaProgram();
// Runs a program and returns what it printed. RowFailed unless it ends with exit code 0.
std::string OutputOf(const std::string& program, const std::vector<std::string>& arguments);

// A place for session directories in which there are no other clusters; removed at the end.
class SessionFolder {
 public:
  SessionFolder();
  ~SessionFolder();
  SessionFolder(const SessionFolder&) = delete;
  SessionFolder& operator=(const SessionFolder&) = delete;

 private:
  char path_[32] = "/tmp/manta-bench-XXXXXX";
};

// Starts the `manta` command of this build (or of $MANTA_EXECUTABLE), its output thrown away.
pid_t StartManta(const std::vector<std::string>& arguments);
// Waits for a process that was started here. RowFailed unless it ends with exit code 0.
void AwaitProgram(pid_t pid, const std::string& what);
// Waits for it. RowFailed unless it ends with exit code 0.
void AwaitRole(pid_t pid, const std::string& role);

}  // namespace manta::bench
