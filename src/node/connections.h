// All control sockets of the daemon: the handshake, and its limits before a peer has proved who it is.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "node/admission.h"
#include "node/connection.h"
#include "node/event_loop.h"

namespace spdlog {
class logger;
}

namespace manta::node {

// What the daemon knows of a peer before it says Hello.
struct Peer {
  enum class Kind { kInheritedDriver, kWorker, kZygote, kStranger };
  Kind kind = Kind::kStranger;
  ProcessId process;     // workers: given at the start; everybody once admitted, zygotes excepted
  uint64_t zygote = 0;   // zygotes: which one
  pid_t pid = 0;         // strangers: as the kernel says
};

class Connections : public Connection::Observer {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    // The Hello has been checked. Returns the process id that the connection stands for from now on (none for a zygote). May send
    // and may close the connection.
    virtual ProcessId OnHello(const Peer& peer, const std::shared_ptr<Connection>& connection,
                              const wire::Hello& hello) = 0;
    virtual void OnMessage(const Peer& peer, const wire::Frame& frame) = 0;
    // Also for peers that never got as far as Hello, strangers excepted.
    virtual void OnLost(const Peer& peer, const std::string& reason) = 0;
    // Much waited for it, and little does now (kDrainedOutput).
    virtual void OnDrained(const Peer& peer) = 0;
    // There is one stranger less.
    virtual void OnRoomForStrangers() = 0;
  };

  static constexpr Nanoseconds kHelloLimit = 5 * kSecond;
  static constexpr size_t kMaxStrangers = 64;  // that have not said Hello

  Connections(EventLoop& loop, spdlog::logger& log, std::string secret, Observer& observer);

  // Strangers only while there is room for them: whoever listens lets the others wait.
  std::shared_ptr<Connection> Add(UniqueFd socket, Peer peer);
  bool has_room_for_strangers() const { return strangers_ < kMaxStrangers; }
  // Without a word to the observer.
  void Drop(uint64_t connection);
  // The same, for one that is still sending its last words (Connection::CloseAfterFlush).
  void Forget(uint64_t connection) { Erase(connection); }
  void CloseAll();

 private:
  struct Entry {
    std::shared_ptr<Connection> connection;
    Peer peer;
    bool admitted = false;
    std::unique_ptr<Timer> hello_limit;
  };

  void OnFrame(Connection& connection, const wire::Frame& frame) override;
  void OnClosed(Connection& connection, const std::string& reason) override;
  void OnDrained(Connection& connection) override;
  void Admit(Entry& entry, const wire::Frame& frame);
  AdmissionRules RulesFor(const Peer& peer) const;
  void Erase(uint64_t id);
  void OneStrangerLess();

  EventLoop& loop_;
  spdlog::logger& log_;
  std::string secret_;
  Observer& observer_;
  uint64_t last_id_ = 0;
  size_t strangers_ = 0;  // not admitted yet
  std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace manta::node
