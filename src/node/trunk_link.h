// One TCP connection to another daemon: frames in, frames out, never blocking. What is sent within one turn of the loop goes out in
// one write.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "node/event_loop.h"
#include "trunk/frames.h"

namespace manta::node {

// Lives on the loop's thread. Held by shared_ptr, because callbacks may close it.
class TrunkLink : public std::enable_shared_from_this<TrunkLink> {
 public:
  struct Events {
    std::function<void(const trunk::FrameView&)> on_frame;  // the view is valid during the call
    std::function<void(const std::string& reason)> on_closed;  // once, never inside of Send and never after Close
    std::function<void()> on_drained;  // less than kDrained waits again; may be empty
  };

  // How much may wait is decided by those who send much, each with a mark of its own above which it pauses until less than this waits:
  //   pieces of objects       this mark itself (ObjectCopies::Pump)
  //   tasks and completions   FarChannels::kMostTasks, kMostCompletions; what a dead worker has left in its rings goes out at once
  //   what processes relay    RelayBrake::kMost and what each sender has under way; with RelayBrake::kPatience
  //   keys and values         this mark itself (KeyValueService)
  //   lines of workers        LogService: a few MiB, more is skipped
  // All else is few bytes for each task, object or process.
  static constexpr size_t kDrained = 1u << 20;
  // A peer that does not read although this much waits is dropped.
  static constexpr size_t kMostPending = 256u << 20;

  TrunkLink(EventLoop& loop, UniqueFd socket, uint32_t max_body);
  ~TrunkLink();

  void Start(Events events);
  void set_events(Events events) { events_ = std::move(events); }
  void set_max_body(uint32_t bytes) { cutter_.set_max_body(bytes); }

  void Send(trunk::FrameKind kind, std::span<const uint8_t> first, std::span<const uint8_t> rest = {});
  template <class MessageT>
  void SendToNode(MessageT&& message) {
    Send(trunk::FrameKind::kNode, contracts::Encode(std::forward<MessageT>(message)));
  }
  void SendWithProcess(trunk::FrameKind kind, ProcessId process, std::span<const uint8_t> frame) {
    Send(kind, trunk::BytesOf(process.value), frame);
  }

  // While polled, what is sent waits for the next Exchange.
  void set_polled(bool polled);
  // For who polls: writes what waits and reads what is there, now. Whether there was anything to read.
  bool Exchange();

  // Ends it without a word to the observer.
  void Close();
  // The same after what is queued was written, as far as the socket takes it.
  void FlushAndClose();

  bool open() const { return static_cast<bool>(socket_); }
  size_t pending() const { return output_.size() - written_; }
  Nanoseconds heard_at() const { return heard_at_; }

 private:
  void OnReadable();
  bool Read();
  void Flush();
  void FlushSoon();
  void Fail(std::string reason);

  EventLoop& loop_;
  UniqueFd socket_;
  Events events_;
  trunk::FrameCutter cutter_;
  std::unique_ptr<FdWatch> watch_;
  std::vector<uint8_t> input_;
  std::vector<uint8_t> output_;
  size_t written_ = 0;
  bool flush_posted_ = false;
  bool polled_ = false;
  bool was_full_ = false;
  bool failed_ = false;
  Nanoseconds heard_at_ = 0;
};

}  // namespace manta::node
