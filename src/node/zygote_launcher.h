// Starts the process that workers are forked from: the driver's own program, told by its environment not to run main.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace manta::node {

// What a driver's workers run. Two drivers with equal programs share a zygote.
struct Program {
  std::string path;
  std::string build_id;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
  std::string working_directory;
  std::vector<std::string> python;  // program and arguments of workers that run Python; empty: there is none

  // What starts those workers. Not if `python` is empty.
  Program ForPython() const { return {python.front(), "", python, environment, working_directory, {}}; }

  bool operator==(const Program&) const = default;
};

inline constexpr int kZygoteSocket = 3;

// Runs `program` with `socket` as descriptor 3, MANTA_ZYGOTE_FD=3, output into `log` and nothing else open. It dies with the
// calling thread. `file_limit`: how many files it may open. What goes wrong between fork and exec shows as exit status 126 or 127 with a line in the log.
Result<pid_t> LaunchZygote(const Program& program, int socket, int log, uint64_t file_limit);

}  // namespace manta::node
