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

LogForwarder::Stream& LogForwarder::StreamOf(int64_t now, const LogSource& source) {
  const auto [entry, added] = streams_.try_emplace(source);
  Stream& stream = entry->second;
  if (added) {
    stream.tokens = options_.burst;
    stream.refilled = now;
  }
  const double fresh = static_cast<double>(now - stream.refilled) / kSecondNs * options_.lines_per_second;
  stream.tokens = std::min<double>(options_.burst, stream.tokens + std::max(0.0, fresh));
  stream.refilled = now;
  return stream;
}

std::string LogForwarder::Add(int64_t now, const LogSource& source, std::string_view bytes) {
  Stream& stream = StreamOf(now, source);
  std::string out;
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    const size_t room = options_.longest_line - std::min(options_.longest_line, stream.partial.size());
    if (newline == std::string_view::npos && bytes.size() < room) {
      stream.partial += bytes;
      break;
    }
    const size_t take = std::min(newline, room);
    if (stream.partial.empty()) {
      ShowLine(now, source, &stream, bytes.substr(0, take), &out);
    } else {
      stream.partial += bytes.substr(0, take);
      ShowLine(now, source, &stream, stream.partial, &out);
      stream.partial.clear();
    }
    bytes.remove_prefix(take == newline ? take + 1 : take);
  }
  return out;
}

void LogForwarder::ShowLine(int64_t now, const LogSource& source, Stream* stream, std::string_view line,
                            std::string* out) {
  if (stream->tokens < 1) {
    if (stream->suppressed_lines++ == 0) stream->suppressed_since = now;
    return;
  }
  const bool is_progress = line.starts_with(kProgressMark);
  if (is_progress) line.remove_prefix(1);
  if (options_.deduplicate && !is_progress && IsRepetition(now, source, line)) return;
  stream->tokens -= 1;
  if (stream->suppressed_lines > 0 || stream->skipped_bytes > 0) *out += SuppressionNote(stream);
  *out += line;
  *out += '\n';
}

bool LogForwarder::IsRepetition(int64_t now, const LogSource& source, std::string_view line) {
  if (line.empty() || !HasRoom(now)) return false;
  const auto [entry, added] = recent_.try_emplace(WithoutNumbers(line));
  Recent& recent = entry->second;
  if (added || (now - recent.first >= options_.window && recent.hidden == 0)) {
    recent = {};
    recent.first = now;
    recent.sources.insert(source.process);
    return false;
  }
  recent.sources.insert(source.process);
  if (recent.sources.size() == 1) return false;
  ++recent.hidden;
  recent.line = line;
  recent.last = source;
  return true;
}

// A look at all of them is dear: one a second.
bool LogForwarder::HasRoom(int64_t now) {
  if (recent_.size() < kMaxRecent) return true;
  if (pruned_at_ != INT64_MIN && now - pruned_at_ < kSecondNs) return false;
  pruned_at_ = now;
  std::erase_if(recent_, [&](const auto& entry) {
    return entry.second.hidden == 0 && now - entry.second.first >= options_.window;
  });
  return recent_.size() < kMaxRecent;
}

void LogForwarder::Skipped(int64_t now, const LogSource& source, uint64_t bytes) {
  Stream& stream = StreamOf(now, source);
  if (stream.suppressed_lines == 0 && stream.skipped_bytes == 0) stream.suppressed_since = now;
  stream.skipped_bytes += bytes;
  stream.partial.clear();
}

std::string LogForwarder::SuppressionNote(Stream* stream) {
  std::string note = "[";
  if (stream->suppressed_lines > 0) {
    note += std::to_string(stream->suppressed_lines) + " lines";
  }
  if (stream->skipped_bytes > 0) {
    if (stream->suppressed_lines > 0) note += " and ";
    note += std::to_string(stream->skipped_bytes) + " bytes";
  }
  stream->suppressed_lines = 0;
  stream->skipped_bytes = 0;
  return note + " more went to its log only, which keeps the latest: too much output at once]\n";
}

std::string LogForwarder::Finish(int64_t now, const LogSource& source) {
  const auto found = streams_.find(source);
  if (found == streams_.end()) return {};
  Stream stream = std::move(found->second);
  streams_.erase(found);
  std::string out;
  if (!stream.partial.empty()) {
    const std::string line = std::move(stream.partial);
    ShowLine(now, source, &stream, line, &out);
  }
  if (stream.suppressed_lines > 0 || stream.skipped_bytes > 0) out += SuppressionNote(&stream);
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
  for (auto& [source, stream] : streams_) {
    if (stream.suppressed_lines == 0 && stream.skipped_bytes == 0) continue;
    if (now - stream.suppressed_since >= kSecondNs) due.push_back({source, SuppressionNote(&stream)});
  }
  return due;
}

std::vector<LogForwarder::Output> LogForwarder::FinishAll(int64_t now) {
  std::vector<Output> rest;
  while (!streams_.empty()) {
    const LogSource source = streams_.begin()->first;
    std::string lines = Finish(now, source);
    if (!lines.empty()) rest.push_back({source, std::move(lines)});
  }
  for (Output& summary : Expire(INT64_MAX)) rest.push_back(std::move(summary));
  return rest;
}

int64_t LogForwarder::NextDeadline() const {
  int64_t deadline = INT64_MAX;
  for (const auto& [line, recent] : recent_) {
    // What has nothing to report may wait for the next occasion.
    if (recent.hidden > 0) deadline = std::min(deadline, recent.first + options_.window);
  }
  for (const auto& [source, stream] : streams_) {
    if (stream.suppressed_lines > 0 || stream.skipped_bytes > 0) {
      deadline = std::min(deadline, stream.suppressed_since + kSecondNs);
    }
  }
  return deadline;
}

}  // namespace manta::node
