// How workers that run Python start, for programs of other languages.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace manta::worker {

// Program and arguments; empty when there is no such program. `python`: a path, a name in $PATH, or nullptr: $MANTA_PYTHON, else python3.
// `path`: where it looks for modules and C++ libraries first. Cost: a look into each folder of $PATH.
std::vector<std::string> PythonProgram(const char* python, const std::vector<std::string>& path);

// As absolute paths. Error INVALID_ARGUMENT for one that is not there.
Result<std::vector<std::string>> CodeSearchPath(std::span<const char* const> path);

}  // namespace manta::worker
