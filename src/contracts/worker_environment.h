// What a demand says of its worker beyond the job (SetDemand.environment, Welcome.environment): in which of the job's languages it runs,
// and the front-end's name for what is done to it before its first task.
#pragma once

#include <string>
#include <string_view>

namespace manta::contracts {

struct WorkerEnvironment {
  bool python = false;  // the job's program of another language is Python; false: the driver's own program
  std::string_view name;

  // Refers to `text`.
  static WorkerEnvironment OfText(std::string_view text) {
    return text.starts_with(kPython) ? WorkerEnvironment{true, text.substr(kPython.size())} : WorkerEnvironment{false, text};
  }
  std::string ToText() const { return std::string(python ? kPython : "").append(name); }

 private:
  static constexpr std::string_view kPython = "python\n";  // names of front-ends have no lines
};

}  // namespace manta::contracts
