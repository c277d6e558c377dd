#include "bin/outcome_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace manta::bin {
namespace {

// The first byte of a message; the lines of a node that serves follow it, or the reason why it does not.
constexpr char kServes = '+';
constexpr char kFailed = '-';

std::string Write(const NodeReady& ready) {
  return kServes + std::to_string(ready.pid) + "\n" + ready.session_directory + "\n" + ready.trunk_address;
}

Result<NodeReady> Parse(const std::string& text) {
  if (text.empty()) return MakeError(MANTA_ERROR_START_FAILED, "the daemon ended without a word");
  if (text.front() != kServes) return MakeError(MANTA_ERROR_START_FAILED, text.substr(1));
  const size_t first = text.find('\n');
  const size_t second = text.find('\n', first + 1);
  NodeReady ready;
  ready.pid = std::stoi(text.substr(1, first - 1));
  ready.session_directory = text.substr(first + 1, second - first - 1);
  ready.trunk_address = text.substr(second + 1);
  return ready;
}

}  // namespace

Result<OutcomePipe> OutcomePipe::Make() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoError("making a pipe", errno);
  return OutcomePipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void KeepOnly(const UniqueFd& writer) {
  constexpr int kFirst = STDERR_FILENO + 1;
  const int kept = writer.get();
  if (kept > kFirst) (void)close_range(kFirst, static_cast<unsigned>(kept - 1), 0);
  (void)close_range(static_cast<unsigned>(std::max(kept + 1, kFirst)), UINT_MAX, 0);
}

void Tell(UniqueFd* writer, const Result<NodeReady>& outcome) {
  const std::string text = outcome ? Write(outcome.value()) : kFailed + outcome.error().message;
  // Less than a pipe holds. Who does not listen any more needs no answer.
  if (write(writer->get(), text.data(), text.size()) < 0) errno = 0;
  writer->reset();
}

Result<NodeReady> Await(const UniqueFd& reader) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = read(reader.get(), buffer, sizeof buffer);
    if (size == 0 || (size < 0 && errno != EINTR)) break;
    if (size > 0) text.append(buffer, static_cast<size_t>(size));
  }
  return Parse(text);
}

}  // namespace manta::bin
