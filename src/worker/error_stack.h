// The stack that travels with the error of a task.
#pragma once

#include <string>
#include <string_view>

#include "stacks/throw_stack.h"

namespace manta::worker {

// Says where the exception was thrown in this process; if `passed` is not empty, it is the stack with which the error came
// from another task, and this process lets it pass.
std::string StackText(const stacks::ThrowStack& thrown, std::string_view passed);

}  // namespace manta::worker
