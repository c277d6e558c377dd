#include "node/relay.h"

#include <utility>

namespace manta::node {

void Relay::Forward(ProcessId from, ProcessId to, std::span<const uint8_t> payload) {
  wire::RelayedT relayed;
  relayed.from = from.value;
  relayed.payload.assign(payload.begin(), payload.end());
  const Process* target = processes_.Find(to);
  if (target != nullptr && target->page && (target->far || target->connection->open())) {
    Met(from, to);
    processes_.Send(to, std::move(relayed));
    return;
  }
  relayed.from = to.value;
  relayed.undeliverable = true;
  processes_.Send(from, std::move(relayed));
}

void Relay::Met(ProcessId one, ProcessId other) {
  peers_[one].insert(other);
  peers_[other].insert(one);
}

std::vector<ProcessId> Relay::ProcessGone(ProcessId process) {
  const auto found = peers_.find(process);
  if (found == peers_.end()) return {};
  std::vector<ProcessId> peers(found->second.begin(), found->second.end());
  peers_.erase(found);
  for (ProcessId peer : peers) {
    const auto other = peers_.find(peer);
    if (other == peers_.end()) continue;
    other->second.erase(process);
    if (other->second.empty()) peers_.erase(other);
  }
  return peers;
}

}  // namespace manta::node
