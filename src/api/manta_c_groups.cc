// The C interface of placement groups: conversions only; what happens is in worker/placement_groups.h.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "api/handles.h"
#include "manta/manta_c.h"
#include "worker/placement_groups.h"

using manta::Error;
using manta::MakeError;
using manta::PlacementGroupId;
using manta::ProcessId;
using manta::Result;
using manta::api::From;
using manta::api::Own;
using manta::worker::PlacementGroups;
using manta::worker::Runtime;
namespace wire = manta::wire;

// The facts, and what points into them.
struct manta_placement_group_list {
  std::vector<PlacementGroups::Facts> facts;
  std::vector<std::vector<std::vector<manta_resource>>> resources;
  std::vector<std::vector<manta_bundle>> bundles;
  std::vector<manta_placement_group_info> infos;
};

namespace {

PlacementGroupId IdOf(const manta_placement_group_id& id) { return {ProcessId{id.creator}, id.serial}; }

Error Refused(const std::string& why) { return MakeError(MANTA_ERROR_INVALID_ARGUMENT, why); }

manta_error* Give(std::vector<PlacementGroups::Facts> facts, manta_placement_group_list** out) {
  auto* list = new manta_placement_group_list;
  list->facts = std::move(facts);
  for (const PlacementGroups::Facts& group : list->facts) {
    auto& resources = list->resources.emplace_back();
    auto& bundles = list->bundles.emplace_back();
    resources.reserve(group->bundles.size());
    for (const auto& bundle : group->bundles) {
      auto& amounts = resources.emplace_back();
      for (const auto& amount : bundle->resources) {
        amounts.push_back({amount->name.c_str(), static_cast<double>(amount->fixed_point) / manta::model::kResourceUnit});
      }
      bundles.push_back({amounts.data(), amounts.size(), bundle->node_id.c_str()});
    }
  }
  for (size_t i = 0; i < list->facts.size(); ++i) {
    const wire::PlacementGroupT& group = *list->facts[i];
    list->infos.push_back({{group.creator, group.serial},
                           group.name.c_str(),
                           group.ray_namespace.c_str(),
                           static_cast<int>(group.strategy),
                           static_cast<int>(group.state),
                           group.detached,
                           group.job,
                           list->bundles[i].data(),
                           list->bundles[i].size(),
                           group.reason.c_str()});
  }
  *out = list;
  return nullptr;
}

}  // namespace

extern "C" {

void manta_placement_group_options_init(manta_placement_group_options* options) {
  manta_placement_group_options defaults{};
  defaults.struct_size = options->struct_size;
  std::memcpy(static_cast<void*>(options), &defaults, std::min(options->struct_size, sizeof defaults));
}

manta_error* manta_placement_group_create(manta_runtime* runtime, const manta_placement_group_options* given,
                                          manta_placement_group_id* out) {
  if (runtime == nullptr) return manta_not_initialized_error("a new placement group");
  const Runtime::Call call(From(runtime));
  if (Result<> open = From(runtime).CheckOpen("a new placement group"); !open) return Own(open.error());
  manta_placement_group_options options{};
  std::memcpy(static_cast<void*>(&options), given, std::min(given->struct_size, sizeof options));
  if (options.strategy < MANTA_PLACEMENT_PACK || options.strategy > MANTA_PLACEMENT_STRICT_SPREAD) {
    return Own(Refused("there is no placement strategy " + std::to_string(options.strategy) +
                       ": PACK, SPREAD, STRICT_PACK and STRICT_SPREAD are 0 to 3"));
  }
  if (options.num_bundles == 0) return Own(Refused("a placement group needs at least one bundle"));
  wire::PlacementGroupT group;
  for (size_t i = 0; i < options.num_bundles; ++i) {
    Result<std::unique_ptr<wire::BundleT>> bundle = PlacementGroups::BundleOf(options.bundles[i], i);
    if (!bundle) return Own(bundle.error());
    if (options.bundle_nodes != nullptr && options.bundle_nodes[i] != nullptr) {
      Result<manta::model::NodeConstraint> nodes = manta::model::NodeConstraint::Parse(options.bundle_nodes[i]);
      if (!nodes) return Own(Refused("bundle " + std::to_string(i) + ": " + nodes.error().message));
      (*bundle)->nodes = nodes->text();
    }
    group.bundles.push_back(std::move(bundle).value());
  }
  group.strategy = static_cast<wire::PlacementStrategy>(options.strategy);
  if (options.name != nullptr) group.name = options.name;
  if (options.ray_namespace != nullptr) group.ray_namespace = options.ray_namespace;
  group.detached = options.detached != 0;
  if (options.soft_node_id != nullptr) group.soft_node = options.soft_node_id;
  Result<PlacementGroupId> id = From(runtime).placement_groups().Create(std::move(group));
  if (!id) return Own(id.error());
  *out = {id->creator.value, id->serial};
  return nullptr;
}

manta_error* manta_placement_group_remove(manta_runtime* runtime, const manta_placement_group_id* id) {
  if (runtime == nullptr) return manta_not_initialized_error("the removal of a placement group");
  if (Result<> open = From(runtime).CheckOpen("the removal of a placement group"); !open) return Own(open.error());
  From(runtime).placement_groups().Remove(IdOf(*id));
  return nullptr;
}

manta_error* manta_placement_group_ready(manta_runtime* runtime, const manta_placement_group_id* id, manta_bytes value, manta_ref** out) {
  if (runtime == nullptr) return manta_not_initialized_error("waiting for a placement group");
  if (Result<> open = From(runtime).CheckOpen("waiting for a placement group"); !open) return Own(open.error());
  constexpr size_t kMostValue = 64u << 10;
  if (value.size > kMostValue) return Own(Refused("the value that stands for a placement group has more than 64 KiB"));
  *out = reinterpret_cast<manta_ref*>(From(runtime).placement_groups().Ready(IdOf(*id), value.data, value.size));
  return nullptr;
}

manta_error* manta_placement_groups(manta_runtime* runtime, const manta_placement_group_id* id, const char* name, const char* ray_namespace,
                                    manta_placement_group_list** out) {
  if (runtime == nullptr) return manta_not_initialized_error("the search for a placement group");
  const Runtime::Call call(From(runtime));
  if (Result<> open = From(runtime).CheckOpen("the search for a placement group"); !open) return Own(open.error());
  PlacementGroups& groups = From(runtime).placement_groups();
  if (id == nullptr && name == nullptr) {
    Result<std::vector<PlacementGroups::Facts>> all = groups.List();
    return all ? Give(std::move(all).value(), out) : Own(all.error());
  }
  Result<PlacementGroups::Facts> found =
      id != nullptr ? groups.Find(IdOf(*id)) : groups.FindByName(name, ray_namespace == nullptr ? "" : ray_namespace);
  if (!found) return Own(found.error());
  std::vector<PlacementGroups::Facts> facts;
  if (*found != nullptr) facts.push_back(std::move(*found));
  return Give(std::move(facts), out);
}

size_t manta_placement_group_list_size(const manta_placement_group_list* list) { return list->infos.size(); }
const manta_placement_group_info* manta_placement_group_list_at(const manta_placement_group_list* list, size_t index) {
  return &list->infos[index];
}
void manta_placement_group_list_free(manta_placement_group_list* list) { delete list; }

}  // extern "C"
