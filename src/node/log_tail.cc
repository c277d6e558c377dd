#include "node/log_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "node/log_parts.h"

namespace manta::node {

std::string ReadLogTail(const std::string& path, size_t max_bytes, size_t max_lines) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || fstat(file.get(), &status) != 0) return {};
  const size_t size = static_cast<size_t>(status.st_size);
  const size_t wanted = std::min(size, max_bytes);
  std::string text(wanted, '\0');
  const ssize_t got = pread(file.get(), text.data(), wanted, static_cast<off_t>(size - wanted));
  if (got <= 0) return {};
  text.resize(static_cast<size_t>(got));
  if (wanted < size) {  // starts inside of a line
    const size_t newline = text.find('\n');
    if (newline != std::string::npos && newline + 1 < text.size()) text.erase(0, newline + 1);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  size_t start = text.size();
  for (size_t lines = 0; lines < max_lines && start != 0; ++lines) {
    const size_t newline = text.rfind('\n', start - 1);
    start = newline == std::string::npos ? 0 : newline;
  }
  if (start != 0) text.erase(0, start + 1);
  return text;
}

namespace {

// The end of a line has been cut off, which may be a mark.
std::string WithoutMarks(const std::string& text) {
  std::string shown;
  const auto show = [&](const std::string&, std::string_view bytes) { shown += bytes; };
  LogParts parts;
  parts.Split(text + "\n", show);
  while (!shown.empty() && shown.back() == '\n') shown.pop_back();
  return shown;
}

}  // namespace

std::string WorkerLog::Tail() const {
  const std::string output = WithoutMarks(ReadLogTail(out()));
  const std::string errors = WithoutMarks(ReadLogTail(err()));
  if (output.empty() || errors.empty()) return output + errors;
  return "[standard output]\n" + output + "\n[standard error]\n" + errors;
}

}  // namespace manta::node
