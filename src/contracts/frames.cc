#include "contracts/frames.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace manta::contracts {
namespace {

constexpr size_t kMaxDescriptors = 4;

}  // namespace

void FrameReader::Append(std::span<const uint8_t> bytes) {
  if (begin_ > 0 && begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  } else if (begin_ > 64 * 1024) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(begin_));
    begin_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<const wire::Frame*> FrameReader::Next() {
  const size_t available = buffer_.size() - begin_;
  if (available < 4) return static_cast<const wire::Frame*>(nullptr);
  const uint8_t* start = buffer_.data() + begin_;
  const uint32_t length = uint32_t{start[0]} | uint32_t{start[1]} << 8 | uint32_t{start[2]} << 16 |
                          uint32_t{start[3]} << 24;
  if (length > max_frame_bytes_) {
    return MakeError(MANTA_ERROR_SYSTEM, "control frame of " + std::to_string(length) +
                                             " bytes, more than the limit of " +
                                             std::to_string(max_frame_bytes_));
  }
  if (available < 4 + size_t{length}) return static_cast<const wire::Frame*>(nullptr);
  // Each frame that is written fills words: after one that does not, the next ones would not stand where numbers are aligned.
  flatbuffers::Verifier verifier(start, 4 + size_t{length});
  if (length % 4 != 0 || !wire::VerifySizePrefixedFrameBuffer(verifier)) {
    return MakeError(MANTA_ERROR_SYSTEM, "control frame does not verify");
  }
  begin_ += 4 + size_t{length};
  return wire::GetSizePrefixedFrame(start);
}

Result<> WriteAll(int socket, std::span<const uint8_t> bytes, std::span<const int> descriptors) {
  if (descriptors.size() > kMaxDescriptors) {
    return MakeError(MANTA_ERROR_SYSTEM, "too many descriptors for one frame");
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  while (!bytes.empty()) {
    iovec part{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return ErrnoError("writing to the control socket", errno);
    }
    descriptors = {};
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return {};
}

Result<int64_t> ReadSome(int socket, uint8_t* bytes, size_t capacity, std::vector<int>* descriptors) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)];
  for (;;) {
    iovec part{bytes, capacity};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return int64_t{-1};
      if (errno == ECONNRESET) return int64_t{0};  // the peer went with something of ours unread: an end like any other
      return ErrnoError("reading from the control socket", errno);
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int descriptor;
        std::memcpy(&descriptor, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        descriptors->push_back(descriptor);
      }
    }
    return int64_t{received};
  }
}

}  // namespace manta::contracts
