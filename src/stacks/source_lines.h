// File and line of an address of this process, from the debug information of its modules.
#pragma once

#include <cstdint>
#include <string>

namespace manta::stacks {

struct SourceLine {
  std::string file;  // "" when it is not known
  int line = 0;
};

// Reads with libdw (of elfutils) if the machine has it; it is loaded at the first question, and nothing depends on it.
// Never asks the network (debuginfod). One thread at a time.
class SourceLines {
 public:
  SourceLines();
  ~SourceLines();
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;

  SourceLine Find(uintptr_t address);

 private:
  struct Library;
  bool Report();

  Library* library_ = nullptr;  // null: the machine has none
  void* modules_ = nullptr;     // a Dwfl
};

}  // namespace manta::stacks
