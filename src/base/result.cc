#include "base/result.h"

#include <cerrno>
#include <cstring>

#include "base/remedies.h"

namespace manta {

Error ErrnoError(std::string what, int error_number) {
  std::string message = std::move(what) + ": " + std::strerror(error_number);
  if (error_number == EMFILE) message += std::string("; ") + kRaiseFiles;
  return MakeError(MANTA_ERROR_SYSTEM, std::move(message));
}

}  // namespace manta
