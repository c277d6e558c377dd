#include "node/log_parts.h"

#include <algorithm>

namespace manta::node {

bool LogParts::MayBeMark(std::string_view line) const {
  const size_t known = std::min(line.size(), kMark.size());
  return line.substr(0, known) == kMark.substr(0, known) && line.size() <= kMark.size() + kLongestName;
}

// Returns what follows.
std::string_view LogParts::TakeLineStart(std::string_view bytes, Show show) {
  const size_t newline = bytes.find('\n');
  std::string line = kept_;
  line += bytes.substr(0, newline);
  if (!MayBeMark(line) || (newline != std::string_view::npos && line.size() < kMark.size())) {
    if (!kept_.empty()) show(task_, kept_);
    kept_.clear();
    at_line_start_ = false;
    return bytes;
  }
  if (newline == std::string_view::npos) {
    kept_ = std::move(line);
    return {};
  }
  task_ = line.substr(kMark.size());
  kept_.clear();
  return bytes.substr(newline + 1);
}

void LogParts::Split(std::string_view bytes, Show show) {
  while (!bytes.empty()) {
    if (at_line_start_) {
      bytes = TakeLineStart(bytes, show);
      continue;
    }
    // Up to the next line that may be a mark, or to the end.
    size_t end = bytes.find('\n');
    while (end != std::string_view::npos && !MayBeMark(bytes.substr(end + 1, kMark.size()))) end = bytes.find('\n', end + 1);
    at_line_start_ = end != std::string_view::npos;
    const size_t size = at_line_start_ ? end + 1 : bytes.size();
    show(task_, bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
}

void LogParts::Finish(Show show) {
  if (!kept_.empty()) show(task_, kept_);
  kept_.clear();
}

}  // namespace manta::node
