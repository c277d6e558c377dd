#include "worker/worker_output.h"

#include <algorithm>

namespace manta::worker {

std::string WithPrefix(const OutputOrigin& origin, std::string_view lines, bool colored) {
  std::string prefix = colored ? "\x1b[36m(" : "(";
  if (!origin.name.empty()) prefix += origin.name + " ";
  prefix += "pid=" + std::to_string(origin.pid);
  if (origin.node != 0) prefix += ", node=" + std::to_string(origin.node);
  prefix += colored ? ")\x1b[0m " : ") ";
  std::string text;
  while (!lines.empty()) {
    const size_t size = std::min(lines.size(), lines.find('\n') + 1 == 0 ? lines.size() : lines.find('\n') + 1);
    text += prefix;
    text += lines.substr(0, size);
    lines.remove_prefix(size);
  }
  return text;
}

}  // namespace manta::worker
