#include "testing/node_daemon/peer.h"

#include <sys/mman.h>

#include <algorithm>

namespace manta::testing {
namespace {

using Clock = std::chrono::steady_clock;

int MillisecondsUntil(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::max<int64_t>(0, left));
}

unsigned char* MapShared(int fd, uint64_t bytes) {
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return address == MAP_FAILED ? nullptr : static_cast<unsigned char*>(address);
}

}  // namespace

wire::HelloT MakeHello(wire::Role role) {
  wire::HelloT hello;
  hello.protocol_min = contracts::kProtocolMin;
  hello.protocol_max = contracts::kProtocolMax;
  hello.role = role;
  hello.pid = getpid();
  return hello;
}

Peer::Peer(Peer&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      reader_(std::move(other.reader_)),
      kept_(std::move(other.kept_)),
      welcome_(std::move(other.welcome_)),
      refusal_(std::move(other.refusal_)),
      descriptors_(std::exchange(other.descriptors_, {})),
      control_(std::exchange(other.control_, nullptr)),
      objects_(std::exchange(other.objects_, nullptr)) {}

void Peer::Close() {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  for (int fd : descriptors_) close(fd);
  descriptors_.clear();
  if (control_ != nullptr) munmap(control_, welcome_.control_bytes);
  if (objects_ != nullptr) munmap(objects_, welcome_.object_bytes);
  control_ = objects_ = nullptr;
}

void Peer::SendBytes(const std::vector<uint8_t>& bytes) {
  (void)contracts::WriteAll(socket_, bytes);
}

bool Peer::ReadMore(int timeout_ms) {
  pollfd readable{socket_, POLLIN, 0};
  if (poll(&readable, 1, timeout_ms) <= 0) return false;
  uint8_t buffer[64 * 1024];
  const Result<int64_t> size =
      contracts::ReadSome(socket_, buffer, sizeof buffer, &descriptors_);
  if (!size || size.value() <= 0) return false;
  reader_.Append({buffer, static_cast<size_t>(size.value())});
  return true;
}

std::optional<wire::FrameT> Peer::AwaitType(wire::Message type, int timeout_ms) {
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    if (kept->message.type != type) continue;
    wire::FrameT frame = std::move(*kept);
    kept_.erase(kept);
    return frame;
  }
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  for (;;) {
    const Result<const wire::Frame*> next = reader_.Next();
    if (!next) return std::nullopt;
    if (next.value() == nullptr) {
      if (!ReadMore(MillisecondsUntil(deadline))) return std::nullopt;
      continue;
    }
    wire::FrameT frame;
    next.value()->UnPackTo(&frame);
    if (frame.message.type == type) return frame;
    kept_.push_back(std::move(frame));
  }
}

bool Peer::AwaitClosed(int timeout_ms) {
  const auto deadline = Clock::now() + std::chrono::milliseconds(timeout_ms);
  pollfd readable{socket_, POLLIN, 0};
  while (poll(&readable, 1, MillisecondsUntil(deadline)) > 0) {
    uint8_t buffer[64 * 1024];
    const ssize_t size = read(socket_, buffer, sizeof buffer);
    if (size <= 0) return true;
  }
  return false;
}

bool Peer::Join(wire::HelloT hello) {
  const bool tool = hello.role == wire::Role::Tool;
  Send(std::move(hello));
  for (;;) {
    const Result<const wire::Frame*> next = reader_.Next();
    if (!next) return false;
    if (next.value() == nullptr) {
      if (!ReadMore(kPatienceMs)) return false;
      continue;
    }
    if (const auto* refused = next.value()->message_as_Refused()) {
      refusal_ = refused->message()->str();
      return false;
    }
    const auto* welcome = next.value()->message_as_Welcome();
    if (welcome == nullptr) return false;
    welcome->UnPackTo(&welcome_);
    return tool || descriptors_.size() == 2;
  }
}

unsigned char* Peer::control() {
  if (control_ == nullptr) control_ = MapShared(descriptors_.at(0), welcome_.control_bytes);
  return control_;
}

shm::ObjectSlot<shm::RealAtomics>& Peer::object_slot(uint32_t slot) {
  if (objects_ == nullptr) objects_ = MapShared(descriptors_.at(1), welcome_.object_bytes);
  return reinterpret_cast<shm::ObjectSlot<shm::RealAtomics>*>(objects_)[slot];
}

bool Peer::Seal(uint32_t slot, uint32_t generation) {
  uint64_t expected = shm::ObjectWord(generation, shm::ObjectState::kWriting);
  return object_slot(slot).word.compare_exchange_strong(
      expected, shm::ObjectWord(generation, shm::ObjectState::kSealed));
}

}  // namespace manta::testing
