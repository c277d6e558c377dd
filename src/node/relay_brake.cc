#include "node/relay_brake.h"

#include <spdlog/logger.h>

#include <vector>

namespace manta::node {

void RelayBrake::Sent(ProcessId from, ProcessId to) {
  const Process* sender = processes_.Find(from);
  const Process* receiver = processes_.Find(to);
  if (sender == nullptr || sender->far || receiver == nullptr) return;
  const bool full_there = full_there_.contains(to);
  if (!full_there && processes_.Pending(*receiver) < kMost) return;
  Resume(to);
  if (processes_.Pending(*sender) >= kMost) return;
  const ProcessId key = receiver->far && !full_there ? kTrunk : to;
  Full& full = full_[key];
  if (full.given_up) return;
  if (full.patience == nullptr) {
    full.patience = std::make_unique<Timer>(loop_, [this, key] {
      log_.warn("relaying goes on although much waits receiver={}", key == kTrunk ? "the other node" : processes_.Describe(key));
      full_[key].given_up = true;
      ReadAgain(key);
    });
    full.patience->ExpireAfter(kPatience);
  }
  held_[from] = key;
  sender->connection->set_reading(false);
}

void RelayBrake::Delivered(ProcessId to) {
  const Process* receiver = processes_.Find(to);
  if (receiver == nullptr || processes_.Pending(*receiver) < kMost) return;
  Resume(to);
  if (told_.insert(to).second) tell_(to, true);
}

void RelayBrake::FarHolds(ProcessId receiver, bool hold) {
  if (hold) {
    full_there_.insert(receiver);
  } else {
    full_there_.erase(receiver);
    Release(receiver);
  }
}

void RelayBrake::NodeDown() {
  told_.clear();
  for (ProcessId receiver : std::exchange(full_there_, {})) Release(receiver);
  TrunkDrained();
}

void RelayBrake::Release(ProcessId receiver) {
  if (told_.erase(receiver) > 0) tell_(receiver, false);
  if (full_.erase(receiver) > 0) ReadAgain(receiver);
}

void RelayBrake::ReadAgain(ProcessId receiver) {
  std::vector<ProcessId> senders;
  for (const auto& [sender, waits_for] : held_) {
    if (waits_for == receiver) senders.push_back(sender);
  }
  for (ProcessId sender : senders) Resume(sender);
}

void RelayBrake::Resume(ProcessId sender) {
  if (held_.erase(sender) == 0) return;
  const Process* process = processes_.Find(sender);
  if (process != nullptr && process->connection != nullptr) process->connection->set_reading(true);
}

void RelayBrake::ProcessGone(ProcessId process) {
  held_.erase(process);
  full_there_.erase(process);
  Release(process);
}

}  // namespace manta::node
