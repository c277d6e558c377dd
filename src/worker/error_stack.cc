#include "worker/error_stack.h"

#include <limits.h>
#include <unistd.h>

#include <span>
#include <vector>

#include "stacks/stack_text.h"
#include "stacks/symbolizer.h"

namespace manta::worker {

std::string StackText(const stacks::ThrowStack& thrown, std::string_view passed) {
  char host[HOST_NAME_MAX + 1] = "?";
  gethostname(host, sizeof host);
  host[HOST_NAME_MAX] = '\0';
  std::string section = passed.empty() ? "thrown" : "passed on";
  section += " in process " + std::to_string(getpid()) + " on " + host;
  const std::vector<stacks::Frame> frames = stacks::Symbolizer::OfThisProcess().Describe(thrown.addresses());
  section += frames.empty() ? "\n" : ":\n";
  section += stacks::FramesText(stacks::UserFrames(frames), thrown.is_cut());
  return stacks::PassedOn(passed, section);
}

std::string Account(const Error& error) {
  std::string text = error.type_name.empty() ? error.message : error.type_name + ": " + error.message;
  if (!error.stack.empty()) text += "\n" + error.stack;
  return text;
}

}  // namespace manta::worker
