// What stands on a trunk once both ends have proved themselves: a header of 8 bytes, then the body of its kind. All numbers are
// little-endian, as everywhere (x86-64 and aarch64).
//
// Control messages travel in the frames of contracts/frames.h, so that a daemon can pass one on as it is. Tasks and completions are
// the structs of shm/channel.h, with their payload behind them.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "contracts/frames.h"
#include "shm/channel.h"

namespace manta::trunk {

enum class FrameKind : uint8_t {
  kNode = 1,        // a control frame, daemon to daemon
  kFrom = 2,        // u64 process, a control frame that it would have sent to the receiving daemon
  kTo = 3,          // u64 process, a control frame for it
  kTask = 4,        // TaskFrame, payload
  kCompletion = 5,  // CompletionFrame, payload
  kTakeBack = 6,    // TakeBackFrame: a task that may not begin; answered by a completion that says kReturned
  kClosing = 7,     // ChannelName: the worker is gone, claim nothing more for it; completions and LeaseLost follow
  kPull = 8,        // PullFrame: send this object
  kChunk = 9,       // ChunkFrame, bytes
  kPullFailed = 10, // u64 request, the reason as text
  kFreeOrigin = 11, // HandleName: the receiver's object has been moved and is not needed there any more
  kOriginFreed = 12 // HandleName: an object that the receiver may have a copy of is gone
};
inline constexpr uint8_t kLastFrameKind = 12;

struct FrameHeader {
  uint32_t bytes;  // of the body
  FrameKind kind;
  uint8_t reserved[3];
};
static_assert(sizeof(FrameHeader) == 8);

struct ChannelName {
  ProcessId owner;
  ProcessId worker;
  auto operator<=>(const ChannelName&) const = default;
};
static_assert(sizeof(ChannelName) == 16);

struct TaskFrame {
  ChannelName channel;
  shm::TaskBody body;  // its payload field is not used; payload_bytes follow
};
static_assert(sizeof(TaskFrame) == 144);

struct CompletionFrame {
  ChannelName channel;
  uint32_t results;          // that the task has: how many entries its list has
  shm::CompletionBody body;  // kResultsShared is never set; payload_bytes follow when it has a list
};
static_assert(sizeof(CompletionFrame) == 80);

struct TakeBackFrame {
  ChannelName channel;
  uint32_t record;
  uint32_t generation;
};
static_assert(sizeof(TakeBackFrame) == 24);

struct PullFrame {
  uint64_t request;
  shm::SharedHandle handle;
};
static_assert(sizeof(PullFrame) == 32);

struct ChunkFrame {
  uint64_t request;
  uint64_t offset;  // in the object
};
static_assert(sizeof(ChunkFrame) == 16);

struct HandleName {
  uint32_t slot;
  uint32_t generation;
  auto operator<=>(const HandleName&) const = default;
};
static_assert(sizeof(HandleName) == 8);

inline constexpr uint32_t kMaxBody = 64u << 20;
inline constexpr uint32_t kMaxBodyBeforeProof = 4096;
inline constexpr uint32_t kChunkBytes = 256 * 1024;

// Appends a frame whose body is `first` and then `rest`.
inline void AppendFrame(std::vector<uint8_t>* out, FrameKind kind, std::span<const uint8_t> first,
                        std::span<const uint8_t> rest = {}) {
  const FrameHeader header{static_cast<uint32_t>(first.size() + rest.size()), kind, {}};
  const auto* begin = reinterpret_cast<const uint8_t*>(&header);
  out->insert(out->end(), begin, begin + sizeof header);
  out->insert(out->end(), first.begin(), first.end());
  out->insert(out->end(), rest.begin(), rest.end());
}

template <class Struct>
std::span<const uint8_t> BytesOf(const Struct& value) {
  static_assert(std::is_trivially_copyable_v<Struct>);
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

// Takes a struct from the front of a body. False: too short.
template <class Struct>
bool Take(std::span<const uint8_t>* body, Struct* value) {
  static_assert(std::is_trivially_copyable_v<Struct>);
  if (body->size() < sizeof *value) return false;
  std::memcpy(value, body->data(), sizeof *value);
  *body = body->subspan(sizeof *value);
  return true;
}

struct FrameView {
  FrameKind kind;
  std::span<const uint8_t> body;
};

// Cuts a byte stream into frames. One per connection.
class FrameCutter {
 public:
  explicit FrameCutter(uint32_t max_body = kMaxBody) : max_body_(max_body) {}

  void set_max_body(uint32_t bytes) { max_body_ = bytes; }
  void Append(std::span<const uint8_t> bytes);
  // The next whole frame, or nothing; valid until the next call of Append or Next. Error: too long, or of no known kind: the
  // connection must be closed.
  Result<std::optional<FrameView>> Next();

 private:
  std::vector<uint8_t> buffer_;
  size_t begin_ = 0;
  uint32_t max_body_;
};

// A control frame from the body of kNode, kFrom or kTo, in memory of its own (so that it is aligned).
class ControlFrame {
 public:
  // None: it does not verify.
  static std::optional<ControlFrame> Decode(std::span<const uint8_t> bytes);
  static ControlFrame Of(std::vector<uint8_t> bytes) { return ControlFrame(std::move(bytes)); }

  const wire::Frame& frame() const { return *wire::GetSizePrefixedFrame(bytes_.data()); }
  std::vector<uint8_t>& bytes() { return bytes_; }

 private:
  explicit ControlFrame(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  std::vector<uint8_t> bytes_;
};

}  // namespace manta::trunk
