// Placement groups, in Ray's words (see manta/placement_group.h).
#pragma once

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "manta/placement_group.h"

namespace ray {

enum class PlacementStrategy {
  PACK = 0,
  SPREAD = 1,
  STRICT_PACK = 2,
  STRICT_SPREAD = 3,
  UNRECOGNIZED = -1
};

enum PlacementGroupState {
  PENDING = 0,
  PREPARED = 1,
  CREATED = 2,
  REMOVED = 3,
  RESCHEDULING = 4,
  UNRECOGNIZED = -1,
};

struct PlacementGroupCreationOptions {
  std::string name;
  std::vector<std::unordered_map<std::string, double>> bundles;
  PlacementStrategy strategy;
};

class PlacementGroup {
 public:
  PlacementGroup() = default;
  PlacementGroup(std::string id, PlacementGroupCreationOptions options,
                 PlacementGroupState state = PlacementGroupState::UNRECOGNIZED)
      : id_(std::move(id)), options_(std::move(options)), state_(state) {}
  std::string GetID() const { return id_; }
  std::string GetName() const { return options_.name; }
  std::vector<std::unordered_map<std::string, double>> GetBundles() const {
    return options_.bundles;
  }
  PlacementGroupState GetState() const { return state_; }
  PlacementStrategy GetStrategy() const { return options_.strategy; }
  bool Wait(int timeout_seconds) { return callback_ ? callback_(id_, timeout_seconds) : false; }
  void SetWaitCallbak(std::function<bool(const std::string&, int)> callback) {  // sic
    callback_ = std::move(callback);
  }
  bool Empty() const { return id_.empty(); }

 private:
  std::string id_;
  PlacementGroupCreationOptions options_{};
  PlacementGroupState state_ = PlacementGroupState::UNRECOGNIZED;
  std::function<bool(const std::string&, int)> callback_;
};

namespace internal {

// By ID(), which is empty for none. Throws InvalidArgumentError for any other text.
inline manta_placement_group_id GroupIdOf(const std::string& id) {
  if (id.empty()) return {};
  if (id.size() != 32 || id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw manta::InvalidArgumentError("'" + id + "' is not the GetID() of a PlacementGroup");
  }
  return {std::strtoull(id.substr(0, 16).c_str(), nullptr, 16),
          std::strtoull(id.substr(16).c_str(), nullptr, 16)};
}

inline manta::PlacementGroup ToManta(const PlacementGroup& group) {
  return manta::PlacementGroup(GroupIdOf(group.GetID()), group.GetName(), {},
                               manta::PlacementStrategy::kPack);
}

inline PlacementGroup FromManta(const manta::PlacementGroup& group, PlacementGroupState state) {
  PlacementGroupCreationOptions options{
      group.Name(), {}, static_cast<PlacementStrategy>(static_cast<int>(group.Strategy()))};
  for (const manta::Bundle& bundle : group.Bundles()) {
    options.bundles.emplace_back(bundle.begin(), bundle.end());
  }
  PlacementGroup made(group.ID(), std::move(options), state);
  made.SetWaitCallbak([](const std::string& id, int timeout_seconds) {
    return manta::PlacementGroup(GroupIdOf(id), "", {}, manta::PlacementStrategy::kPack)
        .Wait(timeout_seconds < 0 ? manta::Timeout::Never()
                                  : manta::Timeout(std::chrono::seconds(timeout_seconds)));
  });
  return made;
}

// What Manta says of one, in the numbers of Ray's enumeration.
inline PlacementGroup FromManta(const manta_placement_group_info& info) {
  static constexpr PlacementGroupState kStates[] = {
      PlacementGroupState::PENDING, PlacementGroupState::CREATED, PlacementGroupState::REMOVED,
      PlacementGroupState::RESCHEDULING};
  return FromManta(manta::detail::AsPlacementGroup(info), kStates[info.state & 3]);
}

}  // namespace internal
}  // namespace ray
