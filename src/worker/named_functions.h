// C++ functions by the names under which their source has registered them, for callers in other languages.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "manta/manta_c.h"

namespace manta::worker {

// Filled by static constructors, also those of libraries that are loaded later; thread-safe.
class NamedFunctions {
 public:
  static NamedFunctions& OfThisProcess();

  // See manta_named_function_register.
  void Register(std::string_view names, uint32_t index, const manta_named_function& function);
  // See manta_named_function_find. Cost: a look at all names.
  Result<manta_named_function> Find(std::string_view name) const;

  // The parts of "Add, RAY_FUNC(Make, int), &Counter::Add", without spaces.
  static std::vector<std::string> Split(std::string_view names);
  // What a name says without `&` and the picked parameters: "Make", "Counter::Add".
  static std::string Plain(std::string_view name);

 private:
  struct Entry {
    std::string name;
    std::string plain;
    manta_named_function function;
  };

  mutable std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace manta::worker
