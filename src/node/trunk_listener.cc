#include "node/trunk_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spdlog/logger.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "trunk/handshake.h"

namespace manta::node {
namespace {

constexpr Nanoseconds kPauseWithoutDescriptors = 100 * kMillisecond;

std::string Describe(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "?";
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

// The fresh socket has room for a frame.
void TurnAway(int socket) {
  wire::RefusedT refused;
  refused.kind = MANTA_ERROR_START_FAILED;
  refused.message = "the head has " + std::to_string(TrunkListener::kMaxStrangers) +
                    " connections that have not proved themselves yet; try again in a moment";
  std::vector<uint8_t> frame;
  trunk::AppendFrame(&frame, trunk::FrameKind::kNode, contracts::Encode(std::move(refused)));
  (void)send(socket, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

struct TrunkListener::Stranger {
  std::shared_ptr<TrunkLink> link;
  trunk::Acceptor acceptor;
  std::string from;
  Timer limit;
};

TrunkListener::TrunkListener(EventLoop& loop, spdlog::logger& log, std::string secret,
                             OnPeer on_peer)
    : loop_(loop), log_(log), secret_(std::move(secret)), on_peer_(std::move(on_peer)) {}

TrunkListener::~TrunkListener() {
  for (auto& [id, stranger] : strangers_) stranger->link->Close();
}

Result<std::unique_ptr<TrunkListener>> TrunkListener::Open(EventLoop& loop, spdlog::logger& log,
                                                           const std::string& address,
                                                           uint16_t port, std::string secret,
                                                           OnPeer on_peer) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "--node-ip-address has to be an IPv4 address, not '" + address + "'");
  }
  std::unique_ptr<TrunkListener> listener(
      new TrunkListener(loop, log, std::move(secret), std::move(on_peer)));
  listener->socket_ = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener->socket_) return ErrnoError("socket", errno);
  const int on = 1;
  setsockopt(listener->socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener->socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name) != 0) {
    return ErrnoError("listening for other nodes on " + Describe(name), errno);
  }
  if (listen(listener->socket_.get(), 64) != 0) {
    return ErrnoError("listening for other nodes on " + Describe(name), errno);
  }
  socklen_t size = sizeof name;
  getsockname(listener->socket_.get(), reinterpret_cast<sockaddr*>(&name), &size);
  listener->port_ = ntohs(name.sin_port);
  listener->watch_ = std::make_unique<FdWatch>(loop, listener->socket_.get(),
                                               [self = listener.get()] { self->Accept(); });
  listener->pause_ = std::make_unique<Timer>(loop, [self = listener.get()] { self->Accept(); });
  listener->watch_->WantRead();
  return listener;
}

void TrunkListener::Accept() {
  for (;;) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    UniqueFd peer(accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        return pause_->ExpireAfter(kPauseWithoutDescriptors);
      }
      break;
    }
    trunk::HandshakeOptions options;
    options.secret = secret_;
    if (strangers_.size() >= kMaxStrangers ||
        getrandom(options.nonce.data(), options.nonce.size(), 0) !=
            static_cast<ssize_t>(options.nonce.size())) {
      log_.warn("trunk refused from={} reason=\"{} others have not proved themselves\"",
                Describe(from), strangers_.size());
      TurnAway(peer.get());
      continue;
    }
    const uint64_t id = ++last_;
    auto link = std::make_shared<TrunkLink>(loop_, std::move(peer), trunk::kMaxBodyBeforeProof);
    strangers_[id].reset(new Stranger{
        link, trunk::Acceptor(std::move(options)), Describe(from),
        Timer(loop_, [this, id] { Drop(id, "did not prove itself within 5 s"); })});
    strangers_[id]->limit.ExpireAfter(kHandshakeLimit);
    link->Start({.on_frame = [this, id](const trunk::FrameView& frame) { OnFrame(id, frame); },
                 .on_closed = [this, id](const std::string& reason) { Drop(id, reason); },
                 .on_drained = {}});
  }
  watch_->WantRead();
}

void TrunkListener::OnFrame(uint64_t id, const trunk::FrameView& frame) {
  const auto found = strangers_.find(id);
  if (found == strangers_.end()) return;
  Stranger& stranger = *found->second;
  const auto control = frame.kind == trunk::FrameKind::kNode
                           ? trunk::ControlFrame::Decode(frame.body)
                           : std::nullopt;
  if (!control) return Drop(id, "does not speak the protocol of trunks");
  trunk::HandshakeStep step = stranger.acceptor.OnFrame(control->frame());
  if (!step.reply.empty()) stranger.link->Send(trunk::FrameKind::kNode, step.reply);
  if (step.refused) {
    stranger.link->FlushAndClose();
    return Drop(id, step.refused->message);
  }
  if (!step.done) return;
  const std::unique_ptr<Stranger> peer = std::move(found->second);
  strangers_.erase(found);
  peer->link->set_max_body(trunk::kMaxBody);
  on_peer_(peer->link, peer->from);
}

void TrunkListener::Drop(uint64_t id, const std::string& reason) {
  const auto found = strangers_.find(id);
  if (found == strangers_.end()) return;
  log_.warn("trunk refused from={} reason=\"{}\"", found->second->from, reason);
  found->second->link->Close();
  // Not from inside of its timer or link.
  loop_.Post([this, id] { strangers_.erase(id); });
}

}  // namespace manta::node
