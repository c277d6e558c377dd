// Frames of the control socket: a little-endian u32 length, then a verified FlatBuffer (control.fbs).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.h"
#include "contracts/control_generated.h"

namespace manta::contracts {

// Neighbours one version apart understand each other; the first frame negotiates.
inline constexpr uint32_t kProtocolMin = 1;
inline constexpr uint32_t kProtocolMax = 1;
inline constexpr uint32_t kMaxFrameBytes = 16 * 1024 * 1024;
// Before the peer has proved that it belongs to the cluster.
inline constexpr uint32_t kMaxFirstFrameBytes = 1024 * 1024;

// A whole frame, length included, from a message in its object form, e.g. Encode(wire::SetDemandT{...}).
template <class MessageT>
std::vector<uint8_t> Encode(MessageT&& message) {
  flatbuffers::FlatBufferBuilder builder(256);
  wire::FrameT frame;
  frame.message.Set(std::forward<MessageT>(message));
  builder.FinishSizePrefixed(wire::Frame::Pack(builder, &frame));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

// Cuts a byte stream into frames. One per connection; not thread-safe.
class FrameReader {
 public:
  explicit FrameReader(uint32_t max_frame_bytes = kMaxFrameBytes) : max_frame_bytes_(max_frame_bytes) {}

  void set_max_frame_bytes(uint32_t bytes) { max_frame_bytes_ = bytes; }
  void Append(std::span<const uint8_t> bytes);

  // The next complete frame, or nullptr when more bytes are needed; valid until the next call of Append or Next.
  // Error: too long, or it does not verify. The connection must be closed then.
  Result<const wire::Frame*> Next();

 private:
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0;
  uint32_t max_frame_bytes_;
};

// Writes all of `bytes`, blocking if the socket does, with up to 4 descriptors attached to the first byte.
// Error SYSTEM when the peer is gone.
Result<> WriteAll(int socket, std::span<const uint8_t> bytes, std::span<const int> descriptors = {});

// Reads what is there, at most `capacity` bytes, appending received descriptors (close-on-exec). Returns the number of
// bytes, 0 at the end of the stream, and -1 when a non-blocking socket has nothing.
Result<int64_t> ReadSome(int socket, uint8_t* bytes, size_t capacity, std::vector<int>* descriptors);

}  // namespace manta::contracts
