// A search engine for source code: an inverted index of all words of a directory, built in parallel,
// kept in the memory of a cluster, and asked by other processes. docs/howto/code-search.md explains
// how it works.
#include <manta/manta.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "commands.h"
#include "report.h"

namespace {

constexpr const char* kUsage =
    "usage: code_search build [--shards N] [DIR]   index all files below DIR (default: .)\n"
    "       code_search query WORD...              how often, in how many files, the best files\n"
    "       code_search stop                       forget the index, end the cluster that build started\n"
    "       code_search plain [--shards N] [DIR]   the same index in a plain loop, to compare\n"
    "\n"
    "A word is a run of letters, digits and underscores. build and query use the cluster that runs on\n"
    "this machine (or that MANTA_ADDRESS names); build starts one if none runs.\n";

int Run(const std::string& command, std::vector<std::string> arguments) {
  unsigned shards = 0;
  if (arguments.size() >= 2 && arguments[0] == "--shards") {
    shards = static_cast<unsigned>(std::atoi(arguments[1].c_str()));
    if (shards < 1 || shards > 255) throw code_search::UserError("--shards: from 1 to 255");
    arguments.erase(arguments.begin(), arguments.begin() + 2);
  }
  const std::string directory = arguments.empty() ? "." : arguments[0];
  if (command == "build" && arguments.size() <= 1) return code_search::RunBuild(directory, shards);
  if (command == "plain" && arguments.size() <= 1) return code_search::RunPlain(directory, shards);
  if (command == "query" && !arguments.empty()) return code_search::RunQuery(arguments);
  if (command == "stop" && arguments.empty()) return code_search::RunStop();
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc > 1 ? argv[1] : "", std::vector<std::string>(argv + (argc > 1 ? 2 : 1), argv + argc));
  } catch (const code_search::UserError& error) {
    std::fprintf(stderr, "code_search: %s\n", error.what());
  } catch (const manta::NodeDiedError& error) {
    std::fprintf(stderr, "code_search: the cluster has ended: %s\n", error.what());
  } catch (const manta::Error& error) {
    std::fprintf(stderr, "code_search: %s\n", error.what());
  }
  return 1;
}
