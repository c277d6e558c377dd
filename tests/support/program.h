// Running a program as a user does, and looking at what it says.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace manta_test {

struct ProgramResult {
  int status = -1;  // the exit status; 128 + the signal that ended it
  std::string out;
  std::string err;
};

// A running program, in this process's environment. Ended when this is destroyed.
class Program {
 public:
  // `in_child` runs before the program is executed.
  explicit Program(const std::vector<std::string>& command,
                   const std::function<void()>& in_child = nullptr);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Signal(int signal) const;
  // What it has written to stdout so far.
  std::string Out() const;
  // Until it ends. Once only; afterwards nothing of it is left.
  ProgramResult Wait();

 private:
  void CloseOutput();

  int pid_ = -1;
  int out_ = -1;
  int err_ = -1;
};

inline ProgramResult RunProgram(const std::vector<std::string>& command,
                                const std::function<void()>& in_child = nullptr) {
  return Program(command, in_child).Wait();
}

// The path of a program in examples/, beside the `manta` that the tests use.
std::string ExamplePath(const std::string& name);

}  // namespace manta_test
