#include "worker/control_client.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "worker/clock.h"
#include "worker/start_thread.h"

namespace manta::worker {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

}  // namespace

ControlClient::ControlClient(int socket, contracts::FrameReader reader)
    : socket_(socket), wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), reader_(std::move(reader)) {}

ControlClient::~ControlClient() {
  Stop();
  close(socket_);
  close(wake_fd_);
}

void ControlClient::Start(Handlers handlers) {
  handlers_ = std::move(handlers);
  // Signals are for the user's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const std::shared_ptr<void> restore(nullptr, [&before](void*) { pthread_sigmask(SIG_SETMASK, &before, nullptr); });
  thread_ = StartThread([this] {
    Run();
    std::lock_guard guard(end_mutex_);
    ended_ = true;
    end_.notify_all();
  });
}

bool ControlClient::AwaitEnd(std::chrono::milliseconds limit) {
  std::unique_lock guard(end_mutex_);
  return end_.wait_for(guard, limit, [this] { return ended_; });
}

void ControlClient::Stop() {
  if (!thread_.joinable()) return;
  stopping_.store(true);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = write(wake_fd_, &one, sizeof one);
  thread_.join();
}

void ControlClient::AbandonAfterFork() {
  abandoned_ = true;
  has_output_.store(false, std::memory_order_relaxed);
  ticking_.store(true, std::memory_order_relaxed);
  close(socket_);
  close(wake_fd_);
}

void ControlClient::QueueBytes(std::vector<uint8_t> bytes) {
  if (abandoned_) return;
  std::lock_guard guard(queue_mutex_);
  output_.insert(output_.end(), bytes.begin(), bytes.end());
  has_output_.store(true, std::memory_order_release);
}

void ControlClient::Send() {
  std::lock_guard sending(send_mutex_);
  std::vector<uint8_t> bytes;
  {
    std::lock_guard guard(queue_mutex_);
    bytes.swap(output_);
    has_output_.store(false, std::memory_order_relaxed);
  }
  // A daemon that is gone shows on the reading side.
  if (!bytes.empty()) (void)contracts::WriteAll(socket_, bytes);
}

void ControlClient::StartTicking() {
  if (!ticking_.exchange(true)) TickNow();
}

void ControlClient::TickNow() {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t ignored = write(wake_fd_, &one, sizeof one);
}

bool ControlClient::ReadFrames() {
  std::vector<int> descriptors;
  uint8_t buffer[kReadBytes];
  const Result<int64_t> count = contracts::ReadSome(socket_, buffer, sizeof buffer, &descriptors);
  for (int descriptor : descriptors) close(descriptor);
  if (!count || count.value() == 0) return false;
  if (count.value() > 0) reader_.Append({buffer, static_cast<size_t>(count.value())});
  for (;;) {
    const Result<const wire::Frame*> frame = reader_.Next();
    if (!frame) return false;
    if (frame.value() == nullptr) return true;
    handlers_.on_frame(*frame.value());
  }
}

void ControlClient::Run() {
  int64_t next_tick = -1;
  while (!stopping_.load()) {
    pollfd sources[2] = {{socket_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
    const timespec limit{next_tick / 1'000'000'000, next_tick % 1'000'000'000};
    const int ready = ppoll(sources, 2, next_tick < 0 ? nullptr : &limit, nullptr);
    if (ready < 0 && errno != EINTR) break;
    if (sources[1].revents != 0) {
      uint64_t ignored_count;
      [[maybe_unused]] ssize_t ignored = read(wake_fd_, &ignored_count, sizeof ignored_count);
    }
    if (stopping_.load()) return;
    if (sources[0].revents != 0 && !ReadFrames()) {
      handlers_.on_closed();
      return;
    }
    ticking_.store(true);
    next_tick = handlers_.on_tick(NowNs());
    if (next_tick < 0) {
      // Who sees `false` from here on wakes the poll; who saw `true` before is seen by one more tick.
      ticking_.store(false);
      next_tick = handlers_.on_tick(NowNs());
      if (next_tick >= 0) ticking_.store(true);
    }
    Flush();
  }
}

Result<Handshake> ShakeHands(int socket, wire::HelloT hello, int64_t timeout_ns) {
  hello.protocol_min = contracts::kProtocolMin;
  hello.protocol_max = contracts::kProtocolMax;
  // A daemon that has ended already may have said why before: that counts, and not the failed write.
  (void)contracts::WriteAll(socket, contracts::Encode(std::move(hello)));
  Handshake handshake;
  const int64_t deadline = NowNs() + timeout_ns;
  for (;;) {
    Result<const wire::Frame*> frame = handshake.reader.Next();
    if (!frame) return frame.error();
    if (frame.value() != nullptr) {
      if (const wire::Welcome* welcome = frame.value()->message_as_Welcome()) {
        welcome->UnPackTo(&handshake.welcome);
        return handshake;
      }
      if (const wire::Refused* refused = frame.value()->message_as_Refused()) {
        const std::string text = refused->message() == nullptr ? "" : refused->message()->str();
        const uint32_t kind = refused->kind();
        return MakeError(kind >= MANTA_ERROR_INVALID_ARGUMENT && kind <= MANTA_ERROR_SYSTEM
                             ? static_cast<manta_error_kind>(kind)
                             : MANTA_ERROR_START_FAILED,
                         text);
      }
      continue;
    }
    pollfd source{socket, POLLIN, 0};
    const int64_t left_ms = (deadline - NowNs()) / 1'000'000;
    if (left_ms <= 0 || poll(&source, 1, static_cast<int>(left_ms)) == 0) {
      return MakeError(MANTA_ERROR_START_FAILED, "the node daemon did not answer the handshake within " +
                                                     std::to_string(timeout_ns / 1'000'000) + " ms");
    }
    uint8_t buffer[4096];
    Result<int64_t> count =
        contracts::ReadSome(socket, buffer, sizeof buffer, &handshake.descriptors);
    if (!count || count.value() == 0) {
      return MakeError(MANTA_ERROR_START_FAILED,
                       "the node daemon ended during the handshake; what it wrote to the standard error, or daemon.log in its "
                       "session directory, says why");
    }
    if (count.value() > 0) handshake.reader.Append({buffer, static_cast<size_t>(count.value())});
  }
}

}  // namespace manta::worker
