#include "control_store/placement_groups.h"

#include <algorithm>

#include "base/invariants.h"

namespace manta::control_store {

using contracts::PlacementGroupChanged;
using contracts::PlacementGroupEntry;
using contracts::PlacementGroupState;
using contracts::ReserveOnNode;
using contracts::ReturnOnNode;
using model::ResourceSet;

namespace {

constexpr Invariants Require{"placement groups"};

}  // namespace

// ---- Nodes

void PlacementGroups::NodeUp(Nanoseconds now, uint32_t number, const ResourceSet& total, const model::NodeLabels& labels) {
  Node& node = nodes_[number];
  node.labels = labels;
  node.total = node.available = total;
  PlanWaiting(now);
}

void PlacementGroups::NodeDown(Nanoseconds now, uint32_t number) {
  if (nodes_.erase(number) == 0) return;
  for (const auto& [arrival, id] : order_) {
    Group& group = groups_.at(id);
    PlacementGroupEntry& entry = group.entry;
    if (entry.is_over()) continue;
    if (std::find(group.planned.begin(), group.planned.end(), number) != group.planned.end()) GiveUp(&group);
    if (std::find(entry.nodes.begin(), entry.nodes.end(), number) == entry.nodes.end()) continue;
    std::replace(entry.nodes.begin(), entry.nodes.end(), number, uint32_t{0});
    if (entry.state == PlacementGroupState::kCreated) group.since = now;
    entry.state = PlacementGroupState::kRescheduling;
    waiting_[group.arrival] = id;
    actions_.push_back(PlacementGroupChanged{id});
  }
  PlanWaiting(now);
}

void PlacementGroups::NodeFree(uint32_t number, const ResourceSet& available) {
  if (const auto node = nodes_.find(number); node != nodes_.end()) node->second.available = available;
}

// ---- Groups

Result<> PlacementGroups::Create(Nanoseconds now, PlacementGroupEntry entry) {
  const auto refuse = [](const std::string& why) { return MakeError(MANTA_ERROR_INVALID_ARGUMENT, why); };
  if (!entry.id || groups_.contains(entry.id)) return refuse("a placement group with this id exists already");
  if (entry.bundles.empty() || entry.bundles.size() > contracts::kMostBundles) {
    return refuse("a placement group has between 1 and " + std::to_string(contracts::kMostBundles) + " bundles, not " +
                  std::to_string(entry.bundles.size()));
  }
  if (!entry.constraints.empty() && entry.constraints.size() != entry.bundles.size()) {
    return refuse("a placement group has a constraint on nodes for each of its bundles, or none");
  }
  for (size_t i = 0; i < entry.bundles.size(); ++i) {
    if (entry.bundles[i].empty()) return refuse("bundle " + std::to_string(i) + " of the placement group asks for nothing");
    if (Result<> gpus = model::GpuUnits::CheckRequest(entry.bundles[i].Get(model::kGpu)); !gpus) return gpus;
  }
  if (!entry.name.empty() && !names_.try_emplace({entry.ray_namespace, entry.name}, entry.id).second) {
    return refuse("a placement group with the name '" + entry.name + "' exists in namespace '" + entry.ray_namespace +
                  "': choose another name, or remove that one");
  }
  const PlacementGroupId id = entry.id;
  Group& group = groups_[id];
  group.entry = std::move(entry);
  group.entry.state = PlacementGroupState::kPending;
  group.entry.nodes.assign(group.entry.bundles.size(), 0);
  group.arrival = ++arrivals_;
  group.since = now;
  order_[group.arrival] = id;
  waiting_[group.arrival] = id;
  if (!group.entry.detached) by_job_[group.entry.job].insert(id);
  if (!blocked_) Plan(now, &group);
  return {};
}

bool PlacementGroups::Remove(Nanoseconds now, PlacementGroupId id) {
  const auto found = groups_.find(id);
  if (found == groups_.end() || found->second.entry.is_over()) return false;
  Group& group = found->second;
  PlacementGroupEntry& entry = group.entry;
  GiveUp(&group);
  Place(&group, entry.nodes, false);
  entry.state = PlacementGroupState::kRemoved;
  std::fill(entry.nodes.begin(), entry.nodes.end(), 0);
  waiting_.erase(group.arrival);
  if (!entry.name.empty()) names_.erase({entry.ray_namespace, entry.name});
  if (const auto job = by_job_.find(entry.job); job != by_job_.end()) {
    job->second.erase(id);
    if (job->second.empty()) by_job_.erase(job);
  }
  actions_.push_back(PlacementGroupChanged{id});
  removed_.push_back(id);
  if (removed_.size() > remembered_) {
    order_.erase(groups_.at(removed_.front()).arrival);
    groups_.erase(removed_.front());
    removed_.pop_front();
  }
  PlanWaiting(now);
  return true;
}

void PlacementGroups::Reserved(Nanoseconds now, uint32_t node, PlacementGroupId id, uint32_t attempt) {
  const auto found = groups_.find(id);
  if (found == groups_.end() || found->second.attempt != attempt || found->second.planned.empty()) return;  // given up meanwhile
  Group& group = found->second;
  if (group.awaited.erase(node) == 0 || !group.awaited.empty()) return;
  group.entry.nodes = std::exchange(group.planned, {});
  group.entry.state = PlacementGroupState::kCreated;
  waiting_.erase(group.arrival);
  actions_.push_back(PlacementGroupChanged{id});
  if (blocked_) PlanWaiting(now);
}

std::vector<PlacementGroupId> PlacementGroups::OfJob(JobId job) const {
  const auto found = by_job_.find(job);
  return found == by_job_.end() ? std::vector<PlacementGroupId>()
                                : std::vector<PlacementGroupId>(found->second.begin(), found->second.end());
}

// ---- Plans

BundlesToPlace PlacementGroups::ToPlace(const Group& group) {
  return {group.entry.strategy, group.entry.bundles, group.entry.nodes, group.entry.constraints, group.entry.soft_node};
}

// `free`: what nobody uses now; else what is not reserved, though tasks and actors may use it. With what this group's own attempt holds.
std::vector<NodeRoom> PlacementGroups::Rooms(bool free, const Group& group) const {
  std::vector<NodeRoom> rooms;
  std::map<uint32_t, ResourceSet> own;
  for (size_t i = 0; i < group.planned.size(); ++i) {
    if (group.entry.nodes[i] == 0) own[group.planned[i]].Add(group.entry.bundles[i]);
  }
  for (const auto& [number, node] : nodes_) {
    ResourceSet room = node.total;
    room.Subtract(node.reserved);
    if (const auto mine = own.find(number); mine != own.end()) room.Add(mine->second);
    if (free) room = model::AtMost(room, node.available);
    rooms.push_back({number, std::move(room), &node.labels});
  }
  return rooms;
}

std::vector<NodeRoom> PlacementGroups::Totals() const {
  std::vector<NodeRoom> totals;
  for (const auto& [number, node] : nodes_) totals.push_back({number, node.total, &node.labels});
  return totals;
}

bool PlacementGroups::IsFeasible(const Group& group) const { return PlaceBundles(ToPlace(group), Totals()).has_value(); }

std::optional<std::vector<uint32_t>> PlacementGroups::BestPlan(const Group& group) const {
  if (nodes_.size() > 1) {
    if (auto plan = PlaceBundles(ToPlace(group), Rooms(true, group))) return plan;
  }
  return PlaceBundles(ToPlace(group), Rooms(false, group));
}

// Adds the bundles that have got these nodes to what is reserved there, or takes them away.
void PlacementGroups::Place(Group* group, const std::vector<uint32_t>& nodes, bool reserve) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    const auto node = nodes_.find(nodes[i]);
    if (node == nodes_.end()) continue;
    if (reserve) {
      node->second.reserved.Add(group->entry.bundles[i]);
    } else {
      node->second.reserved.Subtract(group->entry.bundles[i]);
    }
  }
}

