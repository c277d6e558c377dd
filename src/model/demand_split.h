// How much of a demand another node is asked for. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace manta::model {

struct DemandOnTwoNodes {
  uint32_t wanted = 0;         // leases, in all
  bool feasible_here = false;  // at all, were this node empty
  uint32_t held_here = 0;
  uint32_t fit_here = 0;       // how many more the free resources of this node allow now
  uint32_t capacity_there = 0; // how many the other node could ever hold; 0: it is not there, or cannot run this program
  uint32_t held_there = 0;
  // Of a demand that had rather be served there:
  uint32_t capacity_here = 0;  // how many this node may be asked for
  uint32_t fit_there = 0;      // as fit_here, by what was last heard
};

// How many leases to ask of the other node; the rest is asked of this one. This node comes first, since a channel within it needs no
// relay; what the other one holds already stays there while it is wanted, since the owner decides what it gives back.
inline uint32_t WantedThere(const DemandOnTwoNodes& demand) {
  // All of it: blocked leases may lend what others of this demand need there.
  if (!demand.feasible_here) return demand.capacity_there > 0 ? demand.wanted : 0;
  const uint64_t here = uint64_t{demand.held_here} + demand.fit_here;
  const uint32_t surplus = demand.wanted > here ? static_cast<uint32_t>(demand.wanted - here) : 0;
  const uint32_t beside_held = demand.wanted - std::min(demand.held_here, demand.wanted);
  const uint32_t kept = std::min(demand.held_there, beside_held);
  return std::max(std::min(surplus, demand.capacity_there), kept);
}

// The same for a demand that comes first there: what does not fit there now is asked of this node.
inline uint32_t WantedThereFirst(const DemandOnTwoNodes& demand) {
  DemandOnTwoNodes mirrored;
  mirrored.wanted = demand.wanted;
  mirrored.feasible_here = demand.capacity_there > 0;
  mirrored.held_here = demand.held_there;
  mirrored.fit_here = demand.fit_there;
  mirrored.capacity_there = demand.capacity_here;
  mirrored.held_there = demand.held_here;
  return demand.wanted - std::min(demand.wanted, WantedThere(mirrored));
}

}  // namespace manta::model
