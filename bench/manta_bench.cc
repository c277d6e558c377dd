// The benchmark: see README.md in this folder.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <string>

#include "harness.h"
#include "helper_programs.h"
#include "machine.h"
#include "report.h"
#include "roles.h"
#include "rows.h"
#include "runner.h"

namespace manta::bench {
namespace {

constexpr const char* kUsage =
    "usage: manta_bench [--json FILE] [--rows REGEX] [--quick] [--list]\n"
    "  --json FILE   write all figures to FILE\n"
    "  --rows REGEX  only rows whose name matches (and the yardsticks that they need)\n"
    "  --quick       few and short rounds: rough figures in about a minute\n"
    "  --list        print the rows and what they measure\n";

std::vector<Row> AllRows() {
  std::vector<Row> all;
  for (auto* rows : {RawRows, TaskRows, CostRows, ActorRows, DriverRows, ObjectRows, ManyRows,
                     FibonacciRows, StartRows, MainJobRows, TwoNodesRows}) {
    for (Row& row : rows()) all.push_back(std::move(row));
  }
  return all;
}

struct CommandLine {
  Options options;
  std::string json_file;
  std::string rows = "";
  bool list = false;
  bool help = false;
  std::string run_row;  // set in a row's process
  int result_fd = -1;
};

bool Parse(int argc, char** argv, CommandLine* line) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&]() -> const char* { return ++i < argc ? argv[i] : nullptr; };
    const auto take = [&](std::string* to) {
      const char* text = value();
      if (text != nullptr) *to = text;
      return text != nullptr;
    };
    std::string fd;
    if (argument == "--quick") {
      line->options.quick = true;
    } else if (argument == "--list") {
      line->list = true;
    } else if (argument == "--help" || argument == "-h") {
      line->help = true;
    } else if (argument == "--json") {
      if (!take(&line->json_file)) return false;
    } else if (argument == "--rows") {
      if (!take(&line->rows)) return false;
    } else if (argument == "--run-row") {
      if (!take(&line->run_row)) return false;
    } else if (argument == "--result-fd") {
      if (!take(&fd)) return false;
      line->result_fd = std::atoi(fd.c_str());
    } else {
      return false;
    }
  }
  return true;
}

// The rows that match, and what they need, in order.
std::vector<Row> Select(const std::vector<Row>& all, const std::string& pattern) {
  const std::regex wanted(pattern);
  std::set<std::string> names;
  for (const Row& row : all) {
    if (!pattern.empty() && !std::regex_search(row.name, wanted)) continue;
    names.insert(row.name);
    names.insert(row.yardsticks.begin(), row.yardsticks.end());
  }
  // Yardsticks may have yardsticks.
  for (size_t before = 0; before != names.size();) {
    before = names.size();
    for (const Row& row : all) {
      if (names.count(row.name) != 0) names.insert(row.yardsticks.begin(), row.yardsticks.end());
    }
  }
  std::vector<Row> selected;
  for (const Row& row : all) {
    if (names.count(row.name) != 0) selected.push_back(row);
  }
  return selected;
}

int RunAll(const CommandLine& line) {
  std::vector<Row> rows;
  try {
    rows = Select(AllRows(), line.rows);
  } catch (const std::regex_error& error) {
    std::fprintf(stderr, "manta_bench: --rows: %s\n", error.what());
    return 2;
  }
  if (line.list) {
    for (const Row& row : rows) std::printf("%-28s %s\n", row.name.c_str(), row.what.c_str());
    return 0;
  }
  if (rows.empty()) {
    std::fprintf(stderr, "manta_bench: no row's name matches '%s'; --list shows them\n", line.rows.c_str());
    return 2;
  }
  BecomeReaper();
  Report report(DescribeMachine(line.options.quick));
  report.PrintHeader();
  for (const Row& row : rows) report.Add(RunRow(row, line.options));
  report.PrintSummary();
  const int exit_code = report.HasFailed() ? 1 : 0;
  if (line.json_file.empty()) return exit_code;
  std::ofstream file(line.json_file);
  file << report.ToJson().dump(2) << "\n";
  file.close();
  if (file) return exit_code;
  std::fprintf(stderr, "manta_bench: cannot write %s\n", line.json_file.c_str());
  return 1;
}

int RunOne(const CommandLine& line) {
  for (const Row& row : AllRows()) {
    if (row.name == line.run_row) return RunRowHere(row, line.options, line.result_fd);
  }
  return 2;
}

}  // namespace
}  // namespace manta::bench

int main(int argc, char** argv) {
  using namespace manta::bench;
  if (argc >= 3 && std::strcmp(argv[1], "--role") == 0) {
    return RunRole(argv[2], std::vector<std::string>(argv + 3, argv + argc));
  }
  CommandLine line;
  if (!Parse(argc, argv, &line)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (line.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  return line.run_row.empty() ? RunAll(line) : RunOne(line);
}
