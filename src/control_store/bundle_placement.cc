#include "control_store/bundle_placement.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace manta::control_store {
namespace {

using contracts::PlacementStrategy;
using model::ResourceSet;

using Plan = std::vector<uint32_t>;

bool MayGo(const BundlesToPlace& wanted, size_t bundle, const NodeRoom& node) {
  return wanted.constraints.empty() || wanted.constraints[bundle].IsMetBy(*node.labels);
}

bool Fits(const BundlesToPlace& wanted, size_t bundle, const NodeRoom& node) {
  return MayGo(wanted, bundle, node) && node.room.Contains(wanted.bundles[bundle]);
}

std::vector<size_t> Missing(const BundlesToPlace& wanted, const std::vector<NodeRoom>& nodes) {
  std::vector<size_t> missing;
  for (size_t i = 0; i < wanted.bundles.size(); ++i) {
    if (wanted.nodes[i] == 0) missing.push_back(i);
  }
  if (wanted.constraints.empty()) return missing;
  std::vector<size_t> choices(wanted.bundles.size());
  for (const size_t i : missing) {
    choices[i] = static_cast<size_t>(std::count_if(nodes.begin(), nodes.end(), [&](const NodeRoom& node) { return MayGo(wanted, i, node); }));
  }
  std::stable_sort(missing.begin(), missing.end(), [&](size_t a, size_t b) { return choices[a] < choices[b]; });
  return missing;
}

ResourceSet SumOf(const BundlesToPlace& wanted, const std::vector<size_t>& indices) {
  ResourceSet sum;
  for (const size_t i : indices) sum.Add(wanted.bundles[i]);
  return sum;
}

// The node of those that have a place; 0: none has.
uint32_t NodeOfPlaced(const BundlesToPlace& wanted) {
  const auto placed = std::find_if(wanted.nodes.begin(), wanted.nodes.end(), [](uint32_t node) { return node != 0; });
  return placed == wanted.nodes.end() ? 0 : *placed;
}

std::optional<Plan> OnOne(const BundlesToPlace& wanted, const std::vector<size_t>& missing, const std::vector<NodeRoom>& nodes) {
  const ResourceSet sum = SumOf(wanted, missing);
  const uint32_t placed = NodeOfPlaced(wanted);
  for (const NodeRoom& node : nodes) {
    if ((placed != 0 && node.node != placed) || !node.room.Contains(sum)) continue;
    if (!std::all_of(missing.begin(), missing.end(), [&](size_t i) { return MayGo(wanted, i, node); })) continue;
    Plan plan = wanted.nodes;
    for (const size_t i : missing) plan[i] = node.node;
    return plan;
  }
  return std::nullopt;
}

// Each bundle goes to the first node with room for it: nodes are filled one after the other.
std::optional<Plan> OnFew(const BundlesToPlace& wanted, const std::vector<size_t>& missing, std::vector<NodeRoom> nodes) {
  Plan plan = wanted.nodes;
  for (const size_t i : missing) {
    const auto node = std::find_if(nodes.begin(), nodes.end(), [&](const NodeRoom& one) { return Fits(wanted, i, one); });
    if (node == nodes.end()) return std::nullopt;
    node->room.Subtract(wanted.bundles[i]);
    plan[i] = node->node;
  }
  return plan;
}

// Each bundle goes to the node with the fewest bundles of the group among those with room for it.
std::optional<Plan> OnMany(const BundlesToPlace& wanted, const std::vector<size_t>& missing, std::vector<NodeRoom> nodes) {
  Plan plan = wanted.nodes;
  std::vector<size_t> has(nodes.size());
  for (size_t n = 0; n < nodes.size(); ++n) {
    has[n] = static_cast<size_t>(std::count(plan.begin(), plan.end(), nodes[n].node));
  }
  for (const size_t i : missing) {
    size_t best = nodes.size();
    for (size_t n = 0; n < nodes.size(); ++n) {
      if (Fits(wanted, i, nodes[n]) && (best == nodes.size() || has[n] < has[best])) best = n;
    }
    if (best == nodes.size()) return std::nullopt;
    nodes[best].room.Subtract(wanted.bundles[i]);
    ++has[best];
    plan[i] = nodes[best].node;
  }
  return plan;
}

// Every bundle on a node of its own: a matching, along augmenting paths, so that none takes the only node of another.
std::optional<Plan> Apart(const BundlesToPlace& wanted, const std::vector<size_t>& missing, std::vector<NodeRoom> nodes) {
  const std::set<uint32_t> used(wanted.nodes.begin(), wanted.nodes.end());
  std::erase_if(nodes, [&](const NodeRoom& node) { return used.contains(node.node); });
  if (missing.size() > nodes.size()) return std::nullopt;
  constexpr size_t kFree = SIZE_MAX;
  std::vector<size_t> taken(nodes.size(), kFree);  // by which bundle
  std::vector<bool> seen;
  const std::function<bool(size_t)> place = [&](size_t bundle) {
    for (const bool of_another : {false, true}) {
      for (size_t n = 0; n < nodes.size(); ++n) {
        if (seen[n] || (taken[n] != kFree) != of_another || !Fits(wanted, bundle, nodes[n])) continue;
        seen[n] = true;
        if (of_another && !place(taken[n])) continue;
        taken[n] = bundle;
        return true;
      }
    }
    return false;
  };
  for (const size_t bundle : missing) {
    seen.assign(nodes.size(), false);
    if (!place(bundle)) return std::nullopt;
  }
  Plan plan = wanted.nodes;
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (taken[n] != kFree) plan[taken[n]] = nodes[n].node;
  }
  return plan;
}

