// The door for drivers and tools that did not start the cluster: an abstract Unix socket.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "node/event_loop.h"

namespace manta::node {

class Listener {
 public:
  // `on_accept` gets sockets of processes of this user (or root) only, and the peer's process id. While `has_room` is false, peers
  // wait in the queue of the system; GoOn looks again.
  static Result<std::unique_ptr<Listener>> Open(EventLoop& loop, const std::string& name, std::function<bool()> has_room,
                                                std::function<void(UniqueFd, pid_t)> on_accept);
  void GoOn();

 private:
  Listener() = default;
  void Accept();

  UniqueFd socket_;
  std::function<bool()> has_room_;
  bool waits_ = false;
  std::function<void(UniqueFd, pid_t)> on_accept_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> pause_;  // while there are no descriptors left
};

}  // namespace manta::node
