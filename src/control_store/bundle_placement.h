// Which bundles of a placement group go to which nodes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "contracts/placement_groups.h"
#include "model/node_constraint.h"
#include "model/resources.h"

namespace manta::control_store {

struct NodeRoom {
  uint32_t node = 0;
  model::ResourceSet room;
  const model::NodeLabels* labels;
};

// What is to be placed: all bundles whose node is 0.
struct BundlesToPlace {
  contracts::PlacementStrategy strategy = contracts::PlacementStrategy::kPack;
  const std::vector<model::ResourceSet>& bundles;
  const std::vector<uint32_t>& nodes;  // of those that have a place already
  const std::vector<model::NodeConstraint>& constraints;  // of each bundle; empty: any node will do
  uint32_t soft_node = 0;              // comes first, if it has room
};

// The node of each bundle, if there is room for all; else none. Linear in the number of bundles, and of nodes; those that fewer nodes will
// do for are placed first.
std::optional<std::vector<uint32_t>> PlaceBundles(const BundlesToPlace& wanted, const std::vector<NodeRoom>& nodes);

// Why PlaceBundles finds none for these nodes, for people: "bundle 1 needs {CPU: 8} but node 1 has {CPU: 2} in total".
std::string WhyNotPlaced(const BundlesToPlace& wanted, const std::vector<NodeRoom>& nodes);

}  // namespace manta::control_store