bool PlacementGroups::Plan(Nanoseconds now, Group* group) {
  std::optional<std::vector<uint32_t>> plan = BestPlan(*group);
  if (!plan) return false;
  ++group->attempt;
  group->asked_at = now;
  std::map<uint32_t, std::vector<model::BundleRequest>> asked;
  std::vector<uint32_t> added(plan->size());
  for (size_t i = 0; i < plan->size(); ++i) {
    if (group->entry.nodes[i] != 0) continue;
    added[i] = (*plan)[i];
    asked[added[i]].push_back({static_cast<uint32_t>(i), group->entry.bundles[i]});
  }
  Place(group, added, true);
  group->planned = std::move(*plan);
  for (auto& [node, bundles] : asked) {
    group->awaited.insert(node);
    actions_.push_back(ReserveOnNode{node, group->entry.id, group->attempt, std::move(bundles)});
  }
  return true;
}

void PlacementGroups::GiveUp(Group* group) {
  if (group->planned.empty()) return;
  std::vector<uint32_t> asked = std::exchange(group->planned, {});
  group->awaited.clear();
  for (size_t i = 0; i < asked.size(); ++i) {
    if (group->entry.nodes[i] != 0) asked[i] = 0;
  }
  Place(group, asked, false);
  for (const uint32_t node : std::set<uint32_t>(asked.begin(), asked.end())) {
    if (nodes_.contains(node)) actions_.push_back(ReturnOnNode{node, group->entry.id, group->attempt});
  }
}

void PlacementGroups::PlanWaiting(Nanoseconds now) {
  blocked_ = false;
  if (nodes_.empty()) return;
  for (const auto& [arrival, id] : waiting_) {
    Group& group = groups_.at(id);
    if (!group.planned.empty() || Plan(now, &group)) continue;
    if (now - group.since < kLetPass || !IsFeasible(group)) continue;
    blocked_ = true;
    return;
  }
}

