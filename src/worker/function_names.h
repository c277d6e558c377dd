// What people call the functions of this program.
#pragma once

#include <string>

#include "manta/manta_c.h"
#include "worker/records.h"

namespace manta::worker {

// "Square", "Counter::Add": from the symbols of this process. `type` (may be nullptr) stands for what has no symbol: lambdas, function
// objects, constructors, stripped programs. The first look at a function reads files, which takes milliseconds. Any thread.
std::string NameOfFunction(const manta_function_id& id, const char* type);

// The name that it was given (SetName), else its function's.
std::string NameOfTask(const TaskRecord& task);

}  // namespace manta::worker
