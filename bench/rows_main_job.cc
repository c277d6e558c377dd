// The main job: examples/code_search on the source of the Linux kernel.

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "helper_programs.h"
#include "rows.h"

namespace manta::bench {
namespace {

// "files           81,234": name and the rest of the line.
std::map<std::string, std::string> FiguresOf(const std::string& output) {
  std::map<std::string, std::string> figures;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const size_t space = line.find("  ");
    if (space == std::string::npos) continue;
    const size_t value = line.find_first_not_of(' ', space);
    if (value != std::string::npos) figures[line.substr(0, space)] = line.substr(value);
  }
  Require(figures.count("MB/s") != 0, "code_search printed no figures:\n" + output);
  return figures;
}

double SecondsOf(const std::map<std::string, std::string>& figures) {
  const auto seconds = figures.find("seconds");
  Require(seconds != figures.end(), "code_search printed no time");
  return std::strtod(seconds->second.c_str(), nullptr);
}

// What $MANTA_BENCH_SOURCE names, else the kernel's source where `./dev run` unpacks it.
std::string SourceDirectory() {
  if (const char* chosen = std::getenv("MANTA_BENCH_SOURCE"); chosen != nullptr) return chosen;
  return ProgramFolder() + "/../../linux-source";
}

void RunMainJob(RowContext& context) {
  const std::string program = ProgramFolder() + "/../examples/code_search";
  if (access(program.c_str(), X_OK) != 0) throw NotThereYet(program + " is not built");
  std::string source = SourceDirectory();
  if (access((source + "/Makefile").c_str(), R_OK) != 0) {
    throw NotThereYet("no source to index in " + source +
                      ": `./dev run` unpacks the kernel's, or set MANTA_BENCH_SOURCE");
  }
  if (context.quick() && access((source + "/fs").c_str(), R_OK) == 0) source += "/fs";

  const SessionFolder folder;
  std::vector<double> speed_ups;
  std::vector<double> plain_times;
  std::vector<double> build_times;
  std::map<std::string, std::string> figures;
  OutputOf(program, {"plain", source});  // brings the files into the page cache
  for (int round = 0; round < context.Pick(3, 2); ++round) {
    const auto plain = FiguresOf(OutputOf(program, {"plain", source}));
    const auto build = FiguresOf(OutputOf(program, {"build", source}));
    OutputOf(program, {"stop"});
    for (const char* name : {"files", "bytes", "words", "distinct words"}) {
      Require(plain.at(name) == build.at(name), std::string("the index is wrong: ") + name + " " +
                                                    build.at(name) + " instead of " +
                                                    plain.at(name));
    }
    figures = build;
    plain_times.push_back(SecondsOf(plain) * 1e9);
    build_times.push_back(SecondsOf(build) * 1e9);
    speed_ups.push_back(SecondsOf(plain) / SecondsOf(build));
  }
  context.Report(Metric{"speed-up", "times", Better::kHigher, speed_ups,
                        Target{"1.7 times the same functions in a plain loop", 1.7}});
  context.Report(Metric{"build", kNs, Better::kLower, build_times});
  context.Report(Metric{"plain", kNs, Better::kLower, plain_times});
  context.Note(source + ": " + figures["files"] + " files, " + figures["bytes"] + " bytes, " +
               figures["words"] + " words");
}

}  // namespace

std::vector<Row> MainJobRows() {
  return {
      {"main_job.code_search",
       "`code_search build` (starting its cluster is not in the time that it prints) beside "
       "`code_search plain`, files in the page cache; quick: fs/ only",
       RunMainJob, 600},
  };
}

}  // namespace manta::bench
