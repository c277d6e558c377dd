// What of its workers' output a driver gets to see: whole lines, repeated ones once, and no flood. Pure; one per job.
//
//  - A line that several processes write within five seconds (numbers in it do not count) is shown once, and afterwards how often it
//    came. One process may repeat itself. While there are more than 10,000 different ones, the rest is shown each time.
//  - A line that begins with kProgressMark, which is not shown, is no repetition: bars of several processes look alike.
//  - A process that writes more than its allowance is cut short; the driver is told how much it did not see.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"

namespace manta::node {

// What a process writes to one of its two standard streams.
struct LogSource {
  ProcessId process;
  bool is_stderr = false;
  // For people, no part of its identity: what it was called when it wrote.
  int pid = 0;
  std::string name = {};

  bool operator==(const LogSource& other) const { return (*this <=> other) == 0; }
  std::strong_ordering operator<=>(const LogSource& other) const {
    return std::pair(process, is_stderr) <=> std::pair(other.process, other.is_stderr);
  }
};

constexpr char kProgressMark = '\x1e';  // manta/experimental/tqdm_ray.py writes it

class LogForwarder {
 public:
  struct Options {
    bool deduplicate = true;
    int64_t window = 5'000'000'000;    // nanoseconds
    uint32_t lines_per_second = 2'000; // per process, on average
    uint32_t burst = 10'000;
    size_t longest_line = 16 << 10;    // longer ones are cut into pieces
  };
  struct Output {
    LogSource source;
    std::string lines;  // each with its newline
  };

  explicit LogForwarder(const Options& options) : options_(options) {}

  // The next bytes of a process's output; returns the lines to show now, perhaps none.
  std::string Add(int64_t now, const LogSource& source, std::string_view bytes);
  // Bytes that the caller did not read because there were too many.
  void Skipped(int64_t now, const LogSource& source, uint64_t bytes);
  // It has ended: what remains of it.
  std::string Finish(int64_t now, const LogSource& source);

  // Summaries that are due. Call at the latest at NextDeadline().
  std::vector<Output> Expire(int64_t now);
  // The driver leaves: what it has not been told yet, unfinished lines included.
  std::vector<Output> FinishAll(int64_t now);
  int64_t NextDeadline() const;  // INT64_MAX: none

 private:
  struct Stream {
    std::string partial;  // a line without its end
    double tokens = 0;
    int64_t refilled = 0;
    uint64_t suppressed_lines = 0;
    uint64_t skipped_bytes = 0;
    int64_t suppressed_since = 0;
  };
  struct Recent {
    int64_t first = 0;
    std::set<ProcessId> sources;
    uint64_t hidden = 0;
    std::string line;
    LogSource last;
  };

  Stream& StreamOf(int64_t now, const LogSource& source);
  void ShowLine(int64_t now, const LogSource& source, Stream* stream, std::string_view line,
                std::string* out);
  bool IsRepetition(int64_t now, const LogSource& source, std::string_view line);
  bool HasRoom(int64_t now);
  static std::string SuppressionNote(Stream* stream);

  const Options options_;
  std::map<LogSource, Stream> streams_;
  std::map<std::string, Recent> recent_;  // by line without numbers
  int64_t pruned_at_ = INT64_MIN;         // when it was last full
};

}  // namespace manta::node
