// Which demands wait, and why.
#include <algorithm>
#include <tuple>

#include "model/lease_table.h"

namespace manta::model {
namespace {

// What `request` asks more of than there is.
ResourceSet TooMuch(const ResourceSet& request, const ResourceSet& there) {
  ResourceSet names;
  for (const auto& [name, amount] : request.amounts()) {
    if (there.Get(name) < amount) names.Set(name, amount);
  }
  return names;
}

}  // namespace

std::vector<UnmetDemand> LeaseTable::Unmet() const {
  std::vector<UnmetDemand> unmet;
  for (const auto& [id, owner] : owners_) {
    for (const auto& [age, demand] : owner.waiting) {
      const WaitingLine& line = *demand->line;
      unmet.push_back({id, demand->key, demand->missing, age.since, line.admitted() && !line.feasible()});
    }
  }
  std::sort(unmet.begin(), unmet.end(), [](const UnmetDemand& a, const UnmetDemand& b) {
    return std::tie(a.since, a.owner, a.key) < std::tie(b.since, b.owner, b.key);
  });
  return unmet;
}

std::string LeaseTable::ReasonOf(const UnmetDemand& unmet) const {
  return ReasonOf(owners_.at(unmet.owner).demands.at(unmet.key));
}

std::string LeaseTable::ReasonOf(const DemandRecord& demand) const {
  const WaitingLine& line = *demand.line;
  if (!line.admitted()) {
    return "needs " + line.request().ToString() + " on " + line.shape().nodes.Describe() + " but this one has " +
           line.shape().nodes.Shown(options_.labels);
  }
  if (line.group != nullptr) return ReasonInGroup(demand);
  const std::string needs = "needs " + line.request().ToString();
  if (!line.feasible()) {
    std::string unknown;
    for (const auto& [name, amount] : line.request().amounts()) {
      if (options_.total.Get(name) == 0) unknown += "; this node has no '" + name + "'";
    }
    return needs + " but the node has " + options_.total.ToString() + " in total" + unknown;
  }
  const FreeResources& left = node_.left;
  if (left.amounts.Contains(line.request()) && !left.gpus.CanTake(line.request().Get(kGpu))) {
    return needs + " but the " + available().Only(kGpu).ToString() +
           " that are free are parts of several GPUs";
  }
  if (!left.amounts.Contains(line.request())) {
    const ResourceSet names = TooMuch(line.request(), left.amounts);
    return needs + " but " + available().ToString(names) + " of " + options_.total.ToString(names) + " is free; " +
           std::to_string(leases_.size()) + " leases" + (groups_.empty() ? "" : " and placement groups") + " hold the rest";
  }
  if (pool_.starting(line.shape().executable) > 0) return needs + "; a worker is starting";
  if (pool_.counted() >= options_.max_workers) {
    return needs + " and a worker, but the limit of " + std::to_string(options_.max_workers) +
           " workers is reached";
  }
  if (!pool_.HasIdle(line.shape().executable, demand.owner->id)) {
    return needs + " and a worker; " + std::to_string(pool_.starting()) +
           " others are starting, more may not start at a time";
  }
  return needs + "; what is free is kept for demands that wait longer";
}

std::string LeaseTable::ReasonInGroup(const DemandRecord& demand) const {
  const WaitingLine& line = *demand.line;
  const BundleRef& ref = line.shape().bundle;
  const std::string where = ref.index < 0 ? "its placement group" : "bundle " + std::to_string(ref.index) + " of its placement group";
  const std::string needs = "needs " + line.request().ToString() + " in " + where;
  ResourceSet total, left;
  bool any = false, room = false;
  ForEachPool(node_, line, [&](const ResourcePool& pool) {
    any = true;
    total.Add(pool.total);
    left.Add(AtMost(pool.left.amounts, pool.left.amounts));
    room = room || pool.left.Contains(line.request());
    return false;
  });
  if (!any) return needs + ", of which there is nothing on this node: the group still waits for its resources, or is elsewhere";
  if (!room) return needs + " but " + left.ToString(line.request()) + " of " + total.ToString(line.request()) + " is free there";
  return needs + " and a worker";
}

}  // namespace manta::model
