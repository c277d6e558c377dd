// What a row of the benchmark is made of, and what it uses to measure and to report.
//
// A row runs in a process of its own (see runner.h), measures several rounds and hands metrics to a
// RowContext. It throws RowFailed when a result is wrong, and NotThereYet (or lets
// manta::NotSupportedError pass) when the runtime cannot do it yet: then it has no number at all.
#pragma once

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace manta::bench {

inline int64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void SleepNs(int64_t duration);

// For loops that poll memory.
inline void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// ---- Failures

class RowFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class NotThereYet : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws RowFailed with both values unless they are equal.
void CheckSum(const char* what, uint64_t got, uint64_t expected);
void Require(bool condition, const std::string& what);

// ---- Metrics

enum class Better { kHigher, kLower };

// Wanted is at least (or at most, see Metric::better) `value + factor * median of the yardstick`.
struct Target {
  std::string text;  // what the specification says
  double value = 0;
  double factor = 0;
  std::string yardstick = {};  // "row/metric" of the same run
};

struct Metric {
  std::string name;
  std::string unit;  // "/s", "ns", "B", "B/s", or what is counted
  Better better = Better::kHigher;
  std::vector<double> rounds;  // one value for each
  std::optional<Target> target = {};
  std::vector<std::string> beside = {};  // "row/metric": shown beside it, with the ratio
};

inline constexpr const char* kPerSecond = "/s";
inline constexpr const char* kNs = "ns";
inline constexpr const char* kBytes = "B";
inline constexpr const char* kBytesPerSecond = "B/s";

// Where driver and worker were, each time somebody looked.
class Placement {
 public:
  void Saw(int driver_cpu, int worker_cpu);
  bool empty() const { return seen_.empty(); }
  std::string Text() const;

 private:
  std::map<std::pair<int, int>, uint64_t> seen_;
};

// Durations of single calls in nanoseconds.
class Latencies {
 public:
  explicit Latencies(size_t capacity) { samples_.reserve(capacity); }
  void Add(int64_t ns) { samples_.push_back(ns); }
  size_t size() const { return samples_.size(); }
  void Clear() { samples_.clear(); }
  // `fraction` of the samples are at most this. There must be samples. Reorders them.
  double Percentile(double fraction);

 private:
  std::vector<int64_t> samples_;
};

// Percentiles of each round.
struct LatencyRounds {
  std::vector<double> p50;
  std::vector<double> p99;
  void Add(Latencies* round);
};

// Operations per second of each round: on the whole, and of its median batch, which leaves out the
// batches during which somebody else had the processor.
struct BatchRates {
  std::vector<double> rate;
  std::vector<double> median_batch;
};

// ---- Rows

struct Options {
  bool quick = false;
};

class RowContext {
 public:
  RowContext(Options options, int result_fd) : options_(options), result_fd_(result_fd) {}

  bool quick() const { return options_.quick; }
  int rounds() const { return options_.quick ? 3 : 7; }
  int result_fd() const { return result_fd_; }
  int64_t round_ns() const { return options_.quick ? 80'000'000 : 300'000'000; }
  template <class T>
  T Pick(T full, T quick) const {
    return options_.quick ? quick : full;
  }

  void Report(const Metric& metric);
  void ReportLatency(const std::string& name, const LatencyRounds& latency,
                     std::optional<Target> p50_target = {}, std::vector<std::string> beside = {});
  void ReportRate(const std::string& name, const BatchRates& rates,
                  std::optional<Target> target = {}, std::vector<std::string> beside = {});
  void Note(const std::string& text);
  // `of`: which of the row's latencies it belongs to, where there are several.
  void Report(const Placement& placement, const std::string& of = "");
  // Ends the row. kind: "ok", "failed", "not_there_yet".
  void End(const std::string& kind, const std::string& message);

 private:
  void Send(const std::string& line);

  Options options_;
  int result_fd_;
};

struct Row {
  std::string name;  // group.name
  std::string what;  // what it really measures
  void (*run)(RowContext&);
  int limit_s = 60;
  std::vector<std::string> yardsticks = {};  // rows that have to run before it
};

// ---- Measuring

// `batch` does some work and returns how many operations that was (always the same); it is repeated
// for the time of a round. One round goes before as a warm-up.
BatchRates MeasureRate(const RowContext& context, const std::function<uint64_t()>& batch);

// A deterministic value for the i-th task, so that no two are alike and a sum tells whether all
// came.
constexpr uint64_t Scramble(uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  return value ^ (value >> 27);
}

}  // namespace manta::bench
