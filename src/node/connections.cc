#include "node/connections.h"

#include <spdlog/logger.h>

#include <utility>
#include <vector>

namespace manta::node {

Connections::Connections(EventLoop& loop, spdlog::logger& log, std::string secret,
                         Observer& observer)
    : loop_(loop), log_(log), secret_(std::move(secret)), observer_(observer) {}

std::shared_ptr<Connection> Connections::Add(UniqueFd socket, Peer peer) {
  const bool stranger = peer.kind == Peer::Kind::kStranger;
  const uint64_t id = ++last_id_;
  Entry& entry = entries_[id];
  // Our own processes may have long environments and argument lists; a stranger gets little.
  entry.connection = std::make_shared<Connection>(
      loop_, std::move(socket),
      stranger ? contracts::kMaxFirstFrameBytes : contracts::kMaxFrameBytes, *this);
  entry.connection->set_id(id);
  entry.peer = peer;
  if (stranger) {
    ++strangers_;
    entry.hello_limit = std::make_unique<Timer>(loop_, [this, id] {
      log_.warn("connection dropped reason=\"no Hello within 5 s\"");
      Erase(id);
    });
    entry.hello_limit->ExpireAfter(kHelloLimit);
  }
  entry.connection->Start();
  return entry.connection;
}

AdmissionRules Connections::RulesFor(const Peer& peer) const {
  AdmissionRules rules;
  switch (peer.kind) {
    case Peer::Kind::kInheritedDriver: rules.role = wire::Role::Driver; break;
    case Peer::Kind::kWorker: rules.role = wire::Role::Worker; break;
    case Peer::Kind::kZygote: rules.role = wire::Role::Zygote; break;
    case Peer::Kind::kStranger:
      rules.needs_secret = true;
      rules.secret = secret_;
      break;
  }
  return rules;
}

void Connections::OnFrame(Connection& connection, const wire::Frame& frame) {
  const auto found = entries_.find(connection.id());
  if (found == entries_.end()) return;
  if (!found->second.admitted) return Admit(found->second, frame);
  const Peer peer = found->second.peer;  // the observer may drop the entry
  observer_.OnMessage(peer, frame);
}

void Connections::Admit(Entry& entry, const wire::Frame& frame) {
  const std::shared_ptr<Connection> connection = entry.connection;
  const Peer peer = entry.peer;
  if (auto refused = Refuse(frame, RulesFor(peer))) {
    log_.warn("connection refused pid={} reason=\"{}\"", peer.pid, refused->message);
    connection->Send(std::move(*refused));
    connection->CloseAfterFlush();
    Erase(connection->id());
    if (peer.kind != Peer::Kind::kStranger) observer_.OnLost(peer, "refused");
    return;
  }
  if (peer.kind == Peer::Kind::kStranger) OneStrangerLess();
  entry.admitted = true;
  entry.hello_limit.reset();
  connection->set_max_frame_bytes(contracts::kMaxFrameBytes);
  const ProcessId process = observer_.OnHello(peer, connection, *frame.message_as_Hello());
  const auto again = entries_.find(connection->id());
  if (again != entries_.end()) again->second.peer.process = process;
}

void Connections::OnClosed(Connection& connection, const std::string& reason) {
  const auto found = entries_.find(connection.id());
  if (found == entries_.end()) return;
  const Peer peer = found->second.peer;
  const bool admitted = found->second.admitted;
  if (!admitted && peer.kind == Peer::Kind::kStranger) {
    log_.warn("connection lost before Hello pid={} reason=\"{}\"", peer.pid, reason);
  }
  Erase(connection.id());
  if (admitted || peer.kind != Peer::Kind::kStranger) observer_.OnLost(peer, reason);
}

void Connections::OnDrained(Connection& connection) {
  const auto found = entries_.find(connection.id());
  if (found != entries_.end() && found->second.admitted) observer_.OnDrained(found->second.peer);
}

void Connections::Drop(uint64_t connection) {
  const auto found = entries_.find(connection);
  if (found == entries_.end()) return;
  found->second.connection->Close();
  Erase(connection);
}

void Connections::Erase(uint64_t id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  if (!found->second.admitted && found->second.peer.kind == Peer::Kind::kStranger) OneStrangerLess();
  entries_.erase(found);
}

void Connections::OneStrangerLess() {
  --strangers_;
  observer_.OnRoomForStrangers();
}

void Connections::CloseAll() {
  for (auto& [id, entry] : entries_) entry.connection->Close();
  entries_.clear();
  strangers_ = 0;
}

}  // namespace manta::node
