// Placement groups as daemons deal with them. The head keeps the table (contracts/placement_groups.h), answers requests of processes, and
// does what the table says: it asks nodes for bundles, its own and the other one, and tells them how groups stand. A node that is not the
// head passes requests on, reserves what the head asks for, and remembers what it was told.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "contracts/placement_groups.h"
#include "node/cluster.h"
#include "node/event_loop.h"
#include "node/lease_service.h"
#include "node/process_table.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class PlacementGroupService {
 public:
  // What waits is reported after the first of these, then each time the second has passed; as demands are.
  static constexpr Nanoseconds kUnmetAfter = LeaseService::kUnmetAfter;
  static constexpr Nanoseconds kUnmetAgain = LeaseService::kUnmetAgain;

  // All arguments outlive this object. The table of a node that is not the head is not used. Sets the hooks of `leases`.
  PlacementGroupService(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, Cluster& cluster, LeaseService& leases,
                        contracts::PlacementGroups& table, uint32_t node_index);

  // The head: of a process of this node, or of the other.
  void Request(const Process& from, const wire::PlacementGroupRequest& message);
  void NodeUp(const NodeInfo& node);
  void NodeDown(uint32_t node);
  void ProcessGone(ProcessId process);
  // A process of the job has ended: its groups do if nobody is left whom they are for.
  void JobHasLost(JobId job);

  // From the other daemon. False: nothing of that.
  bool OnNodeMessage(const wire::Frame& frame);

  // How many leases of this shape the group's bundles on the other node could ever hold.
  uint32_t CapacityThere(const model::BundleRef& bundle, const model::ResourceSet& request) const;
  // What this daemon knows of all groups: all there is to know, on the head.
  std::vector<wire::PlacementGroupT> List() const;

 private:
  // How a group stands, as the head has told this node.
  struct Told {
    contracts::PlacementGroupState state = contracts::PlacementGroupState::kPending;
    std::vector<model::ResourceSet> bundles;
    std::vector<uint32_t> nodes;
    wire::PlacementGroupT group;
  };

  void Create(const Process& from, const wire::PlacementGroupRequest& message);
  void Answer(ProcessId to, uint64_t request, const contracts::PlacementGroupEntry* group);
  void AnswerState(ProcessId to, uint64_t request, const contracts::PlacementGroupEntry* group);
  void Refuse(ProcessId to, uint64_t request, const Error& error);
  void List(ProcessId to, uint64_t request);
  wire::PlacementGroupT Facts(const contracts::PlacementGroupEntry& group) const;
  std::string ReasonOf(const contracts::PlacementGroups::Waiting& waiting) const;
  uint32_t NodeOf(const std::string& node_id) const;

  void Pump();
  void Do(const contracts::ReserveOnNode& reserve);
  void Do(const contracts::ReturnOnNode& give_back);
  void Do(const contracts::PlacementGroupChanged& changed);
  // This node has reserved all that was asked of it for the group.
  void Reserved(PlacementGroupId group);
  bool IsGone(PlacementGroupId group);
  void OnNews(const wire::PlacementGroup& group);
  void CheckUnmet();

  spdlog::logger& log_;
  ProcessTable& processes_;
  Cluster& cluster_;
  LeaseService& leases_;
  contracts::PlacementGroups& table_;
  const uint32_t self_;
  std::unordered_map<PlacementGroupId, uint32_t> attempts_;  // that this node reserves for
  bool pumping_ = false;
  Timer tick_;
  // The head:
  struct Waiter {
    ProcessId process;
    uint64_t request;
  };
  std::multimap<PlacementGroupId, Waiter> waiters_;
  std::map<PlacementGroupId, Nanoseconds> reported_;
  Timer unmet_;
  // Another node:
  static constexpr size_t kMostRemoved = 1000;  // that are remembered
  std::unordered_map<PlacementGroupId, Told> told_;
  std::deque<PlacementGroupId> removed_;  // oldest first
  std::set<PlacementGroupId> asked_;
};

}  // namespace manta::node
