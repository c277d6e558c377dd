// Bytes between processes that share no ring. The daemon does not read them.
#pragma once

#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "node/process_table.h"

namespace manta::node {

// Order is kept per pair, because each process has one socket and the daemon one thread.
class Relay {
 public:
  explicit Relay(ProcessTable& processes) : processes_(processes) {}

  // What cannot be delivered comes back to the sender, marked, as if from the target.
  void Forward(ProcessId from, ProcessId to, std::span<const uint8_t> payload);

  // Something was exchanged otherwise: it came over a trunk.
  void Met(ProcessId one, ProcessId other);

  // Who has exchanged something with `process`: they learn of its death.
  std::vector<ProcessId> ProcessGone(ProcessId process);

 private:
  ProcessTable& processes_;
  std::unordered_map<ProcessId, std::set<ProcessId>> peers_;
};

}  // namespace manta::node
