// The command line of `manta`: what is parsed, without what the verbs do. Input: the arguments, each ended by a zero byte.
#include "bin/command_line.h"

#include <iostream>

#include "tests/fuzz/fuzz_target.h"

// The verbs: what they are given is in order.
namespace manta::bin {

using fuzz::Require;

int RunNode(const NodeOptions& options) {
  Require(options.object_wait_ms >= 0, "--object-wait-ms is not negative");
  return 0;
}
int RunStart(const StartOptions& options) { return RunNode(options.node); }
int RunStop(const StopOptions&) { return 0; }
int RunStatus(const ClusterChoice&) { return 0; }
int RunList(const ListOptions& options) {
  Require(!options.what.empty() && options.what.size() <= 9, "what is listed is something that there is");
  return 0;
}

}  // namespace manta::bin

namespace manta::fuzz {
namespace {

std::string Line(std::initializer_list<const char*> arguments) {
  std::string line;
  for (const char* argument : arguments) line.append(argument).push_back('\0');
  return line;
}

}  // namespace

std::vector<std::string> Seeds() {
  return {Line({"node", "--driver-fd", "3", "--resource", "disk=2", "--num-cpus=1.5", "--num-gpus", "0"}),
          Line({"start", "--head", "--resources", "{\"disk\": 2}", "--block", "--json", "--memory", "1000000"}),
          Line({"start", "--address", "x", "--object-store-memory", "67108864", "--object-wait-ms", "5"}),
          Line({"stop", "--session", "session_1", "--all"}),
          Line({"status", "--json"}),
          Line({"list", "tasks", "--address=x"}),
          Line({"start", "--head", "--object-wait-ms=-5"}),
          Line({"list", "--help"}),
          Line({"--version"}),
          Line({})};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // What it prints is of no interest here.
  [[maybe_unused]] static const bool quiet = [] {
    for (std::ostream* stream : {&std::cout, &std::cerr}) stream->setstate(std::ios::badbit);
    return true;
  }();
  const std::string line(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> arguments = {"manta"};
  for (size_t at = 0; at < line.size();) {
    arguments.emplace_back(line.c_str() + at);
    at += arguments.back().size() + 1;
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  manta::bin::RunCommandLine(static_cast<int>(arguments.size()), argv.data());
  return 0;
}
