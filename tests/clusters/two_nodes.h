// A head and a node that joins it, on one machine: daemons of their own with arenas of their own, and TCP between them.
#pragma once

#include <optional>
#include <string>

#include "tests/support/cluster_test.h"

namespace manta_test {

// A daemon that `manta start` has left in the background.
class StartedNode {
 public:
  // `arguments` beside --json. `prefix` goes before the command, to run it elsewhere (ip netns exec ...).
  explicit StartedNode(const std::string& arguments, const std::string& prefix = "");
  ~StartedNode();
  StartedNode(const StartedNode&) = delete;
  StartedNode& operator=(const StartedNode&) = delete;

  bool started() const { return pid_ != 0; }
  const std::string& session() const { return session_; }          // its directory
  const std::string& node_address() const { return node_address_; }  // where nodes join
  pid_t pid() const { return pid_; }
  // At once, and waits until it is gone.
  void Kill();
  void Stop();

 private:
  std::string prefix_;
  std::string session_;
  std::string node_address_;
  pid_t pid_ = 0;
};

// A daemon that neither reads nor writes, as at the end of a slow line.
class Stopped {
 public:
  explicit Stopped(pid_t pid);
  ~Stopped();
  void Continue();

 private:
  pid_t pid_;
};

// Moves this process into a network namespace that `ip netns` has made.
bool EnterNetwork(const std::string& name);

// What `manta` prints.
std::string AnswerOf(const std::string& arguments);

// What `manta start` says when it fails.
std::string RefusalOf(const std::string& arguments, const std::string& prefix = "");

// The driver is connected to the head, which has one CPU, a unit of "near" and the label zone=near; the node has two, a unit of "far" and the
// labels zone=far and disk=ssd.
class TwoNodesTest : public ClusterTest {
 protected:
  static constexpr uint64_t kStore = 64 << 20;

  void SetUp() override;
  void TearDown() override;

  std::optional<StartedNode> head_;
  std::optional<StartedNode> node_;
  std::string head_id_;  // as GetNodeId says it
};

}  // namespace manta_test
