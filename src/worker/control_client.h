// This process's socket to its node daemon.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "contracts/frames.h"

namespace manta::worker {

// Queue may be called under any lock; Flush must not. Frames go out in the order of Queue. One thread, the service thread,
// reads: it answers the daemon while user code runs, and never needs anything that user code could hold for long.
class ControlClient {
 public:
  struct Handlers {
    std::function<void(const wire::Frame&)> on_frame;
    std::function<void()> on_closed;             // the daemon is gone; called once
    std::function<int64_t(int64_t now)> on_tick;  // returns nanoseconds until the next tick, -1: when woken
  };

  // Takes over `socket`, on which the handshake is done; `reader` may hold frames that followed it.
  ControlClient(int socket, contracts::FrameReader reader);
  ~ControlClient();  // Stop()

  // Throws std::system_error when there can be no more threads; then it is as before.
  void Start(Handlers handlers);
  // Waits until the service thread has ended because the daemon closed the connection; false when the time is up.
  bool AwaitEnd(std::chrono::milliseconds limit);
  // Ends the service thread; no handler runs afterwards. Not from a handler.
  void Stop();

  // In a child of fork(), where the service thread does not exist: what is queued goes nowhere, and the daemon sees that the
  // connection ends with the parent.
  void AbandonAfterFork();

  template <class MessageT>
  void Queue(MessageT&& message) {
    QueueBytes(contracts::Encode(std::forward<MessageT>(message)));
  }
  void Flush() {
    if (__builtin_expect(has_output_.load(std::memory_order_acquire), 0)) Send();
  }

  // Makes the service thread tick soon. Cheap when it is ticking already.
  void WakeTicker() {
    if (__builtin_expect(!ticking_.load(std::memory_order_relaxed), 0)) StartTicking();
  }
  // The same for a service thread that ticks, but at its own pace. A system call.
  void TickNow();

 private:
  void QueueBytes(std::vector<uint8_t> bytes);
  void Send();
  void StartTicking();
  void Run();
  bool ReadFrames();

  const int socket_;
  int wake_fd_;
  contracts::FrameReader reader_;
  Handlers handlers_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::mutex end_mutex_;  // over the next
  bool ended_ = false;
  std::condition_variable end_;
  bool abandoned_ = false;  // written once, in a process of one thread
  std::atomic<bool> ticking_{false};
  std::atomic<bool> has_output_{false};
  std::mutex queue_mutex_;  // over output_; innermost
  std::vector<uint8_t> output_;
  std::mutex send_mutex_;  // held while writing, so that frames keep their order
};

// The first exchange: sends `hello`, waits for Welcome (its descriptors are appended) or Refused.
struct Handshake {
  wire::WelcomeT welcome;
  std::vector<int> descriptors;
  contracts::FrameReader reader;
};
Result<Handshake> ShakeHands(int socket, wire::HelloT hello, int64_t timeout_ns);

}  // namespace manta::worker
