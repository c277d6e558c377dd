// The far end of a node daemon's sockets, for tests: a driver, a worker or a tool that says what the test wants.
#pragma once

#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "contracts/frames.h"
#include "contracts/session_files.h"
#include "shm/channel.h"

namespace manta::testing {

inline constexpr int kPatienceMs = 10'000;

// One control socket. What arrives out of turn is kept for later.
class Peer {
 public:
  explicit Peer(int socket) : socket_(socket) {}
  Peer(Peer&& other) noexcept;
  ~Peer() { Close(); }

  template <class MessageT>
  void Send(MessageT&& message) {
    SendBytes(contracts::Encode(std::forward<MessageT>(message)));
  }
  void SendBytes(const std::vector<uint8_t>& bytes);

  // The next message of this type, nullptr if none comes in time.
  template <class MessageT>
  std::unique_ptr<MessageT> Await(int timeout_ms = kPatienceMs) {
    const auto type = wire::MessageUnionTraits<MessageT>::enum_value;
    std::optional<wire::FrameT> frame = AwaitType(type, timeout_ms);
    if (!frame) return nullptr;
    auto* message = static_cast<MessageT*>(frame->message.value);
    frame->message.value = nullptr;
    frame->message.type = wire::Message::NONE;
    return std::unique_ptr<MessageT>(message);
  }
  // Whether the daemon closes the socket in time; what it says before is dropped.
  bool AwaitClosed(int timeout_ms = kPatienceMs);

  // Says Hello and takes Welcome; false when it was refused (see `refusal`).
  bool Join(wire::HelloT hello);
  const wire::WelcomeT& welcome() const { return welcome_; }
  const std::string& refusal() const { return refusal_; }
  // Received with Welcome.
  const std::vector<int>& descriptors() const { return descriptors_; }

  // The control arena, mapped at the first call.
  unsigned char* control();
  shm::ProcessPage& my_page() { return shm::PageAt(control(), welcome_.page); }
  // Entry of the object table.
  shm::ObjectSlot<shm::RealAtomics>& object_slot(uint32_t slot);
  bool Seal(uint32_t slot, uint32_t generation);

  int socket() const { return socket_; }
  void Close();

 private:
  std::optional<wire::FrameT> AwaitType(wire::Message type, int timeout_ms);
  // False: closed, or nothing in time.
  bool ReadMore(int timeout_ms);

  int socket_;
  contracts::FrameReader reader_;
  std::deque<wire::FrameT> kept_;
  wire::WelcomeT welcome_;
  std::string refusal_;
  std::vector<int> descriptors_;
  unsigned char* control_ = nullptr;
  unsigned char* objects_ = nullptr;
};

// A Hello with this release's versions.
wire::HelloT MakeHello(wire::Role role);

}  // namespace manta::testing
