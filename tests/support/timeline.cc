#include "tests/support/timeline.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace manta_test {

ProgramResult RunManta(std::vector<std::string> arguments) {
  const char* executable = std::getenv("MANTA_EXECUTABLE");
  arguments.insert(arguments.begin(), executable != nullptr ? executable : "manta");
  return RunProgram(arguments);
}

Timeline::Timeline(const std::string& session) {
  const ProgramResult result = RunManta({"timeline", "--address", session, "--output", "-"});
  EXPECT_EQ(result.status, 0) << result.err;
  json_ = nlohmann::json::parse(result.out, nullptr, false);
  EXPECT_TRUE(json_.is_object() && json_["traceEvents"].is_array()) << result.out.substr(0, 1000);
}

std::vector<nlohmann::json> Timeline::Named(const std::string& name) const {
  std::vector<nlohmann::json> found;
  for (const nlohmann::json& event : json_["traceEvents"]) {
    if (event["name"] == name) found.push_back(event);
  }
  return found;
}

std::string Timeline::ProcessName(int pid) const {
  for (const nlohmann::json& event : Named("process_name")) {
    if (event["pid"] == pid) return event["args"]["name"].get<std::string>();
  }
  return "";
}

}  // namespace manta_test
