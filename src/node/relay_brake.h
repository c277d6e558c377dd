// Keeps what is relayed to a process that reads slowly, or to the other node, within bounds: while much waits there, those who send
// to it are not read, so that their own sockets hold them up.
//
// A process that is not read may not read itself meanwhile: it may be writing. So nobody is held up for whom much waits, and two that
// send to each other do not wait for each other; what is left is the limit of the connection (kMaxPendingOutput).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/ids.h"
#include "node/event_loop.h"
#include "node/process_table.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class RelayBrake {
 public:
  static constexpr size_t kMost = 8u << 20;
  // Whoever does not read for so long holds up nobody any more. The senders' other messages wait, too, and one process that stands
  // still (in a debugger, say) is no reason for the others to do so.
  static constexpr Nanoseconds kPatience = 10 * kSecond;

  // All arguments outlive this object.
  // `tell` passes FarHolds to the other daemon.
  using Tell = std::function<void(ProcessId receiver, bool hold)>;
  RelayBrake(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, Tell tell)
      : loop_(loop), log_(log), processes_(processes), tell_(std::move(tell)) {}

  // After `from`, a process of this node, has sent something to `to`; from within its frame.
  void Sent(ProcessId from, ProcessId to);
  // Something of the other node was put with what waits for `to`: the other daemon holds its senders up.
  void Delivered(ProcessId to);
  // The other daemon's word about a process of its node.
  void FarHolds(ProcessId receiver, bool hold);
  // The other node has gone, and what it had said.
  void NodeDown();
  // Little waits for the process now, or it is gone.
  void Drained(ProcessId process) { Release(process); }
  void TrunkDrained() { Release(kTrunk); }
  void ProcessGone(ProcessId process);

 private:
  static constexpr ProcessId kTrunk{UINT64_MAX};  // stands for all processes of the other node

  struct Full {
    std::unique_ptr<Timer> patience;
    bool given_up = false;
  };

  void Release(ProcessId receiver);
  void ReadAgain(ProcessId receiver);
  void Resume(ProcessId sender);

  EventLoop& loop_;
  spdlog::logger& log_;
  ProcessTable& processes_;
  std::map<ProcessId, Full> full_;        // by receiver
  std::map<ProcessId, ProcessId> held_;   // sender, receiver
  Tell tell_;
  std::set<ProcessId> told_;        // receivers of this node whose senders the other one holds up
  std::set<ProcessId> full_there_;  // receivers of the other node for which much waits there
};

}  // namespace manta::node
