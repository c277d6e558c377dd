// How people call the functions that recordings mention by key.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "contracts/recorder_files.h"

namespace manta::bin {

class FunctionNames {
 public:
  // Reads the symbol tables of the modules that the names lie in; where one is gone or built anew, types have to do.
  explicit FunctionNames(const contracts::RecorderNames& names);

  struct Name {
    std::string shown;      // "Counter::Add"
    std::string signature;  // "Counter::Add(int)"
  };
  // Of two functions with one key both; of an unknown one its key.
  Name Of(uint32_t key) const;

 private:
  std::map<uint32_t, Name> names_;
};

}  // namespace manta::bin
