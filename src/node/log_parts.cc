#include "node/log_parts.h"

#include <algorithm>
#include <iterator>

namespace manta::node {
namespace {

constexpr std::string_view kMarks[] = {LogParts::kTaskMark, LogParts::kActorMark};

}  // namespace

bool LogParts::MayBeMark(std::string_view line) const {
  return std::any_of(std::begin(kMarks), std::end(kMarks), [&](std::string_view mark) {
    const size_t known = std::min(line.size(), mark.size());
    return line.substr(0, known) == mark.substr(0, known) && line.size() <= mark.size() + kLongestName;
  });
}

// Returns what follows.
std::string_view LogParts::TakeLineStart(std::string_view bytes, Show show) {
  const size_t newline = bytes.find('\n');
  std::string line = kept_;
  line += bytes.substr(0, newline);
  const bool whole = newline != std::string_view::npos;
  std::string* const name = whole && line.starts_with(kTaskMark)    ? &task_
                            : whole && line.starts_with(kActorMark) ? &actor_
                                                                    : nullptr;
  if (!MayBeMark(line) || (whole && name == nullptr)) {
    if (!kept_.empty()) show(task_, kept_);
    kept_.clear();
    at_line_start_ = false;
    return bytes;
  }
  if (!whole) {
    kept_ = std::move(line);
    return {};
  }
  *name = line.substr(line.find(':', 1) + 1);
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
    while (end != std::string_view::npos && !MayBeMark(bytes.substr(end + 1, kActorMark.size()))) end = bytes.find('\n', end + 1);
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