std::string Text(const std::vector<NodeRoom>& nodes, const ResourceSet& names, const model::NodeConstraint& constraint = {}) {
  std::string text;
  for (const NodeRoom& node : nodes) {
    text += (text.empty() ? "node " : ", node ") + std::to_string(node.node) + " has ";
    if (!constraint.empty()) text += constraint.Shown(*node.labels) + " and ";
    text += node.room.ToString(names);
  }
  return text.empty() ? "there is no node" : text;
}

}  // namespace

std::optional<Plan> PlaceBundles(const BundlesToPlace& wanted, const std::vector<NodeRoom>& given) {
  std::vector<NodeRoom> nodes = given;
  std::stable_sort(nodes.begin(), nodes.end(),
                   [&](const NodeRoom& a, const NodeRoom& b) { return a.node == wanted.soft_node && b.node != wanted.soft_node; });
  const std::vector<size_t> missing = Missing(wanted, nodes);
  switch (wanted.strategy) {
    case PlacementStrategy::kStrictPack: return OnOne(wanted, missing, nodes);
    case PlacementStrategy::kPack: {
      std::optional<Plan> one = OnOne(wanted, missing, nodes);
      return one ? one : OnFew(wanted, missing, std::move(nodes));
    }
    case PlacementStrategy::kSpread: return OnMany(wanted, missing, std::move(nodes));
    case PlacementStrategy::kStrictSpread: return Apart(wanted, missing, std::move(nodes));
  }
  return std::nullopt;
}

std::string WhyNotPlaced(const BundlesToPlace& wanted, const std::vector<NodeRoom>& nodes) {
  const std::vector<size_t> missing = Missing(wanted, nodes);
  for (const size_t i : missing) {
    if (std::none_of(nodes.begin(), nodes.end(), [&](const NodeRoom& node) { return Fits(wanted, i, node); })) {
      if (!wanted.constraints.empty() && !wanted.constraints[i].empty()) {
        return "bundle " + std::to_string(i) + " needs " + wanted.bundles[i].ToString() + " on " + wanted.constraints[i].Describe() + " but " +
               Text(nodes, wanted.bundles[i], wanted.constraints[i]);
      }
      return "bundle " + std::to_string(i) + " needs " + wanted.bundles[i].ToString() + " on one node but " +
             Text(nodes, wanted.bundles[i]);
    }
  }
  const ResourceSet sum = SumOf(wanted, missing);
  if (wanted.strategy == PlacementStrategy::kStrictPack) {
    return "STRICT_PACK needs " + sum.ToString() + " on one node but " + Text(nodes, sum);
  }
  if (wanted.strategy == PlacementStrategy::kStrictSpread) {
    return "STRICT_SPREAD needs " + std::to_string(wanted.bundles.size()) + " nodes, one with room for each bundle, of " +
           std::to_string(nodes.size()) + " that there are";
  }
  return "its bundles need " + sum.ToString() + " in all but " + Text(nodes, sum);
}

}  // namespace manta::control_store
