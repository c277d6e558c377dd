// What is known of addresses of code in this process: function, source line, and place in a module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "stacks/source_lines.h"

namespace manta::stacks {

struct Frame {
  std::string symbol;    // mangled; "" if the module was stripped
  std::string function;  // the same for people
  std::string module;    // path; "" for code of no module
  uint64_t offset = 0;   // in the module, as addr2line wants it
  SourceLine source;

  bool operator==(const Frame& other) const { return symbol == other.symbol && offset == other.offset; }
};

// Remembers what it has found: the first error of a kind costs milliseconds, all further ones a look at a table.
class Symbolizer {
 public:
  static Symbolizer& OfThisProcess();

  // In the order of `addresses`, which point into the call instructions (return address minus one). Any thread.
  std::vector<Frame> Describe(std::span<const uintptr_t> addresses);
  // The name for people of the function that begins at `address`, or that it lies in; "" for none. Without a look at debugging
  // information, which stays open once it was needed.
  std::string FunctionAt(uintptr_t address);

 private:
  void Learn(std::span<const uintptr_t> addresses);

  std::mutex mutex_;
  std::unordered_map<uintptr_t, Frame> known_;
  std::unordered_map<uintptr_t, std::string> functions_;
  SourceLines lines_;
};

}  // namespace manta::stacks
