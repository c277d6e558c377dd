// Lets the event loop hear a doorbell: a thread of its own sleeps on the futex, since a loop waits for descriptors only.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "node/event_loop.h"
#include "shm/doorbell.h"

namespace manta::node {

class DoorbellWatch {
 public:
  // `on_ring` is called on the loop's thread, once per Arm.
  DoorbellWatch(EventLoop& loop, shm::Doorbell<shm::RealAtomics>& bell,
                std::function<void()> on_ring);
  ~DoorbellWatch();
  DoorbellWatch(const DoorbellWatch&) = delete;
  DoorbellWatch& operator=(const DoorbellWatch&) = delete;

  // After Announce and a look at all rings that found nothing.
  void Arm();

 private:
  void Run();

  EventLoop& loop_;
  shm::Doorbell<shm::RealAtomics>& bell_;
  const std::function<void()> on_ring_;
  std::mutex mutex_;  // over the two below
  std::condition_variable changed_;
  bool armed_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace manta::node
