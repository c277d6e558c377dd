#include "trunk/frames.h"

#include <string>
#include <utility>

namespace manta::trunk {

void FrameCutter::Append(std::span<const uint8_t> bytes) {
  // What was read is dropped when it is the larger part, so that bytes move at most once each on average.
  if (begin_ == buffer_.size()) {
    buffer_.clear();
    begin_ = 0;
  } else if (begin_ > buffer_.size() / 2) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(begin_));
    begin_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<FrameView>> FrameCutter::Next() {
  FrameHeader header;
  if (buffer_.size() - begin_ < sizeof header) return std::optional<FrameView>();
  std::memcpy(&header, buffer_.data() + begin_, sizeof header);
  const auto kind = static_cast<uint8_t>(header.kind);
  if (kind == 0 || kind > kLastFrameKind) {
    return MakeError(MANTA_ERROR_SYSTEM, "a trunk frame of unknown kind " + std::to_string(kind));
  }
  if (header.bytes > max_body_) {
    return MakeError(MANTA_ERROR_SYSTEM, "a trunk frame of " + std::to_string(header.bytes) +
                                             " bytes, more than " + std::to_string(max_body_));
  }
  if (buffer_.size() - begin_ - sizeof header < header.bytes) return std::optional<FrameView>();
  FrameView view{header.kind, {buffer_.data() + begin_ + sizeof header, header.bytes}};
  begin_ += sizeof header + header.bytes;
  return std::optional<FrameView>(view);
}

std::optional<ControlFrame> ControlFrame::Decode(std::span<const uint8_t> bytes) {
  ControlFrame frame({bytes.begin(), bytes.end()});
  uint32_t size;
  if (bytes.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, bytes.data(), sizeof size);
  if (size != bytes.size() - sizeof size || size % 4 != 0) return std::nullopt;
  flatbuffers::Verifier verifier(frame.bytes_.data(), frame.bytes_.size());
  if (!wire::VerifySizePrefixedFrameBuffer(verifier)) return std::nullopt;
  if (frame.frame().message() == nullptr) return std::nullopt;
  return frame;
}

}  // namespace manta::trunk