void PlacementGroups::Tick(Nanoseconds now) {
  last_look_ = now;
  if (nodes_.size() > 1) {
    for (const auto& [arrival, id] : waiting_) {
      Group& group = groups_.at(id);
      if (group.planned.empty() || now - group.asked_at < kLookAgain) continue;
      const std::set<uint32_t> asked(group.planned.begin(), group.planned.end());
      const bool in_part = group.awaited.size() < asked.size() - asked.count(0);
      const auto better = PlaceBundles(ToPlace(group), Rooms(true, group));
      if ((in_part && now - group.asked_at >= kPartialLimit) || (better && *better != group.planned)) GiveUp(&group);
    }
  }
  PlanWaiting(now);
}

model::Nanoseconds PlacementGroups::NextDeadline() const {
  if (waiting_.empty()) return model::kNever;
  if (nodes_.size() > 1) return last_look_ + kLookAgain;
  // The first that lets others pass no more.
  for (const auto& [arrival, id] : waiting_) {
    const Group& group = groups_.at(id);
    if (!group.planned.empty() || !IsFeasible(group)) continue;
    return blocked_ ? model::kNever : std::max(group.since + kLetPass, last_look_ + kLookAgain);
  }
  return model::kNever;
}

// ---- What others see

const PlacementGroupEntry* PlacementGroups::Find(PlacementGroupId group) const {
  const auto found = groups_.find(group);
  return found == groups_.end() ? nullptr : &found->second.entry;
}

const PlacementGroupEntry* PlacementGroups::FindByName(const std::string& name, const std::string& ray_namespace) const {
  const auto found = names_.find({ray_namespace, name});
  return found == names_.end() ? nullptr : Find(found->second);
}

std::vector<const PlacementGroupEntry*> PlacementGroups::List() const {
  std::vector<const PlacementGroupEntry*> list;
  for (const auto& [arrival, id] : order_) list.push_back(&groups_.at(id).entry);
  return list;
}

std::vector<contracts::PlacementGroups::Waiting> PlacementGroups::Unmet() const {
  std::vector<Waiting> unmet;
  for (const auto& [arrival, id] : waiting_) unmet.push_back(ReasonOf(id));
  return unmet;
}

contracts::PlacementGroups::Waiting PlacementGroups::ReasonOf(PlacementGroupId id) const {
  const auto found = groups_.find(id);
  Waiting waiting{id, 0, false, {}, ""};
  if (found == groups_.end() || !found->second.waits()) return waiting;
  const Group& group = found->second;
  waiting.since = group.since;
  waiting.nodes.assign(group.awaited.begin(), group.awaited.end());
  if (!waiting.nodes.empty()) return waiting;
  if (!IsFeasible(group)) {
    waiting.infeasible = true;
    waiting.reason = WhyNotPlaced(ToPlace(group), Totals()) + " in total";
    return waiting;
  }
  if (PlaceBundles(ToPlace(group), Rooms(false, group))) {
    waiting.reason = "placement groups that wait longer come first";
  } else {
    waiting.reason = WhyNotPlaced(ToPlace(group), Rooms(false, group)) + " that is not reserved for other placement groups";
  }
  return waiting;
}

// ---- Invariants

void PlacementGroups::CheckInvariants() const {
  std::map<uint32_t, ResourceSet> reserved;
  size_t waiting = 0, over = 0;
  for (const auto& [id, group] : groups_) {
    const PlacementGroupEntry& entry = group.entry;
    Require(order_.contains(group.arrival) && order_.at(group.arrival) == id, "a group is not in the order");
    Require(entry.nodes.size() == entry.bundles.size(), "a group has other bundles than nodes");
    Require(group.waits() == waiting_.contains(group.arrival), "a waiting group is not listed");
    waiting += group.waits();
    over += entry.is_over();
    const bool all = std::find(entry.nodes.begin(), entry.nodes.end(), 0u) == entry.nodes.end();
    Require(!entry.is_over() || group.planned.empty(), "a removed group is being placed");
    Require((entry.state == PlacementGroupState::kCreated) == all, "a group is created, but has no place for all bundles; or the reverse");
    Require(group.planned.empty() == group.awaited.empty(), "an attempt waits for nobody");
    for (size_t i = 0; i < entry.nodes.size(); ++i) {
      const uint32_t node = entry.nodes[i] != 0 ? entry.nodes[i] : group.planned.empty() ? 0 : group.planned[i];
      if (node != 0) reserved[node].Add(entry.bundles[i]);
      Require(node == 0 || nodes_.contains(node), "a bundle is on a node that is gone");
    }
    if (!entry.is_over() && !entry.name.empty()) Require(names_.at({entry.ray_namespace, entry.name}) == id, "a name leads elsewhere");
  }
  Require(waiting == waiting_.size() && over == removed_.size() && order_.size() == groups_.size(), "the lists of groups are wrong");
  for (const auto& [number, node] : nodes_) {
    Require(node.reserved == reserved[number], "what is reserved on a node is not what its bundles are");
    Require(node.total.Contains(node.reserved), "more is reserved on a node than it has");
  }
}

}  // namespace manta::control_store
