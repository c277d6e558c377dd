#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace manta::bench {

using Json = nlohmann::json;

namespace {

std::string Number(double value) {
  char text[32];
  const double size = std::fabs(value);
  const int digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string Padded(std::string text, size_t width) {
  // Counts characters, not bytes: µ is one.
  size_t length = 0;
  for (const char c : text) length += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  text.append(length < width ? width - length : 1, ' ');
  return text;
}

const char* NameOf(RowState state) {
  switch (state) {
    case RowState::kOk:
      return "ok";
    case RowState::kFailed:
      return "failed";
    case RowState::kNotThereYet:
      return "not there yet";
  }
  return "failed";
}

}  // namespace

std::string Format(double value, const std::string& unit) {
  if (unit == kNs) {
    if (value < 999.5) return Number(value) + " ns";
    if (value < 999.5e3) return Number(value / 1e3) + " µs";
    if (value < 999.5e6) return Number(value / 1e6) + " ms";
    return Number(value / 1e9) + " s";
  }
  if (unit == kBytes) {
    if (std::fabs(value) < 10'000) return Number(value) + " B";
    if (std::fabs(value) < 1024 * 1024) return Number(value / 1024) + " KiB";
    return Number(value / 1024 / 1024) + " MiB";
  }
  if (unit == kBytesPerSecond) return Number(value / 1e9) + " GB/s";
  if (unit == kPerSecond) {
    if (value < 1e3) return Number(value) + " /s";
    if (value < 1e6) return Number(value / 1e3) + " k/s";
    return Number(value / 1e6) + " M/s";
  }
  return Number(value) + (unit.empty() ? "" : " " + unit);
}

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {values.front(), median, values.back()};
}

void AddLine(const std::string& line, RowResult* row) {
  const Json json = Json::parse(line, nullptr, false);
  if (json.is_discarded()) {
    row->notes.push_back("unreadable line: " + line);
  } else if (json.contains("metric")) {
    const Json& from = json["metric"];
    Metric metric;
    metric.name = from["name"];
    metric.unit = from["unit"];
    metric.better = from["better"] == "higher" ? Better::kHigher : Better::kLower;
    metric.rounds = from["rounds"].get<std::vector<double>>();
    metric.beside = from["beside"].get<std::vector<std::string>>();
    if (from.contains("target")) {
      const Json& target = from["target"];
      metric.target =
          Target{target["text"], target["value"], target["factor"], target["yardstick"]};
    }
    row->metrics.push_back(std::move(metric));
  } else if (json.contains("note")) {
    row->notes.push_back(json["note"]);
  } else if (json.contains("placement")) {
    row->placements.push_back(json["placement"]);
  } else if (json.contains("end")) {
    const std::string kind = json["end"];
    row->state = kind == "ok"              ? RowState::kOk
                 : kind == "not_there_yet" ? RowState::kNotThereYet
                                           : RowState::kFailed;
    row->message = json["message"];
  }
}

const Metric* Report::Find(const std::string& row_and_metric) const {
  const size_t slash = row_and_metric.find('/');
  for (const RowResult& row : rows_) {
    if (row.name != row_and_metric.substr(0, slash) || row.state != RowState::kOk) continue;
    for (const Metric& metric : row.metrics) {
      if (metric.name == row_and_metric.substr(slash + 1) && !metric.rounds.empty()) return &metric;
    }
  }
  return nullptr;
}

Report::Verdict Report::Judge(const Metric& metric) const {
  Verdict verdict;
  if (!metric.target || metric.rounds.empty()) return verdict;
  verdict.wanted = metric.target->value;
  if (metric.target->factor != 0) {
    const Metric* yardstick = Find(metric.target->yardstick);
    if (yardstick == nullptr) return verdict;
    verdict.wanted += metric.target->factor * SpreadOf(yardstick->rounds).median;
  }
  verdict.known = true;
  const double median = SpreadOf(metric.rounds).median;
  verdict.met =
      metric.better == Better::kHigher ? median >= verdict.wanted : median <= verdict.wanted;
  return verdict;
}

std::string Report::Line(const Metric& metric) const {
  const Spread spread = SpreadOf(metric.rounds);
  std::string line = "  " + Padded(metric.name, 36) + Padded(Format(spread.min, metric.unit), 12) +
                     Padded(Format(spread.median, metric.unit), 12) +
                     Padded(Format(spread.max, metric.unit), 12);
  if (metric.target) {
    const Verdict verdict = Judge(metric);
    if (verdict.known) {
      line += verdict.met ? "met     " : "MISSED  ";
      line +=
          (metric.better == Better::kHigher ? ">= " : "<= ") + Format(verdict.wanted, metric.unit);
      if (verdict.wanted != 0) line += " (" + Number(spread.median / verdict.wanted) + " of it)";
    } else {
      line += "target unknown: " + metric.target->yardstick + " was not measured";
    }
    line += "; target: " + metric.target->text;
  }
  bool separate = metric.target.has_value();
  for (const std::string& name : metric.beside) {
    const Metric* yardstick = Find(name);
    if (yardstick == nullptr) continue;
    const double median = SpreadOf(yardstick->rounds).median;
    line += (separate ? "; beside " : "beside ") + name + " " + Format(median, yardstick->unit);
    if (median != 0) line += " (x" + Number(spread.median / median) + ")";
    separate = true;
  }
  return line;
}

void Report::PrintHeader() const {
  std::printf("%s\n", machine_.value("text", "").c_str());
  std::printf("\n  %-36s%-12s%-12s%-12s%s\n", "", "min", "median", "max", "target");
}

void Report::Add(RowResult row) {
  rows_.push_back(std::move(row));
  const RowResult& added = rows_.back();
  std::printf("\n%s: %s\n", added.name.c_str(), added.what.c_str());
  for (const Metric& metric : added.metrics) std::printf("%s\n", Line(metric).c_str());
  for (const std::string& note : added.notes) std::printf("    %s\n", note.c_str());
  for (const std::string& placement : added.placements)
    std::printf("    placement: %s\n", placement.c_str());
  if (added.crossing_before_ns != 0 && added.crossing_after_ns != 0) {
    std::printf("    cores: a cache line to the other and back took %.0f ns before and %.0f ns after\n",
                added.crossing_before_ns, added.crossing_after_ns);
  }
  if (added.others_share > 0.03) {
    std::printf("    CAUTION: other programs used %.0f %% of the machine during this row\n",
                100 * added.others_share);
  }
  if (added.state == RowState::kNotThereYet)
    std::printf("  not there yet: %s\n", added.message.c_str());
  if (added.state == RowState::kFailed) std::printf("  FAILED: %s\n", added.message.c_str());
  std::fflush(stdout);
}

void Report::PrintSummary() const {
  int met = 0;
  std::vector<std::string> missed;
  std::vector<std::string> failed;
  std::vector<std::string> later;
  for (const RowResult& row : rows_) {
    if (row.state == RowState::kFailed) failed.push_back(row.name);
    if (row.state == RowState::kNotThereYet) later.push_back(row.name);
    for (const Metric& metric : row.metrics) {
      const Verdict verdict = Judge(metric);
      if (!metric.target || !verdict.known) continue;
      if (verdict.met) ++met;
      if (!verdict.met) missed.push_back(row.name + "/" + metric.name);
    }
  }
  const auto list = [](const char* what, const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    std::printf("%s: %zu%s%s\n", what, names.size(), names.empty() ? "" : ": ", text.c_str());
  };
  std::printf("\ntargets met: %d\n", met);
  list("targets missed", missed);
  list("rows not there yet", later);
  list("rows failed", failed);
}

bool Report::HasFailed() const {
  return std::any_of(rows_.begin(), rows_.end(),
                     [](const RowResult& row) { return row.state == RowState::kFailed; });
}

Json Report::ToJson() const {
  Json rows = Json::array();
  for (const RowResult& row : rows_) {
    Json metrics = Json::array();
    for (const Metric& metric : row.metrics) {
      const Spread spread = SpreadOf(metric.rounds);
      Json entry = {{"name", metric.name},
                    {"unit", metric.unit},
                    {"min", spread.min},
                    {"median", spread.median},
                    {"max", spread.max},
                    {"rounds", metric.rounds},
                    {"better", metric.better == Better::kHigher ? "higher" : "lower"}};
      if (metric.target) {
        const Verdict verdict = Judge(metric);
        entry["target"] = {{"text", metric.target->text}};
        if (verdict.known) {
          entry["target"]["wanted"] = verdict.wanted;
          entry["target"]["met"] = verdict.met;
        }
      }
      Json beside = Json::array();
      for (const std::string& name : metric.beside) {
        const Metric* yardstick = Find(name);
        if (yardstick == nullptr) continue;
        const double median = SpreadOf(yardstick->rounds).median;
        beside.push_back({{"yardstick", name}, {"median", median}});
        if (median != 0) beside.back()["ratio"] = spread.median / median;
      }
      entry["beside"] = beside;
      metrics.push_back(std::move(entry));
    }
    rows.push_back({{"name", row.name},
                    {"what", row.what},
                    {"state", NameOf(row.state)},
                    {"message", row.message},
                    {"metrics", std::move(metrics)},
                    {"notes", row.notes},
                    {"placements", row.placements},
                    {"seconds", row.seconds},
                    {"others_share", row.others_share},
                    {"crossing_ns", {row.crossing_before_ns, row.crossing_after_ns}}});
  }
  return {{"format", 1}, {"machine", machine_}, {"rows", std::move(rows)}};
}

}  // namespace manta::bench
