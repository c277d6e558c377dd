// The daemon's one thread: descriptors, timers and signals. Boost.Asio behind an interface of a few lines, so that one unit of
// the tree compiles it.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

namespace manta::node {

using Nanoseconds = int64_t;  // of the monotonic clock

inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

class EventLoop;

// Calls back once per arming. Destroying it disarms it; that may happen inside of its own callback.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> on_expiry);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void ExpireAt(Nanoseconds deadline);  // replaces an earlier deadline
  void ExpireAfter(Nanoseconds delay);
  void Cancel();
  bool armed() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Tells when a descriptor is ready. Each Want is answered once; ask again in the callback. Does not own the descriptor, which has
// to stay open until the watch is destroyed (which may happen inside of its own callback).
class FdWatch {
 public:
  FdWatch(EventLoop& loop, int fd, std::function<void()> on_readable,
          std::function<void()> on_writable = {});
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  void WantRead();
  void WantWrite();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Serves until Stop, and may be called again.
  void Run();
  void Stop();
  // Runs `task` in a later turn. The only function that other threads may call.
  void Post(std::function<void()> task);
  // `on_signal` gets each of these signals from now on, as long as the loop lives.
  void OnSignals(std::initializer_list<int> signals, std::function<void(int)> on_signal);

  static Nanoseconds Now();

 private:
  friend class Timer;
  friend class FdWatch;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace manta::node
