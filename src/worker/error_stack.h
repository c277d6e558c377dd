// The stack that travels with the error of a task.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "stacks/throw_stack.h"

namespace manta::worker {

// Says where the exception was thrown in this process; if `passed` is not empty, it is the stack with which the error came
// from another task, and this process lets it pass.
std::string StackText(const stacks::ThrowStack& thrown, std::string_view passed);

// "type: message", and the stack below it, of what a constructor threw.
std::string Account(const Error& error);

}  // namespace manta::worker
