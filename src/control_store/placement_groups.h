// All placement groups of the cluster: where their bundles are, and how they get there. Pure.
//
// A group is placed in two steps, so that it gets all its bundles or none. The table plans, by what the nodes have free, or else by what
// is not reserved for other groups; each node of the plan is asked for its bundles (one attempt), and reserves them once they fit. When
// all have, the group is created. A node gives no answer before that: its queue is the wait for resources. With several nodes a plan
// that waits is looked at again: one that has become better elsewhere is given up, and so is one of which only a part has come after a
// while, since two groups may each hold what the other needs.
//
// Groups are planned in the order of their creation. One that has to wait for other groups to go lets later ones pass for a while, and
// then no more: else small groups could keep a great one out for ever.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "contracts/placement_groups.h"
#include "control_store/bundle_placement.h"

namespace manta::control_store {

class PlacementGroups final : public contracts::PlacementGroups {
 public:
  using Nanoseconds = model::Nanoseconds;
  static constexpr Nanoseconds kLookAgain = 500'000'000;       // at a plan that waits, with several nodes
  static constexpr Nanoseconds kPartialLimit = 2'000'000'000;  // of one that has come in part
  static constexpr Nanoseconds kLetPass = 5'000'000'000;       // later groups

  // How many removed groups are remembered.
  explicit PlacementGroups(size_t remembered = 1000) : remembered_(remembered) {}

  void NodeUp(Nanoseconds now, uint32_t node, const model::ResourceSet& total, const model::NodeLabels& labels) override;
  void NodeDown(Nanoseconds now, uint32_t node) override;
  void NodeFree(uint32_t node, const model::ResourceSet& available) override;
  Result<> Create(Nanoseconds now, contracts::PlacementGroupEntry group) override;
  bool Remove(Nanoseconds now, PlacementGroupId group) override;
  void Reserved(Nanoseconds now, uint32_t node, PlacementGroupId group, uint32_t attempt) override;
  std::vector<PlacementGroupId> OfJob(JobId job) const override;
  void Tick(Nanoseconds now) override;
  Nanoseconds NextDeadline() const override;
  std::vector<contracts::PlacementAction> TakeActions() override { return std::exchange(actions_, {}); }
  const contracts::PlacementGroupEntry* Find(PlacementGroupId group) const override;
  const contracts::PlacementGroupEntry* FindByName(const std::string& name, const std::string& ray_namespace) const override;
  std::vector<const contracts::PlacementGroupEntry*> List() const override;
  std::vector<Waiting> Unmet() const override;
  bool AnyWaits() const override { return !waiting_.empty(); }
  Waiting ReasonOf(PlacementGroupId group) const override;

  // Aborts the program with a message if an invariant is broken.
  void CheckInvariants() const;

 private:
  struct Group {
    contracts::PlacementGroupEntry entry;
    uint64_t arrival = 0;
    Nanoseconds since = 0;  // it waits
    // The attempt under way, if `planned` is not empty: the node of each bundle, which nodes have not reserved yet, and since when.
    uint32_t attempt = 0;
    std::vector<uint32_t> planned;
    std::set<uint32_t> awaited;
    Nanoseconds asked_at = 0;

    bool waits() const { return !entry.is_over() && entry.state != contracts::PlacementGroupState::kCreated; }
  };
  struct Node {
    model::ResourceSet total;
    model::ResourceSet reserved;  // by bundles, or promised to attempts
    model::ResourceSet available;
    model::NodeLabels labels;
  };

  void PlanWaiting(Nanoseconds now);
  bool Plan(Nanoseconds now, Group* group);
  std::optional<std::vector<uint32_t>> BestPlan(const Group& group) const;
  void GiveUp(Group* group);
  void Place(Group* group, const std::vector<uint32_t>& nodes, bool reserve);
  std::vector<NodeRoom> Rooms(bool free, const Group& group) const;
  static BundlesToPlace ToPlace(const Group& group);
  std::vector<NodeRoom> Totals() const;
  bool IsFeasible(const Group& group) const;

  using Name = std::pair<std::string, std::string>;  // namespace, name

  const size_t remembered_;
  std::unordered_map<PlacementGroupId, Group> groups_;
  std::map<uint64_t, PlacementGroupId> order_;    // by arrival
  std::map<uint64_t, PlacementGroupId> waiting_;  // of these, those that wait
  std::map<Name, PlacementGroupId> names_;        // of those that are not removed
  std::map<JobId, std::set<PlacementGroupId>> by_job_;
  std::deque<PlacementGroupId> removed_;  // oldest first
  std::map<uint32_t, Node> nodes_;
  uint64_t arrivals_ = 0;
  bool blocked_ = false;  // a group lets no later ones pass
  Nanoseconds last_look_ = 0;
  std::vector<contracts::PlacementAction> actions_;
};

}  // namespace manta::control_store
