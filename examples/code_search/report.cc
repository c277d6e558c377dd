#include "report.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace code_search {
namespace {

constexpr double kSecondsOnTerminal = 0.1;
constexpr double kSecondsElsewhere = 2;
constexpr double kMegabyte = 1e6;

int TerminalWidth() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

Progress::Progress()
    : on_terminal_(isatty(STDERR_FILENO) != 0),
      next_time_(on_terminal_ ? kSecondsOnTerminal : kSecondsElsewhere) {}

Progress::~Progress() {
  if (on_terminal_ && anything_shown_) std::fprintf(stderr, "\r\033[K");
}

void Progress::Update(uint64_t done_bytes, uint64_t total_bytes, bool total_is_final) {
  const double now = clock_.seconds();
  if (now < next_time_) return;
  next_time_ = now + (on_terminal_ ? kSecondsOnTerminal : kSecondsElsewhere);
  anything_shown_ = true;
  Show(done_bytes, total_bytes, total_is_final);
}

void Progress::Show(uint64_t done_bytes, uint64_t total_bytes, bool total_is_final) {
  const double rate = double(done_bytes) / clock_.seconds();
  char numbers[128];
  if (!total_is_final || total_bytes == 0) {
    std::snprintf(numbers, sizeof numbers, "%.0f MB of %.0f MB found so far, %.0f MB/s",
                  double(done_bytes) / kMegabyte, double(total_bytes) / kMegabyte,
                  rate / kMegabyte);
  } else {
    std::snprintf(numbers, sizeof numbers, "%3.0f %%  %.0f of %.0f MB, %.0f MB/s, %.0f s left",
                  100 * double(done_bytes) / double(total_bytes), double(done_bytes) / kMegabyte,
                  double(total_bytes) / kMegabyte, rate / kMegabyte,
                  rate > 0 ? double(total_bytes - done_bytes) / rate : 0);
  }
  if (!on_terminal_) {
    std::fprintf(stderr, "code_search: %s\n", numbers);
    return;
  }
  const std::string text = numbers;
  const int room = std::min(60, TerminalWidth() - static_cast<int>(text.size()) - 5);
  std::string bar;
  if (total_is_final && total_bytes > 0 && room >= 10) {
    const auto full = static_cast<size_t>(double(room) * double(done_bytes) / double(total_bytes));
    bar = "[" + std::string(full, '#') + std::string(size_t(room) - full, '.') + "] ";
  }
  std::fprintf(stderr, "\r%s%s\033[K", bar.c_str(), text.c_str());
  std::fflush(stderr);
}

void PrintFigures(const Totals& totals, uint64_t distinct_words, double seconds) {
  std::printf("files           %s\n", WithCommas(totals.files).c_str());
  std::printf("bytes           %s\n", WithCommas(totals.bytes).c_str());
  std::printf("words           %s\n", WithCommas(totals.words).c_str());
  std::printf("distinct words  %s\n", WithCommas(distinct_words).c_str());
  std::printf("seconds         %.2f\n", seconds);
  std::printf("MB/s            %.0f\n", double(totals.bytes) / kMegabyte / seconds);
  if (totals.unreadable > 0) {
    std::printf("not readable    %s, left out; the first: %s\n",
                Plural(totals.unreadable, "file or directory", "files or directories").c_str(),
                totals.first_error.c_str());
  }
  std::fflush(stdout);
}

std::string WithCommas(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string Plural(uint64_t number, const char* singular, const char* plural) {
  return WithCommas(number) + " " + (number == 1 ? singular : plural);
}

}  // namespace code_search
