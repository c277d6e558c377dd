// The bound on what ended workers and zygotes leave in a session's directory of logs.
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "node/log_tail.h"

namespace manta::node {

class KeptLogs {
 public:
  // Of those with text: enough for a look at the crashes of a long job, and few enough for a look at the directory.
  static constexpr size_t kKept = 256;

  // Who wrote it has ended, and nobody needs to read it to its end any more: an empty one goes, one with text stays, with its older
  // parts, until kKept newer ones are there. No such file: nothing happens.
  void WriterGone(const std::string& path);
  void WorkerGone(const WorkerLog& log);

 private:
  std::deque<std::string> kept_;  // oldest first
};

}  // namespace manta::node
