// JSON arrays of objects as a table for people.
#pragma once

#include <string>

namespace manta::bin {

// One row per object, one column per key, in order of appearance. Text that is no such array is returned as it is.
std::string TableOf(const std::string& json);

}  // namespace manta::bin
