// What owners of this node demand, divided between this node's leases and those of the other (model/demand_split.h). Levels, as all
// demands are: the other node's daemon gets the surplus in the owner's name, and grants to the owner.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/demand_split.h"
#include "model/node_constraint.h"
#include "model/resources.h"
#include "node/event_loop.h"
#include "node/lease_service.h"
#include "node/process_table.h"

namespace manta::node {

class FarDemands {
 public:
  // Resources come free without a word to this class: unmet demands are looked at again this often.
  static constexpr Nanoseconds kAgain = 20 * kMillisecond;
  // A demand that has a first choice leaves it so long at least: what it lacks there may be held by leases that nobody uses, which come
  // back in that time.
  static constexpr Nanoseconds kFirstChoice = 15 * kMillisecond;

  // `send` passes a SetDemand to the other node in its owner's name.
  using Send = std::function<void(ProcessId owner, const wire::SetDemandT& demand)>;

  // How many leases of a shape the bundles of a placement group on the other node could ever hold.
  using GroupCapacity = std::function<uint32_t(const model::BundleRef& bundle, const model::ResourceSet& request)>;

  // `self`: this node.
  FarDemands(EventLoop& loop, ProcessTable& processes, LeaseService& leases, uint32_t self, Send send);
  void set_group_capacity(GroupCapacity capacity) { group_capacity_ = std::move(capacity); }
  // What is free on the other node, as last heard.
  using AvailableThere = std::function<model::ResourceSet()>;
  void set_available_there(AvailableThere available) { available_there_ = std::move(available); }

  // The other node has come, with so much in all; or it has gone.
  void NodeUp(uint32_t index, const model::ResourceSet& total, const model::NodeLabels& labels);
  void NodeDown();

  // Of an owner of this node.
  void Set(const Process& owner, const wire::SetDemand& message);
  void OwnerGone(ProcessId owner);
  // A lease of the other node for an owner of this one.
  void Granted(ProcessId owner, uint32_t key, LeaseId lease);
  // The lease has ended; who held it. False: no lease of the other node.
  bool Ended(LeaseId lease);
  // The other node cannot run the owner's program. True: this node serves the demand; false: nobody can.
  bool Refused(ProcessId owner, uint32_t key);

 private:
  using Key = std::pair<uint64_t, uint32_t>;  // owner, its key
  struct Demand {
    wire::SetDemandT message;  // as the owner said it
    model::ResourceSet resources;
    model::ResourceSet placement;
    model::NodeConstraint nodes;
    uint32_t wanted_there = 0;
    uint32_t held_there = 0;
    uint32_t wanted_here = UINT32_MAX;  // as told; at first nothing was
    bool refused_there = false;
    Nanoseconds unmet_since = 0;  // 0: it holds all that it wants

    model::BundleRef bundle() const { return {{ProcessId{message.group_creator}, message.group_serial}, message.bundle}; }
  };

  void Divide(Key key, bool changed);
  model::DemandOnTwoNodes Weigh(Key key, const Demand& demand) const;
  // Which of the nodes are asked, the better first: true stands for the other one. Leaves out of `input` what will not do.
  std::vector<bool> Order(const Demand& demand, model::DemandOnTwoNodes* input) const;
  std::string WhyNone(const Demand& demand) const;
  void LookAgain();

  ProcessTable& processes_;
  LeaseService& leases_;
  Send send_;
  GroupCapacity group_capacity_;
  AvailableThere available_there_;
  const uint32_t self_;
  bool up_ = false;
  uint32_t index_there_ = 0;
  model::ResourceSet total_there_;
  model::NodeLabels labels_there_;
  std::map<Key, Demand> demands_;
  std::map<LeaseId, Key> leases_there_;
  Timer again_;
};

}  // namespace manta::node
