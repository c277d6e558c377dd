// Placement groups: resources that are reserved together, all or nothing, for the tasks and actors that name the group.
//
//   manta::PlacementGroup group = manta::CreatePlacementGroup({{"CPU", 1}, {"CPU", 1}});
//   if (group.Wait(10'000)) manta::Task(F).SetPlacementGroup(group, 0).Remote();
//   manta::RemovePlacementGroup(group);
//
// A group waits for its resources in the order of creation, and is there until it is removed, or its
// job is over. Tasks and actors may name it before: they wait for it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "manta/archive.h"
#include "manta/errors.h"
#include "manta/manta_c.h"
#include "manta/object_ref.h"
#include "manta/scheduling.h"
#include "manta/timeout.h"

namespace manta {
inline namespace v1 {

// Resources by name. "CPU", "GPU" and "memory" are those of nodes; any other name is a custom one.
using Bundle = std::map<std::string, double>;

enum class PlacementStrategy {
  kPack = MANTA_PLACEMENT_PACK,                   // on as few nodes as can be
  kSpread = MANTA_PLACEMENT_SPREAD,               // on as many nodes as can be
  kStrictPack = MANTA_PLACEMENT_STRICT_PACK,      // on one node
  kStrictSpread = MANTA_PLACEMENT_STRICT_SPREAD,  // every bundle on a node of its own
};

enum class PlacementGroupState {
  kPending = MANTA_PLACEMENT_GROUP_PENDING,
  kCreated = MANTA_PLACEMENT_GROUP_CREATED,
  kRemoved = MANTA_PLACEMENT_GROUP_REMOVED,
  kRescheduling = MANTA_PLACEMENT_GROUP_RESCHEDULING,  // a node that had bundles of it is gone
};

struct PlacementGroupOptions {
  PlacementStrategy strategy = PlacementStrategy::kPack;
  std::string name;            // empty: none. At most one group of a namespace has it
  std::string ray_namespace;   // of the name; empty: the job's
  bool detached = false;       // stays when the job is over
  std::string soft_node_id;    // where the bundles had better be, if they fit there
  // Of each bundle in turn: which nodes it may be on. Empty: all on any.
  std::vector<LabelSelector> bundle_label_selectors;
};

// A handle: a value that may be copied, passed to tasks and kept. The group does not end with it.
class PlacementGroup {
 public:
  PlacementGroup() = default;  // stands for none
  PlacementGroup(const manta_placement_group_id& id, std::string name, std::vector<Bundle> bundles,
                 PlacementStrategy strategy)
      : creator_(id.creator),
        serial_(id.serial),
        name_(std::move(name)),
        bundles_(std::move(bundles)),
        strategy_(strategy) {}

  bool Empty() const { return creator_ == 0; }
  // 32 hex digits.
  std::string ID() const;
  const std::string& Name() const { return name_; }
  const std::vector<Bundle>& Bundles() const { return bundles_; }
  PlacementStrategy Strategy() const { return strategy_; }
  manta_placement_group_id Handle() const { return {creator_, serial_}; }

  // Whether the group is there within the time. Throws TaskPlacementGroupRemovedError once it is
  // removed.
  bool Wait(Timeout timeout = Timeout::Never()) const;

  // As it is now; kRemoved also for one that nobody knows any more. Asks the head.
  PlacementGroupState State() const;
  // Why it is not there yet, for people; empty when it is. Asks the head.
  std::string WaitsFor() const;

  friend bool operator==(const PlacementGroup& a, const PlacementGroup& b) {
    return a.creator_ == b.creator_ && a.serial_ == b.serial_;
  }
  friend bool operator!=(const PlacementGroup& a, const PlacementGroup& b) { return !(a == b); }

 private:
  MANTA_DEFINE(creator_, serial_, name_, bundles_, strategy_)

  uint64_t creator_ = 0;
  uint64_t serial_ = 0;
  std::string name_;
  std::vector<Bundle> bundles_;
  PlacementStrategy strategy_ = PlacementStrategy::kPack;
};

namespace detail {

struct PlacementGroupListDeleter {
  void operator()(manta_placement_group_list* list) const noexcept {
    manta_placement_group_list_free(list);
  }
};
using OwnedPlacementGroups = std::unique_ptr<manta_placement_group_list, PlacementGroupListDeleter>;

inline OwnedPlacementGroups FindPlacementGroups(const char* what,
                                                const manta_placement_group_id* id,
                                                const char* name, const char* ray_namespace) {
  manta_placement_group_list* list = nullptr;
  Check(manta_placement_groups(CurrentRuntime(what), id, name, ray_namespace, &list));
  return OwnedPlacementGroups(list);
}

inline PlacementGroup AsPlacementGroup(const manta_placement_group_info& info) {
  std::vector<Bundle> bundles(info.num_bundles);
  for (size_t i = 0; i < info.num_bundles; ++i) {
    for (size_t r = 0; r < info.bundles[i].num_resources; ++r) {
      bundles[i][info.bundles[i].resources[r].name] = info.bundles[i].resources[r].quantity;
    }
  }
  return PlacementGroup(info.id, info.name, std::move(bundles),
                        static_cast<PlacementStrategy>(info.strategy));
}

}  // namespace detail

inline std::string PlacementGroup::ID() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id;
  for (const uint64_t word : {creator_, serial_}) {
    for (int shift = 60; shift >= 0; shift -= 4) id += kDigits[word >> shift & 15];
  }
  return id;
}

inline bool PlacementGroup::Wait(Timeout timeout) const {
  manta_runtime* runtime = detail::CurrentRuntime("PlacementGroup::Wait");
  const manta_placement_group_id id = Handle();
  manta_ref* handle = nullptr;
  detail::Check(manta_placement_group_ready(runtime, &id, {nullptr, 0}, &handle));
  const detail::RefPointer ready(handle);
  manta_bytes value;
  manta_error* error = manta_get(runtime, &handle, 1, timeout.nanoseconds(), &value);
  if (error == nullptr) return true;
  if (manta_error_get_kind(error) != MANTA_ERROR_TIMEOUT) ThrowError(error);
  manta_error_free(error);
  return false;
}

inline PlacementGroupState PlacementGroup::State() const {
  const manta_placement_group_id id = Handle();
  const auto found = detail::FindPlacementGroups("PlacementGroup::State", &id, nullptr, nullptr);
  if (manta_placement_group_list_size(found.get()) == 0) return PlacementGroupState::kRemoved;
  return static_cast<PlacementGroupState>(manta_placement_group_list_at(found.get(), 0)->state);
}

inline std::string PlacementGroup::WaitsFor() const {
  const manta_placement_group_id id = Handle();
  const auto found = detail::FindPlacementGroups("PlacementGroup::WaitsFor", &id, nullptr, nullptr);
  if (manta_placement_group_list_size(found.get()) == 0) return "";
  return manta_placement_group_list_at(found.get(), 0)->reason;
}

// Asks for a group; see PlacementGroup::Wait. Throws InvalidArgumentError: no bundles, one that asks
// for nothing, selectors that are none, a name that another group of the namespace has.
inline PlacementGroup CreatePlacementGroup(const std::vector<Bundle>& bundles,
                                           const PlacementGroupOptions& options = {}) {
  manta_runtime* runtime = detail::CurrentRuntime("CreatePlacementGroup");
  std::vector<std::vector<manta_resource>> resources;
  std::vector<manta_bundle> given;
  resources.reserve(bundles.size());
  for (const Bundle& bundle : bundles) {
    auto& amounts = resources.emplace_back();
    for (const auto& [name, quantity] : bundle) {
      amounts.push_back({detail::CheckText("CreatePlacementGroup", name).c_str(), quantity});
    }
    given.push_back({amounts.data(), amounts.size(), nullptr});
  }
  manta_placement_group_options all;
  all.struct_size = sizeof all;
  manta_placement_group_options_init(&all);
  all.bundles = given.data();
  all.num_bundles = given.size();
  all.strategy = static_cast<int>(options.strategy);
  if (!options.name.empty()) {
    all.name = detail::CheckText("CreatePlacementGroup", options.name).c_str();
  }
  if (!options.ray_namespace.empty()) {
    all.ray_namespace = detail::CheckText("CreatePlacementGroup", options.ray_namespace).c_str();
  }
  all.detached = options.detached ? 1 : 0;
  if (!options.soft_node_id.empty()) all.soft_node_id = options.soft_node_id.c_str();
  std::vector<std::string> texts;
  std::vector<const char*> nodes;
  for (const LabelSelector& selector : options.bundle_label_selectors) {
    texts.push_back(detail::SelectorText(selector));
  }
  for (const std::string& text : texts) nodes.push_back(text.c_str());
  if (!nodes.empty() && nodes.size() != given.size()) {
    throw InvalidArgumentError("CreatePlacementGroup: there are " + std::to_string(nodes.size()) +
                               " bundle_label_selectors for " + std::to_string(given.size()) +
                               " bundles: give one for each, or none");
  }
  if (!nodes.empty()) all.bundle_nodes = nodes.data();
  manta_placement_group_id id;
  detail::Check(manta_placement_group_create(runtime, &all, &id));
  return PlacementGroup(id, options.name, bundles, options.strategy);
}

// Ends what runs in the group (tasks fail with TaskPlacementGroupRemovedError, actors die) and frees
// its resources. Does not wait for it. A group that is not there any more is no error.
inline void RemovePlacementGroup(const PlacementGroup& group) {
  const manta_placement_group_id id = group.Handle();
  detail::Check(manta_placement_group_remove(detail::CurrentRuntime("RemovePlacementGroup"), &id));
}

// The group with this name, if there is one that was not removed. `ray_namespace` empty: the job's.
inline std::optional<PlacementGroup> GetPlacementGroup(const std::string& name,
                                                       const std::string& ray_namespace = "") {
  const auto found = detail::FindPlacementGroups(
      "GetPlacementGroup", nullptr, name.c_str(),
      ray_namespace.empty() ? nullptr : ray_namespace.c_str());
  if (manta_placement_group_list_size(found.get()) == 0) return {};
  return detail::AsPlacementGroup(*manta_placement_group_list_at(found.get(), 0));
}

// All groups of the cluster, the oldest first; removed ones for a while.
inline std::vector<PlacementGroup> GetAllPlacementGroups() {
  const auto found = detail::FindPlacementGroups("GetAllPlacementGroups", nullptr, nullptr, nullptr);
  std::vector<PlacementGroup> groups;
  for (size_t i = 0; i < manta_placement_group_list_size(found.get()); ++i) {
    groups.push_back(detail::AsPlacementGroup(*manta_placement_group_list_at(found.get(), i)));
  }
  return groups;
}

// The group that the calling task or actor runs in; empty: none. Asks the head.
inline PlacementGroup GetCurrentPlacementGroup() {
  manta_context context;
  context.struct_size = sizeof context;
  detail::Check(manta_context_get(detail::CurrentRuntime("GetCurrentPlacementGroup"), &context));
  if (context.placement_group.creator == 0) return {};
  const auto found = detail::FindPlacementGroups("GetCurrentPlacementGroup", &context.placement_group,
                                                 nullptr, nullptr);
  if (manta_placement_group_list_size(found.get()) == 0) return {};
  return detail::AsPlacementGroup(*manta_placement_group_list_at(found.get(), 0));
}

}  // namespace v1
}  // namespace manta
