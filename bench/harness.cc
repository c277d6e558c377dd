#include "harness.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

namespace manta::bench {

using Json = nlohmann::json;

void SleepNs(int64_t duration) {
  timespec time{duration / 1'000'000'000, duration % 1'000'000'000};
  while (nanosleep(&time, &time) != 0 && errno == EINTR) {
  }
}

void CheckSum(const char* what, uint64_t got, uint64_t expected) {
  if (got == expected) return;
  throw RowFailed(std::string(what) + ": wrong sum of results, " + std::to_string(got) +
                  " instead of " + std::to_string(expected));
}

void Require(bool condition, const std::string& what) {
  if (!condition) throw RowFailed(what);
}

// ---- Placement

void Placement::Saw(int driver_cpu, int worker_cpu) { ++seen_[{driver_cpu, worker_cpu}]; }

std::string Placement::Text() const {
  std::vector<std::pair<uint64_t, std::pair<int, int>>> sorted;
  uint64_t total = 0;
  for (const auto& [cpus, count] : seen_) {
    sorted.push_back({count, cpus});
    total += count;
  }
  std::sort(sorted.rbegin(), sorted.rend());
  std::string text;
  for (const auto& [count, cpus] : sorted) {
    if (!text.empty()) text += ", ";
    text += "driver on cpu " + std::to_string(cpus.first) + " and worker on " +
            (cpus.first == cpus.second ? "the same" : std::to_string(cpus.second));
    if (sorted.size() > 1) text += " " + std::to_string((100 * count + total / 2) / total) + " %";
  }
  return text + " (" + std::to_string(total) + " samples)";
}

// ---- Latencies

double Latencies::Percentile(double fraction) {
  const size_t rank = std::min(
      samples_.size() - 1, static_cast<size_t>(fraction * static_cast<double>(samples_.size())));
  std::nth_element(samples_.begin(), samples_.begin() + static_cast<ptrdiff_t>(rank),
                   samples_.end());
  return static_cast<double>(samples_[rank]);
}

void LatencyRounds::Add(Latencies* round) {
  Require(round->size() > 0, "a round without a single call");
  p50.push_back(round->Percentile(0.5));
  p99.push_back(round->Percentile(0.99));
  round->Clear();
}

// ---- RowContext

void RowContext::Send(const std::string& line) {
  const std::string text = line + "\n";
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t count = write(result_fd_, text.data() + sent, text.size() - sent);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    sent += static_cast<size_t>(count);
  }
}

void RowContext::Report(const Metric& metric) {
  Json json = {{"name", metric.name},
               {"unit", metric.unit},
               {"better", metric.better == Better::kHigher ? "higher" : "lower"},
               {"rounds", metric.rounds},
               {"beside", metric.beside}};
  if (metric.target) {
    json["target"] = {{"text", metric.target->text},
                      {"value", metric.target->value},
                      {"factor", metric.target->factor},
                      {"yardstick", metric.target->yardstick}};
  }
  Send(Json{{"metric", json}}.dump());
}

void RowContext::ReportLatency(const std::string& name, const LatencyRounds& latency,
                               std::optional<Target> p50_target, std::vector<std::string> beside) {
  const std::string prefix = name.empty() ? "" : name + " ";
  std::vector<std::string> beside_p99;
  for (const std::string& yardstick : beside) {
    if (yardstick.ends_with("p50"))
      beside_p99.push_back(yardstick.substr(0, yardstick.size() - 2) + "99");
  }
  Report(Metric{prefix + "p50", kNs, Better::kLower, latency.p50, std::move(p50_target),
                std::move(beside)});
  Report(Metric{prefix + "p99", kNs, Better::kLower, latency.p99, {}, std::move(beside_p99)});
}

void RowContext::ReportRate(const std::string& name, const BatchRates& rates,
                            std::optional<Target> target, std::vector<std::string> beside) {
  std::vector<std::string> beside_median;
  for (const std::string& yardstick : beside)
    beside_median.push_back(yardstick + " of the median batch");
  Report(
      Metric{name, kPerSecond, Better::kHigher, rates.rate, std::move(target), std::move(beside)});
  Report(Metric{name + " of the median batch",
                kPerSecond,
                Better::kHigher,
                rates.median_batch,
                {},
                std::move(beside_median)});
}

void RowContext::Note(const std::string& text) { Send(Json{{"note", text}}.dump()); }

void RowContext::Report(const Placement& placement, const std::string& of) {
  if (placement.empty()) return;
  Send(Json{{"placement", (of.empty() ? "" : of + ": ") + placement.Text()}}.dump());
}

void RowContext::End(const std::string& kind, const std::string& message) {
  Send(Json{{"end", kind}, {"message", message}}.dump());
}

// ---- Measuring

BatchRates MeasureRate(const RowContext& context, const std::function<uint64_t()>& batch) {
  BatchRates rates;
  std::vector<int64_t> times;
  times.reserve(1 << 20);
  for (int round = -1; round < context.rounds(); ++round) {
    times.clear();
    const int64_t start = NowNs();
    int64_t now = start;
    uint64_t operations = 0;
    uint64_t each = 0;
    do {
      each = batch();
      operations += each;
      const int64_t before = std::exchange(now, NowNs());
      times.push_back(now - before);
    } while (now - start < context.round_ns());
    if (round < 0) continue;
    const auto middle = times.begin() + static_cast<ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    const auto per_second = [](uint64_t count, int64_t ns) {
      return static_cast<double>(count) * 1e9 / static_cast<double>(std::max<int64_t>(ns, 1));
    };
    rates.rate.push_back(per_second(operations, now - start));
    rates.median_batch.push_back(per_second(each, *middle));
  }
  return rates;
}

}  // namespace manta::bench
