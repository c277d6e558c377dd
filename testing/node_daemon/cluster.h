// A `manta node` of its own per test, and what the tests want to know about processes.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "testing/node_daemon/peer.h"

namespace manta::testing {

// Starts `manta node` with one end of a socket pair; the test is its driver.
class Cluster {
 public:
  struct Options {
    std::vector<std::string> arguments = {"--num-cpus", "2", "--object-store-bytes", "134217728"};
    std::vector<std::string> environment;  // of the workers, beside the test's own
    std::string executable;                // default: the fake zygote
    std::string working_directory = "/";
    bool log_to_driver = true;
    bool join = true;
  };
  explicit Cluster(Options options);
  Cluster() : Cluster(Options{}) {}
  // Ends it and waits; a daemon that does not end is killed.
  ~Cluster();

  Peer& driver() { return *driver_; }
  bool joined() const { return joined_; }
  pid_t daemon() const { return daemon_; }
  const std::string& session() const { return driver_->welcome().session_directory; }
  wire::HelloT DriverHello() const;

  // Declares `wanted` leases of `cpus` each.
  void Demand(Peer& owner, uint32_t key, uint32_t wanted, double cpus = 1, bool dedicated = false,
              const std::string& resource = "CPU");
  // Sends a command to a worker (fake_zygote_main.cc); its answer comes as Relayed.
  void Command(Peer& owner, uint64_t worker, const std::string& command);
  // The same, and the answer; "(nothing)" if none comes.
  std::string Ask(Peer& owner, uint64_t worker, const std::string& command);
  // A second connection, over the session's socket. Not joined yet.
  std::unique_ptr<Peer> Connect();
  // Answer of a list request, as text.
  std::string List(Peer& peer, const std::string& what);

  // Whether the daemon has ended in time; then `exit_status` is its wait status.
  bool AwaitEnd(int timeout_ms = kPatienceMs);
  int exit_status() const { return exit_status_; }
  // All processes below the daemon.
  std::vector<pid_t> Descendants() const;

 private:
  Options options_;
  std::unique_ptr<Peer> driver_;
  pid_t daemon_ = -1;
  bool joined_ = false;
  bool ended_ = false;
  int exit_status_ = -1;
};

// $MANTA_EXECUTABLE, else the one that was built with this test.
std::string MantaExecutable();

bool IsAlive(pid_t pid);  // and no zombie
bool AwaitAllDead(const std::vector<pid_t>& pids, int timeout_ms = kPatienceMs);
// Polls until it holds or time is up.
bool Eventually(const std::function<bool()>& condition, int timeout_ms = kPatienceMs);
std::vector<std::string> FilesIn(const std::string& directory);

}  // namespace manta::testing
