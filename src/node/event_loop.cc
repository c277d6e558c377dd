#include "node/event_loop.h"

#include <time.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace manta::node {

namespace asio = boost::asio;

struct EventLoop::State {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::signal_set signals{io};
  std::function<void(int)> on_signal;

  void AwaitSignal() {
    signals.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      on_signal(signal);
      AwaitSignal();
    });
  }
};

EventLoop::EventLoop() : state_(std::make_unique<State>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::Run() {
  state_->io.run();
  state_->io.restart();
}
void EventLoop::Stop() { state_->io.stop(); }
void EventLoop::Post(std::function<void()> task) { asio::post(state_->io, std::move(task)); }

void EventLoop::OnSignals(std::initializer_list<int> signals, std::function<void(int)> on_signal) {
  for (int signal : signals) state_->signals.add(signal);
  state_->on_signal = std::move(on_signal);
  state_->AwaitSignal();
}

Nanoseconds EventLoop::Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// Handlers that are already queued when the owner goes away find `armed` cleared or another serial.
struct Timer::State {
  State(asio::io_context& io, std::function<void()> callback)
      : timer(io), on_expiry(std::move(callback)) {}
  asio::steady_timer timer;
  std::function<void()> on_expiry;
  uint64_t serial = 0;
  bool armed = false;
};

Timer::Timer(EventLoop& loop, std::function<void()> on_expiry)
    : state_(std::make_shared<State>(loop.state_->io, std::move(on_expiry))) {}

Timer::~Timer() { Cancel(); }

void Timer::ExpireAt(Nanoseconds deadline) { ExpireAfter(deadline - EventLoop::Now()); }

void Timer::ExpireAfter(Nanoseconds delay) {
  if (delay < 0) delay = 0;
  state_->armed = true;
  const uint64_t serial = ++state_->serial;
  state_->timer.expires_after(std::chrono::nanoseconds(delay));
  state_->timer.async_wait([state = state_, serial](const boost::system::error_code&) {
    if (!state->armed || state->serial != serial) return;
    state->armed = false;
    state->on_expiry();
  });
}

void Timer::Cancel() {
  if (!state_->armed) return;
  state_->armed = false;
  state_->timer.cancel();
}

bool Timer::armed() const { return state_->armed; }

struct FdWatch::State {
  explicit State(asio::io_context& io) : descriptor(io) {}
  asio::posix::stream_descriptor descriptor;
  std::function<void()> on_readable;
  std::function<void()> on_writable;
  bool reading = false;
  bool writing = false;
  bool alive = true;
};

FdWatch::FdWatch(EventLoop& loop, int fd, std::function<void()> on_readable,
                 std::function<void()> on_writable)
    : state_(std::make_shared<State>(loop.state_->io)) {
  state_->on_readable = std::move(on_readable);
  state_->on_writable = std::move(on_writable);
  boost::system::error_code error;
  // Fails only for descriptors that epoll does not take, such as plain files: a mistake of the caller.
  state_->descriptor.assign(fd, error);
  if (error) state_->alive = false;
}

FdWatch::~FdWatch() {
  const bool assigned = state_->alive;
  state_->alive = false;
  if (assigned) state_->descriptor.release();  // cancels, and leaves the descriptor open
}

void FdWatch::WantRead() {
  if (!state_->alive || std::exchange(state_->reading, true)) return;
  state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                [state = state_](const boost::system::error_code& error) {
                                  state->reading = false;
                                  if (state->alive && !error) state->on_readable();
                                });
}

void FdWatch::WantWrite() {
  if (!state_->alive || std::exchange(state_->writing, true)) return;
  state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_write,
                                [state = state_](const boost::system::error_code& error) {
                                  state->writing = false;
                                  if (state->alive && !error) state->on_writable();
                                });
}

}  // namespace manta::node
