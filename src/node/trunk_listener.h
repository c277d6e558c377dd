// The head's door for the daemons of other nodes: a TCP port behind which nothing is said before the secret has been proved.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "node/event_loop.h"
#include "node/trunk_link.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class TrunkListener {
 public:
  static constexpr Nanoseconds kHandshakeLimit = 5 * kSecond;
  static constexpr size_t kMaxStrangers = 16;  // that have not proved themselves

  // The link of a daemon that knows the secret. The callback owns what comes next: TrunkWelcome, or Refused.
  using OnPeer = std::function<void(std::shared_ptr<TrunkLink> link, const std::string& from)>;

  // `address` is numeric; port 0: any that is free. Error SYSTEM, e.g. when the port is in use.
  static Result<std::unique_ptr<TrunkListener>> Open(EventLoop& loop, spdlog::logger& log,
                                                     const std::string& address, uint16_t port,
                                                     std::string secret, OnPeer on_peer);
  ~TrunkListener();

  uint16_t port() const { return port_; }

 private:
  struct Stranger;

  TrunkListener(EventLoop& loop, spdlog::logger& log, std::string secret, OnPeer on_peer);
  void Accept();
  void OnFrame(uint64_t id, const trunk::FrameView& frame);
  void Drop(uint64_t id, const std::string& reason);

  EventLoop& loop_;
  spdlog::logger& log_;
  const std::string secret_;
  OnPeer on_peer_;
  UniqueFd socket_;
  uint16_t port_ = 0;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> pause_;  // while there are no descriptors left
  uint64_t last_ = 0;
  std::map<uint64_t, std::unique_ptr<Stranger>> strangers_;
};

}  // namespace manta::node
