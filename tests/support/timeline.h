// `manta timeline` of a test's cluster, parsed.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/program.h"

namespace manta_test {

class Timeline {
 public:
  // Runs the command for that session (its name or directory), which has to succeed.
  explicit Timeline(const std::string& session);

  // Those of a name, in the order of the file.
  std::vector<nlohmann::json> Named(const std::string& name) const;
  // "worker 3: Counter"; "" for a process that is not there.
  std::string ProcessName(int pid) const;
  const nlohmann::json& json() const { return json_; }

 private:
  nlohmann::json json_;
};

ProgramResult RunManta(std::vector<std::string> arguments);

inline double BeginOf(const nlohmann::json& slice) { return slice["ts"].get<double>(); }
inline double EndOf(const nlohmann::json& slice) { return BeginOf(slice) + slice["dur"].get<double>(); }
// In the same row, and not outside of it. Sums of decimal fractions are off by less than a nanosecond.
inline bool Contains(const nlohmann::json& outer, const nlohmann::json& inner) {
  constexpr double kRounding = 1e-3;
  return outer["pid"] == inner["pid"] && outer["tid"] == inner["tid"] && BeginOf(outer) <= BeginOf(inner) + kRounding &&
         EndOf(inner) <= EndOf(outer) + kRounding;
}

}  // namespace manta_test
