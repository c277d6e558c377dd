// Explores one world of references: check_references [name=number ...] Names: processes, tasks,
// results, puts, nested, gets, carries, crashes, in_order, max_states; crash=N names a process that may
// crash (all of them when none is named).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "testing/model_checker/explorer.h"
#include "testing/model_checker/reference_world.h"

namespace manta::model_checker {
namespace {

int Main(int argc, char** argv) {
  ReferenceWorldOptions options;
  uint64_t max_states = 5'000'000;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "%s: expected name=number\n", argv[i]);
      return 2;
    }
    const std::string name = argument.substr(0, equals);
    const uint32_t value = static_cast<uint32_t>(std::strtoul(argv[i] + equals + 1, nullptr, 10));
    const std::map<std::string, uint32_t*> numbers = {{"processes", &options.processes},
                                                      {"tasks", &options.tasks},
                                                      {"puts", &options.worker_puts},
                                                      {"gets", &options.gets},
                                                      {"carries", &options.carries},
                                                      {"crashes", &options.crashes}};
    const std::map<std::string, bool*> flags = {{"results", &options.results},
                                                {"nested", &options.nested},
                                                {"in_order", &options.in_order}};
    if (const auto number = numbers.find(name); number != numbers.end()) {
      *number->second = value;
    } else if (const auto flag = flags.find(name); flag != flags.end()) {
      *flag->second = value != 0;
    } else if (name == "crash") {
      options.may_crash.insert(value);
    } else if (name == "max_states") {
      max_states = value;
    } else {
      std::fprintf(stderr, "%s: unknown\n", name.c_str());
      return 2;
    }
  }
  if (options.may_crash.empty()) {
    for (uint32_t i = 1; i <= options.processes; ++i) options.may_crash.insert(i);
  }
  const auto start = std::chrono::steady_clock::now();
  const ExplorerResult result = Explorer<ReferenceWorld>(max_states).Run(ReferenceWorld(options));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%s, %.1f s\n", result.ToString().c_str(), took.count());
  return result.ok() ? 0 : 1;
}

}  // namespace
}  // namespace manta::model_checker

int main(int argc, char** argv) { return manta::model_checker::Main(argc, argv); }
