// What came out of the rows: comparison with targets and yardsticks, a table for people, JSON for
// programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness.h"

namespace manta::bench {

struct Spread {
  double min = 0;
  double median = 0;
  double max = 0;
};
Spread SpreadOf(std::vector<double> values);

enum class RowState { kOk, kFailed, kNotThereYet };

struct RowResult {
  std::string name;
  std::string what;
  RowState state = RowState::kFailed;
  std::string message;  // why it is not kOk
  std::vector<Metric> metrics;
  std::vector<std::string> notes;
  std::vector<std::string> placements;
  double seconds = 0;
  // Share of the machine's CPU time that went to processes outside of the row.
  double others_share = 0;
  // What a cache line took to another core and back (CacheLineRoundTripNs) before the row and after
  // it; 0: not known.
  double crossing_before_ns = 0;
  double crossing_after_ns = 0;
};

// Parses a line that a RowContext sent and adds what it says.
void AddLine(const std::string& line, RowResult* row);

class Report {
 public:
  explicit Report(nlohmann::json machine) : machine_(std::move(machine)) {}

  void PrintHeader() const;
  // Prints the row beside the yardsticks that are in the report already.
  void Add(RowResult row);
  void PrintSummary() const;
  bool HasFailed() const;
  nlohmann::json ToJson() const;

 private:
  struct Verdict {
    double wanted = 0;
    bool known = false;  // false: its yardstick has no figure in this run
    bool met = false;
  };

  const Metric* Find(const std::string& row_and_metric) const;
  Verdict Judge(const Metric& metric) const;
  std::string Line(const Metric& metric) const;

  nlohmann::json machine_;
  std::vector<RowResult> rows_;
};

// "7.93 M/s", "312 ns", "52.1 MiB".
std::string Format(double value, const std::string& unit);

}  // namespace manta::bench
