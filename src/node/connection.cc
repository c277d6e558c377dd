#include "node/connection.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace manta::node {
namespace {

constexpr size_t kMaxDescriptorsPerFrame = 4;

// Sends without blocking. Returns the bytes that went out, -1 with errno otherwise.
ssize_t SendSome(int socket, const uint8_t* bytes, size_t size,
                 const std::vector<UniqueFd>& descriptors) {
  iovec part{const_cast<uint8_t*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptorsPerFrame)] = {};
  if (!descriptors.empty()) {
    const size_t bytes_of_descriptors = sizeof(int) * descriptors.size();
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes_of_descriptors);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes_of_descriptors);
    for (size_t i = 0; i < descriptors.size(); ++i) {
      const int fd = descriptors[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  for (;;) {
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0 || errno != EINTR) return sent;
  }
}

}  // namespace

Connection::Connection(EventLoop& loop, UniqueFd socket, uint32_t max_frame_bytes,
                       Observer& observer)
    : loop_(loop), socket_(std::move(socket)), observer_(observer), reader_(max_frame_bytes) {
  fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

Connection::~Connection() { watch_.reset(); }

void Connection::Start() {
  watch_ = std::make_unique<FdWatch>(loop_, socket_.get(), [this] { Read(); }, [this] { Flush(); });
  watch_->WantRead();
  if (!output_.empty()) watch_->WantWrite();
}

void Connection::Read() {
  if (!reading_) return;
  const std::shared_ptr<Connection> self = shared_from_this();
  uint8_t buffer[64 * 1024];
  std::vector<int> descriptors;
  Result<int64_t> received = contracts::ReadSome(socket_.get(), buffer, sizeof buffer, &descriptors);
  for (int fd : descriptors) close(fd);  // nobody sends the daemon any
  if (!received) return Fail(received.error().message);
  if (*received == 0) return Fail(kClosed);
  if (*received > 0) reader_.Append({buffer, static_cast<size_t>(*received)});
  TakeFrames();
}

// Its caller holds a reference.
void Connection::TakeFrames() {
  while (open() && !failed_ && !closing_ && reading_) {
    Result<const wire::Frame*> frame = reader_.Next();
    if (!frame) return Fail("broke the protocol: " + frame.error().message);
    if (*frame == nullptr) break;
    observer_.OnFrame(*this, **frame);
  }
  if (open() && !failed_ && reading_) watch_->WantRead();
}

void Connection::set_reading(bool on) {
  if (reading_ == on) return;
  reading_ = on;
  // What was read already comes first; in a turn of its own, because this may be called from within a frame.
  if (on) loop_.Post([self = shared_from_this()] { self->TakeFrames(); });
}

void Connection::SendFrame(std::vector<uint8_t> frame, std::vector<UniqueFd> descriptors) {
  if (!open() || failed_ || closing_) return;
  pending_bytes_ += frame.size();
  if (pending_bytes_ > kDrainedOutput) was_full_ = true;
  output_.push_back({std::move(frame), 0, std::move(descriptors)});
  if (output_.size() == 1) Flush();
  if (pending_bytes_ > kMaxPendingOutput) {
    Fail("it does not read, " + std::to_string(pending_bytes_ >> 20) + " MiB are waiting for it");
  }
}

void Connection::Flush() {
  while (open() && !output_.empty()) {
    Output& next = output_.front();
    const ssize_t sent = SendSome(socket_.get(), next.bytes.data() + next.written,
                                  next.bytes.size() - next.written, next.descriptors);
    if (sent < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (watch_) watch_->WantWrite();
        return;
      }
      const int error = errno;
      output_.clear();
      pending_bytes_ = 0;
      // A peer that is gone may have left frames for us (its Goodbye, or why): reading finds the end of the stream after them.
      if (error != EPIPE && error != ECONNRESET) Fail(ErrnoError("sending", error).message);
      break;
    }
    next.descriptors.clear();
    next.written += static_cast<size_t>(sent);
    pending_bytes_ -= static_cast<size_t>(sent);
    if (next.written == next.bytes.size()) output_.pop_front();
    if (was_full_ && pending_bytes_ < kDrainedOutput) {
      was_full_ = false;
      observer_.OnDrained(*this);
    }
  }
  if (closing_ && open()) Close();
}

void Connection::Fail(std::string reason) {
  if (failed_ || !open()) return;
  failed_ = true;
  if (closing_) return Close();
  loop_.Post([self = shared_from_this(), reason = std::move(reason)] {
    if (!self->open()) return;
    self->Close();
    self->observer_.OnClosed(*self, reason);
  });
}

void Connection::Close() {
  const std::unique_ptr<Timer> linger = std::move(linger_);  // may hold the last reference to this
  watch_.reset();
  socket_.reset();
  output_.clear();
  pending_bytes_ = 0;
}

void Connection::CloseAfterFlush() {
  if (!open() || closing_) return;
  closing_ = true;
  if (output_.empty()) return Close();
  // The timer keeps the connection alive; Close lets go of both.
  linger_ = std::make_unique<Timer>(loop_, [self = shared_from_this()] { self->Close(); });
  linger_->ExpireAfter(kSecond);
}

}  // namespace manta::node
