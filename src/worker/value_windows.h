// How much of values is on its way between two processes of which one fetches from the other.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <unordered_map>

#include "base/ids.h"

namespace manta::worker {

// Credit in bytes for each pair, as in HTTP/2 (RFC 9113, section 5.2): what waits for a process that reads slowly stays with the
// owners, and two that fetch from each other never fill both ways. Not thread-safe.
class ValueWindows {
 public:
  // To one process, before it says that it has taken some. The value that crosses the limit still passes, so that one of any size does.
  static constexpr size_t kBytes = 1 << 20;

  // ---- The owner's side

  // Whether a value may leave for `to`; else Wait keeps its place.
  bool Admits(ProcessId to) const {
    const auto found = to_.find(to);
    return found == to_.end() || (found->second.on_the_way < kBytes && found->second.waiting.empty());
  }
  void Wait(ProcessId to, const ObjectId& object) { to_[to].waiting.push_back(object); }
  void Sent(ProcessId to, size_t bytes) { to_[to].on_the_way += bytes; }
  void Taken(ProcessId to, size_t bytes) {
    const auto found = to_.find(to);
    if (found == to_.end()) return;
    found->second.on_the_way -= bytes < found->second.on_the_way ? bytes : found->second.on_the_way;
    if (found->second.on_the_way == 0 && found->second.waiting.empty()) to_.erase(found);
  }
  // The next that waited and may leave now.
  std::optional<ObjectId> Next(ProcessId to) {
    const auto found = to_.find(to);
    if (found == to_.end() || found->second.on_the_way >= kBytes || found->second.waiting.empty()) return std::nullopt;
    const ObjectId object = found->second.waiting.front();
    found->second.waiting.pop_front();
    return object;
  }

  // ---- The receiver's side

  // What to tell `from` to have been taken, after so much more has: nothing (0) until it is half a window.
  size_t Received(ProcessId from, size_t bytes) {
    size_t& untold = untold_[from];
    untold += bytes;
    if (untold < kBytes / 2) return 0;
    const size_t tell = untold;
    untold_.erase(from);
    return tell;
  }

  void ProcessGone(ProcessId process) {
    to_.erase(process);
    untold_.erase(process);
  }

 private:
  struct Pair {
    size_t on_the_way = 0;
    std::deque<ObjectId> waiting;
  };
  std::unordered_map<ProcessId, Pair> to_;
  std::unordered_map<ProcessId, size_t> untold_;
};

}  // namespace manta::worker
