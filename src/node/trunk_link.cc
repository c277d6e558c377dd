#include "node/trunk_link.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace manta::node {
namespace {

constexpr size_t kReadBytes = 256 * 1024;
// Frames of one read at a time, so that other sockets get their turn.
constexpr int kReadsPerTurn = 4;

}  // namespace

TrunkLink::TrunkLink(EventLoop& loop, UniqueFd socket, uint32_t max_body)
    : loop_(loop), socket_(std::move(socket)), cutter_(max_body), input_(kReadBytes),
      heard_at_(EventLoop::Now()) {
  fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

TrunkLink::~TrunkLink() { watch_.reset(); }

void TrunkLink::Start(Events events) {
  events_ = std::move(events);
  watch_ = std::make_unique<FdWatch>(loop_, socket_.get(), [this] { OnReadable(); }, [this] { Flush(); });
  watch_->WantRead();
  if (pending() > 0) FlushSoon();
}

void TrunkLink::OnReadable() {
  const std::shared_ptr<TrunkLink> self = shared_from_this();
  Read();
  if (watch_) watch_->WantRead();
}

void TrunkLink::set_polled(bool polled) {
  polled_ = polled;
  if (pending() > 0) FlushSoon();
}

bool TrunkLink::Exchange() {
  if (!open() || failed_ || watch_ == nullptr) return false;
  const std::shared_ptr<TrunkLink> self = shared_from_this();
  if (pending() > 0) Flush();
  return Read();
}

// Whether there was anything. Its caller holds a reference.
bool TrunkLink::Read() {
  bool any = false;
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    const ssize_t size = recv(socket_.get(), input_.data(), input_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (size < 0) {
      Fail(std::string("reading: ") + std::strerror(errno));
      break;
    }
    if (size == 0) {
      Fail("closed by the peer");
      break;
    }
    any = true;
    heard_at_ = EventLoop::Now();
    cutter_.Append({input_.data(), static_cast<size_t>(size)});
    for (;;) {
      Result<std::optional<trunk::FrameView>> frame = cutter_.Next();
      if (!frame) {
        Fail("broke the protocol: " + frame.error().message);
        return true;
      }
      if (!frame->has_value()) break;
      // The observer may change or close what it is called by.
      const auto on_frame = events_.on_frame;
      on_frame(**frame);
      if (!open() || failed_) return true;
    }
    if (static_cast<size_t>(size) < input_.size()) break;
  }
  return any;
}

void TrunkLink::Send(trunk::FrameKind kind, std::span<const uint8_t> first,
                     std::span<const uint8_t> rest) {
  if (!open() || failed_) return;
  trunk::AppendFrame(&output_, kind, first, rest);
  if (pending() >= kDrained) was_full_ = true;
  if (pending() > kMostPending) {
    return Fail("does not read: " + std::to_string(pending() >> 20) + " MiB wait for it");
  }
  FlushSoon();
}

void TrunkLink::FlushSoon() {
  if (flush_posted_ || polled_ || watch_ == nullptr) return;
  flush_posted_ = true;
  loop_.Post([self = shared_from_this()] {
    self->flush_posted_ = false;
    self->Flush();
  });
}

void TrunkLink::Flush() {
  while (open() && pending() > 0) {
    const ssize_t size = send(socket_.get(), output_.data() + written_, pending(),
                              MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (watch_) watch_->WantWrite();
      break;
    }
    if (size < 0 && errno != EPIPE && errno != ECONNRESET) return Fail(std::string("writing: ") + std::strerror(errno));
    if (size < 0) {
      // What the peer sent before it went is still to be read: reading finds the end after it.
      written_ = output_.size();
      break;
    }
    written_ += static_cast<size_t>(size);
  }
  if (pending() == 0) {
    output_.clear();
    written_ = 0;
  } else if (written_ > output_.size() / 2) {
    output_.erase(output_.begin(), output_.begin() + static_cast<ptrdiff_t>(written_));
    written_ = 0;
  }
  if (was_full_ && pending() < kDrained) {
    was_full_ = false;
    if (events_.on_drained) events_.on_drained();
  }
}

void TrunkLink::Fail(std::string reason) {
  if (failed_ || !open()) return;
  failed_ = true;
  loop_.Post([self = shared_from_this(), reason = std::move(reason)] {
    if (!self->open()) return;
    self->Close();
    const auto on_closed = self->events_.on_closed;
    if (on_closed) on_closed(reason);
  });
}

void TrunkLink::Close() {
  watch_.reset();
  socket_.reset();
  output_.clear();
  written_ = 0;
}

void TrunkLink::FlushAndClose() {
  Flush();
  Close();
}

}  // namespace manta::node
