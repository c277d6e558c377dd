// Threads that run calls of an actor: first come, first started.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace manta::worker {

// Threads are started when there is more to do than threads, up to the limit. Add, Drain and Stop are for one thread; Stop is called
// before the end.
class CallPool {
 public:
  using Call = std::function<void()>;
  explicit CallPool(uint32_t limit) : limit_(limit) {}
  ~CallPool() { Stop(); }

  void Add(Call call);
  // Until every call that was added is done.
  void Drain();
  // Takes no more calls, and waits for those that were added: they know whether there is still something to do.
  void Stop();

 private:
  void Run();

  const uint32_t limit_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable idle_;
  std::deque<Call> calls_;
  uint32_t running_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace manta::worker
