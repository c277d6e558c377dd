#include "node/log_forwarder.h"

#include <algorithm>
#include <cctype>

namespace manta::node {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr size_t kMaxRecent = 10'000;

// "step 17 of 20" and "step 18 of 20" are the same message.
std::string WithoutNumbers(std::string_view line) {
  std::string key;
  for (char c : line) {
    if (std::isdigit(static_cast<unsigned char>(c))) {
      if (!key.empty() && key.back() == '0') continue;
      c = '0';
    }
    key += c;
  }
  return key;
}

}  // namespace

LogForwarder::Source& LogForwarder::SourceOf(int64_t now, ProcessId process) {
  const auto [entry, added] = sources_.try_emplace(process);
  Source& source = entry->second;
  if (added) {
    source.tokens = options_.burst;
    source.refilled = now;
  }
  const double fresh = static_cast<double>(now - source.refilled) / kSecondNs * options_.lines_per_second;
  source.tokens = std::min<double>(options_.burst, source.tokens + std::max(0.0, fresh));
  source.refilled = now;
  return source;
}

std::string LogForwarder::Add(int64_t now, ProcessId process, std::string_view bytes) {
  Source& source = SourceOf(now, process);
  std::string out;
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    const size_t room = options_.longest_line - std::min(options_.longest_line, source.partial.size());
    if (newline == std::string_view::npos && bytes.size() < room) {
      source.partial += bytes;
      break;
    }
    const size_t take = std::min(newline, room);
    if (source.partial.empty()) {
      ShowLine(now, process, &source, bytes.substr(0, take), &out);
    } else {
      source.partial += bytes.substr(0, take);
      ShowLine(now, process, &source, source.partial, &out);
      source.partial.clear();
    }
    bytes.remove_prefix(take == newline ? take + 1 : take);
  }
  return out;
}

void LogForwarder::ShowLine(int64_t now, ProcessId process, Source* source, std::string_view line,
                            std::string* out) {
  if (source->tokens < 1) {
    if (source->suppressed_lines++ == 0) source->suppressed_since = now;
    return;
  }
  if (options_.deduplicate && IsRepetition(now, process, line)) return;
  source->tokens -= 1;
  if (source->suppressed_lines > 0 || source->skipped_bytes > 0) *out += SuppressionNote(source);
  *out += line;
  *out += '\n';
}

bool LogForwarder::IsRepetition(int64_t now, ProcessId process, std::string_view line) {
  if (line.empty() || recent_.size() >= kMaxRecent) return false;
  const auto [entry, added] = recent_.try_emplace(WithoutNumbers(line));
  Recent& recent = entry->second;
  if (added || (now - recent.first >= options_.window && recent.hidden == 0)) {
    recent = {};
    recent.first = now;
    recent.sources.insert(process);
    return false;
  }
  recent.sources.insert(process);
  if (recent.sources.size() == 1) return false;
  ++recent.hidden;
  recent.line = line;
  recent.last = process;
  return true;
}

void LogForwarder::Skipped(int64_t now, ProcessId process, uint64_t bytes) {
  Source& source = SourceOf(now, process);
  if (source.suppressed_lines == 0 && source.skipped_bytes == 0) source.suppressed_since = now;
  source.skipped_bytes += bytes;
  source.partial.clear();
}

std::string LogForwarder::SuppressionNote(Source* source) {
  std::string note = "[";
  if (source->suppressed_lines > 0) {
    note += std::to_string(source->suppressed_lines) + " lines";
  }
  if (source->skipped_bytes > 0) {
    if (source->suppressed_lines > 0) note += " and ";
    note += std::to_string(source->skipped_bytes) + " bytes";
  }
  source->suppressed_lines = 0;
  source->skipped_bytes = 0;
  return note + " more are in its log only: too much output at once]\n";
}

std::string LogForwarder::Finish(int64_t now, ProcessId process) {
  const auto found = sources_.find(process);
  if (found == sources_.end()) return {};
  Source source = std::move(found->second);
  sources_.erase(found);
  std::string out;
  if (!source.partial.empty()) {
    const std::string line = std::move(source.partial);
    ShowLine(now, process, &source, line, &out);
  }
  if (source.suppressed_lines > 0 || source.skipped_bytes > 0) out += SuppressionNote(&source);
  return out;
}

std::vector<LogForwarder::Output> LogForwarder::Expire(int64_t now) {
  std::vector<Output> due;
  std::erase_if(recent_, [&](const auto& entry) {
    const Recent& recent = entry.second;
    if (now - recent.first < options_.window) return false;
    if (recent.hidden > 0) {
      due.push_back({recent.last, recent.line + " [repeated " + std::to_string(recent.hidden) +
                                      "x across workers]\n"});
    }
    return true;
  });
  for (auto& [process, source] : sources_) {
    if (source.suppressed_lines == 0 && source.skipped_bytes == 0) continue;
    if (now - source.suppressed_since >= kSecondNs) due.push_back({process, SuppressionNote(&source)});
  }
  return due;
}

int64_t LogForwarder::NextDeadline() const {
  int64_t deadline = INT64_MAX;
  for (const auto& [line, recent] : recent_) {
    // What has nothing to report may wait for the next occasion.
    if (recent.hidden > 0) deadline = std::min(deadline, recent.first + options_.window);
  }
  for (const auto& [process, source] : sources_) {
    if (source.suppressed_lines > 0 || source.skipped_bytes > 0) {
      deadline = std::min(deadline, source.suppressed_since + kSecondNs);
    }
  }
  return deadline;
}

}  // namespace manta::node
