// The other node of the cluster, as this daemon knows it: who it is, whether it lives, which processes it has, and how messages go
// there. A cluster has at most two nodes so far; the head refuses a third.
//
// Processes of the other node stand in the process table with `far` set, so that whatever is sent to them goes over the trunk, and
// leases, channels and relayed messages find them like any other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/node_constraint.h"
#include "model/resources.h"
#include "node/event_loop.h"
#include "node/executables.h"
#include "node/process_table.h"
#include "node/trunk_link.h"
#include "node/trunk_listener.h"
#include "node/zygote_launcher.h"
#include "trunk/frames.h"

namespace spdlog {
class logger;
}

namespace manta::node {

struct NodeInfo {
  uint32_t index = 0;
  std::string node_id;
  std::string address;
  int pid = 0;
  bool head = false;
  bool alive = false;
  model::ResourceSet total;
  model::ResourceSet available;
  model::NodeLabels labels;
};

class Cluster {
 public:
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void OnNodeUp(const NodeInfo& node, const std::shared_ptr<TrunkLink>& link) = 0;
    // Its processes are still in the table.
    virtual void OnNodeDown(const NodeInfo& node, const std::string& reason) = 0;
    // May give it a page.
    virtual void OnFarProcess(Process& process) = 0;
    virtual void OnFarProcessGone(ProcessId process, const wire::CauseT& cause) = 0;
    // What a process of the other node would have sent to this daemon.
    virtual void OnFarRequest(Process& sender, const wire::Frame& frame) = 0;
    // For a process of this node.
    virtual void OnDelivery(Process& receiver, trunk::ControlFrame frame) = 0;
    virtual void OnNodeMessage(const wire::Frame& frame) = 0;
    // Tasks, completions, objects. False: it breaks the protocol.
    virtual bool OnData(const trunk::FrameView& frame) = 0;
    // Bulk data may go on.
    virtual void OnTrunkDrained() = 0;
  };

  static constexpr size_t kDeadRemembered = 32;  // for listings
  static constexpr Nanoseconds kSignOfLife = 250 * kMillisecond;
  // So long without any: dead. A connection that breaks says it at once.
  static constexpr Nanoseconds kSilence = 10 * kSecond;

  Cluster(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, NodeInfo self,
          std::function<model::ResourceSet()> available, Observer& observer);
  ~Cluster();

  // The head: lets a node in.
  Result<uint16_t> Listen(const std::string& address, uint16_t port, const std::string& secret);
  // Not the head: what JoinCluster has made.
  void Adopt(UniqueFd trunk);

  bool is_head() const { return self_.head; }
  size_t pending() const { return link_ == nullptr ? 0 : link_->pending(); }  // bytes on the trunk
  bool up() const { return link_ != nullptr && peer_.alive; }
  bool IsThere(ProcessId process) const { return up() && NodeIndexOf(process) == peer_.index; }
  // This one, and those that are or were there.
  std::vector<NodeInfo> Nodes() const;
  // "; node 2 has {CPU: 2}" of each other node that is alive, for messages, with the labels that the constraint is about.
  std::string OtherNodesText(const model::NodeConstraint& constraint) const;
  // What is free on the other node, as last heard.
  const model::ResourceSet& AvailableThere() const { return peer_.available; }

  // A driver (with its program) or worker of this node; nothing happens while the other one is not up.
  void Announce(const Process& process, const Program* program);
  void AnnounceGone(ProcessId process, const wire::CauseT& cause);
  // How a driver of the other node is started.
  const Program* ProgramOf(JobId job) const;

  // Whole control frames.
  bool SendFrom(ProcessId process, std::span<const uint8_t> frame);
  bool SendTo(ProcessId process, std::span<const uint8_t> frame);
  template <class MessageT>
  void SendToNode(MessageT&& message) {
    if (link_ != nullptr) link_->SendToNode(std::forward<MessageT>(message));
  }

 private:
  void OnPeer(std::shared_ptr<TrunkLink> link, const std::string& from);
  void Greet();
  void OnFrame(const trunk::FrameView& frame);
  bool Handle(const trunk::FrameView& frame);
  bool OnNode(const wire::Frame& frame);
  bool OnFacts(const wire::NodeFacts& facts);
  bool OnJoined(const wire::ProcessJoined& joined);
  void OnClosed(const std::string& reason);
  void Beat();

  EventLoop& loop_;
  spdlog::logger& log_;
  ProcessTable& processes_;
  const NodeInfo self_;
  const std::function<model::ResourceSet()> available_;
  Observer& observer_;
  std::unique_ptr<TrunkListener> listener_;
  std::shared_ptr<TrunkLink> link_;
  NodeInfo peer_;
  std::vector<NodeInfo> dead_;
  uint32_t last_index_ = 1;
  std::unordered_map<JobId, Program> programs_;      // of the other node's drivers
  Timer beat_;
};

}  // namespace manta::node
