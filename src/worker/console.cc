#include "worker/console.h"

#include <unistd.h>

#include <cstdio>

namespace manta::worker {

bool Console::IsTerminal(bool is_stderr) const { return show_ == nullptr && isatty(is_stderr ? STDERR_FILENO : STDOUT_FILENO) != 0; }

void Console::Write(bool is_stderr, std::string_view text) const {
  if (show_ != nullptr) return show_(is_stderr, text.data(), text.size());
  FILE* const stream = is_stderr ? stderr : stdout;
  fwrite(text.data(), 1, text.size(), stream);
  fflush(stream);
}

}  // namespace manta::worker
