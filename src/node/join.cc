#include "node/join.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "trunk/frames.h"
#include "trunk/handshake.h"

namespace manta::node {
namespace {

Error Unreachable(const std::string& address, const std::string& why) {
  return MakeError(MANTA_ERROR_START_FAILED,
                   "there is no head at " + address + ": " + why +
                       "; start one with `manta start --head --port=PORT`, and give its address");
}

int MillisecondsUntil(Nanoseconds deadline) {
  return static_cast<int>(
      std::clamp<Nanoseconds>((deadline - EventLoop::Now()) / kMillisecond, 0, 60'000));
}

Result<sockaddr_in> Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the address of a head is HOST:PORT, not '" + address + "'");
  }
  const std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) return Unreachable(address, gai_strerror(error));
  sockaddr_in name;
  std::memcpy(&name, found->ai_addr, sizeof name);
  freeaddrinfo(found);
  return name;
}

// Waits until the socket is ready. False: the time is over.
bool Await(int socket, short events, Nanoseconds deadline) {
  for (;;) {
    pollfd ready{socket, events, 0};
    const int count = poll(&ready, 1, MillisecondsUntil(deadline));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

Result<UniqueFd> Connect(const std::string& address, Nanoseconds deadline) {
  Result<sockaddr_in> name = Resolve(address);
  if (!name) return name.error();
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return ErrnoError("socket", errno);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&*name), sizeof *name) != 0 &&
      errno != EINPROGRESS) {
    return Unreachable(address, std::strerror(errno));
  }
  if (!Await(socket.get(), POLLOUT, deadline)) return Unreachable(address, "no answer in time");
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Unreachable(address, std::strerror(error));
  return socket;
}

// One frame, and not a byte more: what follows is read by the daemon.
class FrameStream {
 public:
  FrameStream(int socket, Nanoseconds deadline) : socket_(socket), deadline_(deadline) {}

  bool Write(std::span<const uint8_t> control) {
    std::vector<uint8_t> frame;
    trunk::AppendFrame(&frame, trunk::FrameKind::kNode, control);
    for (size_t written = 0; written < frame.size();) {
      const ssize_t size = send(socket_, frame.data() + written, frame.size() - written, MSG_NOSIGNAL);
      if (size > 0) written += static_cast<size_t>(size);
      else if (errno == EAGAIN && Await(socket_, POLLOUT, deadline_)) continue;
      else if (errno != EINTR) return false;
    }
    return true;
  }

  std::optional<trunk::ControlFrame> Read(std::string* why) {
    trunk::FrameHeader header;
    if (!ReadExactly(&header, sizeof header, why)) return std::nullopt;
    *why = "it does not speak the protocol of trunks";
    if (header.kind != trunk::FrameKind::kNode || header.bytes > trunk::kMaxBodyBeforeProof) {
      return std::nullopt;
    }
    std::vector<uint8_t> body(header.bytes);
    if (!ReadExactly(body.data(), body.size(), why)) return std::nullopt;
    return trunk::ControlFrame::Decode(body);
  }

 private:
  bool ReadExactly(void* into, size_t size, std::string* why) {
    for (size_t done = 0; done < size;) {
      const ssize_t count = recv(socket_, static_cast<char*>(into) + done, size - done, 0);
      if (count > 0) {
        done += static_cast<size_t>(count);
      } else if (count == 0) {
        *why = "it closed the connection";
        return false;
      } else if (errno == EAGAIN) {
        if (Await(socket_, POLLIN, deadline_)) continue;
        *why = "it does not answer";
        return false;
      } else if (errno != EINTR) {
        *why = std::strerror(errno);
        return false;
      }
    }
    return true;
  }

  const int socket_;
  const Nanoseconds deadline_;
};

std::string OwnAddress(int socket) {
  sockaddr_in name{};
  socklen_t size = sizeof name;
  char text[INET_ADDRSTRLEN] = "";
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return {};
  inet_ntop(AF_INET, &name.sin_addr, text, sizeof text);
  return text;
}

bool IsOfThisMachine(in_addr host) {
  const UniqueFd probe(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr = host;
  return bind(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

}  // namespace

Result<JoinedCluster> JoinCluster(const std::string& address, const std::string& secret,
                                  Nanoseconds limit) {
  const Nanoseconds deadline = EventLoop::Now() + limit;
  Result<UniqueFd> socket = Connect(address, deadline);
  if (!socket) return socket.error();
  trunk::HandshakeOptions options;
  options.secret = secret;
  if (getrandom(options.nonce.data(), options.nonce.size(), 0) !=
      static_cast<ssize_t>(options.nonce.size())) {
    return ErrnoError("getrandom", errno);
  }
  trunk::Initiator initiator(std::move(options));
  FrameStream stream(socket->get(), deadline);
  std::string why = "it closed the connection";
  // A head that has closed the connection already may have said why before: that counts, and not the failed write.
  (void)stream.Write(initiator.Start());
  for (;;) {
    const std::optional<trunk::ControlFrame> frame = stream.Read(&why);
    if (!frame) return Unreachable(address, why);
    trunk::HandshakeStep step = initiator.OnFrame(frame->frame());
    if (step.refused) {
      return MakeError(step.refused->kind, "joining " + address + ": " + step.refused->message);
    }
    if (step.done) break;
    if (!stream.Write(step.reply)) return Unreachable(address, why);
  }
  JoinedCluster joined;
  joined.own_address = OwnAddress(socket->get());
  joined.socket = std::move(socket).value();
  joined.node_index = initiator.node_index();
  joined.head_id = initiator.head_id();
  return joined;
}

bool LeadsTo(const std::string& address, const std::string& trunk) {
  if (address == trunk) return true;
  Result<sockaddr_in> to = Resolve(address);
  Result<sockaddr_in> at = Resolve(trunk);
  if (!to || !at || to->sin_port != at->sin_port) return false;
  if (to->sin_addr.s_addr == at->sin_addr.s_addr) return true;
  if (at->sin_addr.s_addr == htonl(INADDR_ANY)) return IsOfThisMachine(to->sin_addr);
  // As a destination, the loopback interface.
  return to->sin_addr.s_addr == htonl(INADDR_ANY) && at->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

}  // namespace manta::node
