// What a process shows to people: what its workers print, and what the runtime itself has to say.
#pragma once

#include <string>
#include <string_view>

namespace manta::worker {

// For the service thread.
class Console {
 public:
  // As manta_config.show.
  using Show = void (*)(int is_stderr, const char* text, size_t size);

  explicit Console(Show show) : show_(show) {}

  // A line about the cluster, to stderr.
  void Say(const std::string& line) const { Write(true, "manta: " + line + "\n"); }
  // Whether text for that stream goes to a terminal as it is.
  bool IsTerminal(bool is_stderr) const;
  // Whole lines.
  void Write(bool is_stderr, std::string_view text) const;

 private:
  const Show show_;
};

}  // namespace manta::worker
