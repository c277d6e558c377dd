#include "contracts/placement_groups.h"

namespace manta::contracts {

const char* ToString(PlacementStrategy strategy) {
  switch (strategy) {
    case PlacementStrategy::kPack: return "PACK";
    case PlacementStrategy::kSpread: return "SPREAD";
    case PlacementStrategy::kStrictPack: return "STRICT_PACK";
    case PlacementStrategy::kStrictSpread: return "STRICT_SPREAD";
  }
  return "UNKNOWN";
}

const char* ToString(PlacementGroupState state) {
  switch (state) {
    case PlacementGroupState::kPending: return "PENDING";
    case PlacementGroupState::kCreated: return "CREATED";
    case PlacementGroupState::kRemoved: return "REMOVED";
    case PlacementGroupState::kRescheduling: return "RESCHEDULING";
  }
  return "UNKNOWN";
}

}  // namespace manta::contracts
