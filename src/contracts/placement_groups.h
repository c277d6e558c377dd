// The control store's table of placement groups, as the head's daemon uses it. The table decides; the daemon does what it says, asks the
// nodes for bundles and tells the table what came of it. Pure: inputs in, actions out, time as an argument.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "model/bundles.h"
#include "model/node_constraint.h"
#include "model/resources.h"
#include "model/time.h"

namespace manta::contracts {

using model::Nanoseconds;

inline constexpr size_t kMostBundles = 10'000;               // of one group
inline constexpr size_t kMostPlacementGroupNameBytes = 4096;  // of a name, and of its namespace

enum class PlacementStrategy : uint8_t { kPack, kSpread, kStrictPack, kStrictSpread };
enum class PlacementGroupState : uint8_t { kPending, kCreated, kRemoved, kRescheduling };

// As Ray writes them: "PACK", "CREATED".
const char* ToString(PlacementStrategy strategy);
const char* ToString(PlacementGroupState state);

struct PlacementGroupEntry {
  PlacementGroupId id;
  std::string name;  // may be empty: found by id only
  std::string ray_namespace;
  PlacementStrategy strategy = PlacementStrategy::kPack;
  bool detached = false;
  uint32_t soft_node = 0;  // where the bundles had better be; 0: anywhere
  JobId job;
  PlacementGroupState state = PlacementGroupState::kPending;
  std::vector<model::ResourceSet> bundles;
  std::vector<model::NodeConstraint> constraints;  // of each bundle; empty: any node will do for all
  std::vector<uint32_t> nodes;  // of each bundle; 0: nowhere

  bool is_over() const { return state == PlacementGroupState::kRemoved; }
};

// Reserve these bundles of the group on a node. The answer is Reserved, with the attempt.
struct ReserveOnNode {
  uint32_t node;
  PlacementGroupId group;
  uint32_t attempt;
  std::vector<model::BundleRequest> bundles;
};
// The attempt is given up: what waits or is reserved there, and not opened, is free.
struct ReturnOnNode {
  uint32_t node;
  PlacementGroupId group;
  uint32_t attempt;
};
// It is created, removed, or has lost a node: nodes and those who wait for it are to be told.
struct PlacementGroupChanged {
  PlacementGroupId group;
};
using PlacementAction = std::variant<ReserveOnNode, ReturnOnNode, PlacementGroupChanged>;

class PlacementGroups {
 public:
  virtual ~PlacementGroups() = default;

  virtual void NodeUp(Nanoseconds now, uint32_t node, const model::ResourceSet& total, const model::NodeLabels& labels) = 0;
  virtual void NodeDown(Nanoseconds now, uint32_t node) = 0;
  // What of it nobody uses, as last heard.
  virtual void NodeFree(uint32_t node, const model::ResourceSet& available) = 0;

  // Error INVALID_ARGUMENT: another group has the name, or what is asked for makes no sense.
  virtual Result<> Create(Nanoseconds now, PlacementGroupEntry group) = 0;
  // False: it is not there (any more).
  virtual bool Remove(Nanoseconds now, PlacementGroupId group) = 0;
  // A node has reserved all that this attempt wants of it.
  virtual void Reserved(Nanoseconds now, uint32_t node, PlacementGroupId group, uint32_t attempt) = 0;
  // Its groups that are not detached are to be removed, if neither their job has a driver nor their creator lives: those.
  virtual std::vector<PlacementGroupId> OfJob(JobId job) const = 0;

  virtual void Tick(Nanoseconds now) = 0;
  virtual Nanoseconds NextDeadline() const = 0;  // model::kNever: none
  virtual std::vector<PlacementAction> TakeActions() = 0;

  // nullptr: unknown. Removed ones are known for a while.
  virtual const PlacementGroupEntry* Find(PlacementGroupId group) const = 0;
  virtual const PlacementGroupEntry* FindByName(const std::string& name, const std::string& ray_namespace) const = 0;
  // The oldest first.
  virtual std::vector<const PlacementGroupEntry*> List() const = 0;

  struct Waiting {
    PlacementGroupId group;
    Nanoseconds since;
    bool infeasible;             // nothing that the cluster has would do
    std::vector<uint32_t> nodes;  // that it waits for, having asked them for bundles
    std::string reason;          // if it has asked none
  };
  virtual std::vector<Waiting> Unmet() const = 0;
  virtual bool AnyWaits() const = 0;
  // Why this one waits; what a node it waits for has to say is not in it.
  virtual Waiting ReasonOf(PlacementGroupId group) const = 0;
};

}  // namespace manta::contracts
