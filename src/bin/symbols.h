// Names of functions from the symbol table of the file that they were compiled into.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace manta::bin {

class Symbols {
 public:
  // `build_id` (hex, "" for none) is what the file has to have: another build has other functions at the same places.
  static Result<Symbols> Read(const std::string& path, const std::string& build_id);

  // The demangled name of the function that begins at this address, counted from where the file is loaded; "" for none.
  std::string NameAt(uint64_t offset) const;

 private:
  std::map<uint64_t, std::string> functions_;
};

// "Counter::Add" of "Counter::Add(int) const", "Twice<int>" of "int Twice<int>(int)".
std::string WithoutSignature(const std::string& demangled);

}  // namespace manta::bin
