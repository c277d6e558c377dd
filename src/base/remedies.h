// What helps when the system refuses something, as the ends of messages.
#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include "base/result.h"

namespace manta {

inline constexpr const char* kRaiseFiles = "raise the limit of open files (ulimit -n)";
inline constexpr const char* kRaiseProcesses =
    "raise the limit of processes and threads (ulimit -u; in a container also pids.max)";

inline Error ForkError(std::string what, int error_number) {
  Error error = ErrnoError(std::move(what), error_number);
  if (error_number == EAGAIN) error.message += std::string("; ") + kRaiseProcesses;
  return error;
}

}  // namespace manta
