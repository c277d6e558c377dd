// What a process writes, in parts by the task that wrote them. Pure; one per stream.
//
// A front-end that knows which task writes says so in the stream itself, in a line ":task_name:NAME" ahead of what the task writes, and
// what an actor calls itself, in a line ":actor_name:NAME"; as Ray's workers do, so that tools which read its logs read ours.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/function_ref.h"

namespace manta::node {

class LogParts {
 public:
  static constexpr std::string_view kTaskMark = ":task_name:";
  static constexpr std::string_view kActorMark = ":actor_name:";
  static constexpr size_t kLongestName = 512;  // a longer line is no mark

  // The next bytes; `show` gets those that are no mark, in order, and what wrote them ("": nobody said). What may become a mark is kept.
  using Show = FunctionRef<void(const std::string& task, std::string_view bytes)>;
  void Split(std::string_view bytes, Show show);
  // There is no more: what was kept.
  void Finish(Show show);
  // What wrote last.
  const std::string& task() const { return task_; }
  // What the actor that writes calls itself; "": it has not said.
  const std::string& actor() const { return actor_; }

 private:
  bool MayBeMark(std::string_view line) const;
  std::string_view TakeLineStart(std::string_view bytes, Show show);

  std::string task_;
  std::string actor_;
  std::string kept_;  // the begin of a line that may become a mark
  bool at_line_start_ = true;
};

}  // namespace manta::node
