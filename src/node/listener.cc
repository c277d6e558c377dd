#include "node/listener.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace manta::node {
namespace {

constexpr int kQueue = 4096;  // as far as the system allows
constexpr Nanoseconds kPauseWithoutDescriptors = 100 * kMillisecond;

}  // namespace

Result<std::unique_ptr<Listener>> Listener::Open(EventLoop& loop, const std::string& name,
                                                 std::function<bool()> has_room,
                                                 std::function<void(UniqueFd, pid_t)> on_accept) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() > sizeof address.sun_path - 1) {
    return MakeError(MANTA_ERROR_SYSTEM, "the socket name " + name + " is too long");
  }
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  std::unique_ptr<Listener> listener(new Listener);
  listener->socket_ = UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener->socket_) return ErrnoError("socket", errno);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(listener->socket_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0) {
    return ErrnoError("binding the socket @" + name, errno);
  }
  if (listen(listener->socket_.get(), kQueue) != 0) return ErrnoError("listening on @" + name, errno);
  listener->has_room_ = std::move(has_room);
  listener->on_accept_ = std::move(on_accept);
  listener->watch_ = std::make_unique<FdWatch>(loop, listener->socket_.get(),
                                               [self = listener.get()] { self->Accept(); });
  listener->pause_ = std::make_unique<Timer>(loop, [self = listener.get()] { self->Accept(); });
  listener->watch_->WantRead();
  return listener;
}

void Listener::GoOn() {
  if (!waits_) return;
  waits_ = false;
  watch_->WantRead();
}

void Listener::Accept() {
  for (;;) {
    if (!has_room_()) {
      waits_ = true;
      return;
    }
    UniqueFd peer(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!peer) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        return pause_->ExpireAfter(kPauseWithoutDescriptors);  // the connection stays in the queue
      }
      break;
    }
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(peer.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) continue;
    if (credentials.uid != geteuid() && credentials.uid != 0) continue;
    on_accept_(std::move(peer), credentials.pid);
  }
  watch_->WantRead();
}

}  // namespace manta::node
