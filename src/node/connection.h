// One control socket: frames in, frames out, never blocking.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "contracts/frames.h"
#include "node/event_loop.h"

namespace manta::node {

// A peer that does not read (stopped, swapped out) may let this much pile up before it is dropped. What others relay to it waits
// before that (relay_brake.h), and so does output of workers (log_service.h); the rest is few bytes at a time.
inline constexpr size_t kMaxPendingOutput = 64u << 20;
// When more waited and less does now, the observer is told.
inline constexpr size_t kDrainedOutput = 1u << 20;

// Lives on the loop's thread. Held by shared_ptr, because callbacks may close it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    // `frame` is valid during the call.
    virtual void OnFrame(Connection& connection, const wire::Frame& frame) = 0;
    // The peer closed, broke the protocol, or does not read. Called once, never inside of Send and never after Close.
    virtual void OnClosed(Connection& connection, const std::string& reason) = 0;
    // Less than kDrainedOutput waits again. May be called inside of Send; must not close the connection.
    virtual void OnDrained(Connection& connection) = 0;
  };

  static constexpr const char* kClosed = "closed by the peer";  // a reason

  // Both ends of a socket pair serve, too. Call Start before anything arrives.
  Connection(EventLoop& loop, UniqueFd socket, uint32_t max_frame_bytes, Observer& observer);
  ~Connection();

  void Start();
  void set_max_frame_bytes(uint32_t bytes) { reader_.set_max_frame_bytes(bytes); }

  template <class MessageT>
  void Send(MessageT&& message, std::vector<UniqueFd> descriptors = {}) {
    SendFrame(contracts::Encode(std::forward<MessageT>(message)), std::move(descriptors));
  }
  // A whole frame; the descriptors are closed once they are on their way.
  void SendFrame(std::vector<uint8_t> frame, std::vector<UniqueFd> descriptors = {});

  // Ends it without a word to the observer; what is queued is dropped.
  void Close();
  // The same once the queue has been written, or after a second.
  void CloseAfterFlush();

  // While off, what the peer sends stays where it is, its end included.
  void set_reading(bool on);

  bool open() const { return static_cast<bool>(socket_); }
  size_t pending_output() const { return pending_bytes_; }
  uint64_t id() const { return id_; }
  void set_id(uint64_t id) { id_ = id; }

 private:
  struct Output {
    std::vector<uint8_t> bytes;
    size_t written = 0;
    std::vector<UniqueFd> descriptors;
  };

  void Read();
  void TakeFrames();
  void Flush();
  void Fail(std::string reason);  // tells the observer in a later turn

  EventLoop& loop_;
  UniqueFd socket_;
  Observer& observer_;
  contracts::FrameReader reader_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> linger_;
  std::deque<Output> output_;
  size_t pending_bytes_ = 0;
  uint64_t id_ = 0;
  bool failed_ = false;
  bool closing_ = false;
  bool reading_ = true;
  bool was_full_ = false;
};

}  // namespace manta::node
