// What the daemon knows, as JSON. Reads only.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "contracts/actor_names.h"
#include "contracts/placement_groups.h"
#include "model/resources.h"
#include "node/channel_allocator.h"
#include "node/cluster.h"
#include "node/lease_service.h"
#include "node/node_recorder.h"
#include "node/object_space.h"
#include "node/process_table.h"
#include "node/worker_pool.h"

namespace manta::node {

struct NodeFacts {
  std::string node_id;
  std::string session_directory;
  bool embedded = false;
  Nanoseconds started = 0;
};

class Listing {
 public:
  Listing(const NodeFacts& facts, const ProcessTable& processes, const WorkerPool& workers,
          const LeaseService& leases, const ObjectSpace& objects, const ChannelAllocator& channels,
          const NodeRecorder& recorder)
      : facts_(facts),
        processes_(processes),
        workers_(workers),
        leases_(leases),
        objects_(objects),
        channels_(channels),
        recorder_(recorder) {}

  // All nodes of the cluster, this one first.
  using Nodes = std::function<std::vector<NodeInfo>()>;
  void set_nodes(Nodes nodes) { nodes_ = std::move(nodes); }
  // Those that are alive, but for this one.
  std::vector<NodeInfo> OtherNodes() const;

  // JSON: an array of objects, one a row; for resources and status one object. Bounded: an answer fits into one frame.
  struct Answer {
    std::string json;
    uint64_t left_out = 0;  // rows
  };
  // `what` unknown: {"error": ...}.
  Answer Of(const std::string& what) const;
  // What the node has, and what of it is free now.
  const model::ResourceSet& Total() const { return leases_.table().total(); }
  model::ResourceSet Available() const;
  // The same of all nodes that are alive.
  model::ResourceSet ClusterTotal() const;
  model::ResourceSet ClusterAvailable() const;
  // What the lease of this worker is charged when it does not wait; empty when nobody leases it.
  model::ResourceSet LeasedBy(ProcessId worker) const;
  static Answer PlacementGroups(const std::vector<wire::PlacementGroupT>& groups);
  Answer Actors(const std::vector<contracts::ActorEntry>& actors) const;
  struct OwnersTasks {
    ProcessId owner;
    wire::TaskListT tasks;
  };
  Answer Tasks(const std::vector<OwnersTasks>& owners) const;
  // What owners call the objects in slots of shared memory, by slot and generation.
  using ObjectNames = std::map<std::pair<uint32_t, uint32_t>, ObjectId>;
  Answer Objects(const ObjectNames& names) const;

 private:
  Nodes nodes_;
  const NodeFacts facts_;
  const ProcessTable& processes_;
  const WorkerPool& workers_;
  const LeaseService& leases_;
  const ObjectSpace& objects_;
  const ChannelAllocator& channels_;
  const NodeRecorder& recorder_;
};

}  // namespace manta::node
