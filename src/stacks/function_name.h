// Names of functions as people say them.
#pragma once

#include <string>

namespace manta::stacks {

// "Counter::Add" of "Counter::Add(int) const", "Twice<int>" of "int Twice<int>(int)".
std::string WithoutSignature(const std::string& demangled);

}  // namespace manta::stacks
