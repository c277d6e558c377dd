// Names of functions as people say them.
#pragma once

#include <string>

namespace manta::stacks {

// What a type's or function's symbol says to people; what cannot be demangled comes back as it is.
std::string Demangled(const std::string& symbol);

// "Counter::Add" of "Counter::Add(int) const", "Twice<int>" of "int Twice<int>(int)".
std::string WithoutSignature(const std::string& demangled);

}  // namespace manta::stacks
