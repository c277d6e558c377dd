// Readable names of functions from the file that they were compiled into.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace manta::bin {

// For each of `addresses` (counted from where the file is loaded) the demangled name of the function there; "" for none. Error
// when the file cannot be read, or has another build id (hex, "" for none): another build has other functions at the same places.
Result<std::vector<std::string>> FunctionsOfModule(const std::string& path, const std::string& build_id,
                                                   std::span<const uint64_t> addresses);

}  // namespace manta::bin
