#include "base/result.h"

#include <cstring>

namespace manta {

Error ErrnoError(std::string what, int error_number) {
  return MakeError(MANTA_ERROR_SYSTEM, std::move(what) + ": " + std::strerror(error_number));
}

}  // namespace manta
