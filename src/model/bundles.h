// Where leases are granted from: what a node has, or a bundle, which is a part of it that is reserved for a placement group.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "model/free_resources.h"
#include "model/gpu_units.h"
#include "model/resources.h"

namespace manta::model {

// Which bundles a demand is served from. Without a group: from what is not reserved.
struct BundleRef {
  PlacementGroupId group;
  int32_t index = -1;  // -1: any bundle of the group

  explicit operator bool() const { return static_cast<bool>(group); }
  auto operator<=>(const BundleRef&) const = default;
};

struct BundleRequest {
  uint32_t index = 0;
  ResourceSet resources;
};

// A node, or a bundle: what it has and what of that is charged to whom.
struct ResourcePool {
  ResourceSet total;
  FreeResources left;  // what nobody is charged; amounts may be negative (see LeaseTable)
  ResourceSet bound;   // what nobody can take back: charged to dedicated leases and, of a node, to bundles

  // What a round of granting has not given away, or kept for somebody.
  FreeResources& FreeIn(uint64_t of_round) {
    if (round != of_round) {
      round = of_round;
      free = left;
    }
    return free;
  }
  FreeResources free;
  uint64_t round = 0;

  // Whether the request fits beside what nobody can take back.
  bool InReach(const ResourceSet& request) const {
    ResourceSet most = total;
    most.Subtract(bound);
    return most.Contains(request);
  }
};

struct Bundle {
  ResourcePool pool;
  bool open = false;  // its group is there: it may be used
};

// What a node knows of a group.
struct BundleGroup {
  PlacementGroupId id;
  std::map<uint32_t, std::unique_ptr<Bundle>> bundles;  // by index
  uint32_t lines = 0;                                   // waiting lines that name the group
};

// Bundles that wait until all of them fit.
struct Reservation {
  PlacementGroupId group;
  std::vector<BundleRequest> bundles;
  ResourceSet sum;
};

}  // namespace manta::model
