#include "worker/placement_groups.h"

#include <algorithm>
#include <utility>

#include "contracts/fields.h"

namespace manta::worker {
namespace {

using contracts::Text;

wire::PlacementGroupT Named(PlacementGroupId id) {
  wire::PlacementGroupT group;
  group.creator = id.creator.value;
  group.serial = id.serial;
  return group;
}

Error Refuse(const std::string& why) { return MakeError(MANTA_ERROR_INVALID_ARGUMENT, why); }

}  // namespace

Result<std::unique_ptr<wire::BundleT>> PlacementGroups::BundleOf(const manta_bundle& given, size_t index) {
  auto bundle = std::make_unique<wire::BundleT>();
  model::ResourceSet set;
  for (size_t i = 0; i < given.num_resources; ++i) {
    const std::string name = given.resources[i].name == nullptr ? "" : given.resources[i].name;
    if (name.empty() || name.size() > model::kMaxResourceNameBytes || name == "bundle") {
      return Refuse("bundle " + std::to_string(index) + " of the placement group names a resource '" + name.substr(0, 40) +
                    "': a name has 1 to " + std::to_string(model::kMaxResourceNameBytes) + " bytes, and 'bundle' is reserved");
    }
    Result<int64_t> amount = model::ToFixedPoint(name, given.resources[i].quantity);
    if (!amount) return amount.error();
    set.Set(name, *amount);
  }
  if (set.empty()) {
    return Refuse("bundle " + std::to_string(index) +
                   " of the placement group asks for nothing: a bundle names at least one resource, with an amount above 0");
  }
  bundle->resources = contracts::AmountsOf(set);
  return bundle;
}

Result<wire::PlacementGroupAnswerT> PlacementGroups::Ask(wire::PlacementGroupOperation operation, wire::PlacementGroupT group) {
  wire::PlacementGroupRequestT request;
  request.operation = operation;
  request.group = std::make_unique<wire::PlacementGroupT>(std::move(group));
  const uint64_t number = request.request = answers_.NewRequest();
  control_->Queue(std::move(request));
  control_->Flush();
  return answers_.Await(number, "a placement group");
}

Result<PlacementGroupId> PlacementGroups::Create(wire::PlacementGroupT group) {
  PlacementGroupId id{owner_->process(), 0};
  {
    std::lock_guard guard(mutex_);
    id.serial = ++last_serial_;
    Remember(id, group.bundles);
  }
  group.creator = id.creator.value;
  group.serial = id.serial;
  Result<wire::PlacementGroupAnswerT> answer = Ask(wire::PlacementGroupOperation::Create, std::move(group));
  if (!answer) return answer.error();
  return id;
}

void PlacementGroups::Remove(PlacementGroupId id) {
  {
    std::lock_guard guard(mutex_);
    known_.erase(id);
  }
  wire::PlacementGroupRequestT request;
  request.operation = wire::PlacementGroupOperation::Remove;
  request.group = std::make_unique<wire::PlacementGroupT>(Named(id));
  control_->Queue(std::move(request));
  control_->Flush();
}

ObjectRecord* PlacementGroups::Ready(PlacementGroupId id, const void* value, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(value);
  ObjectRecord* object;
  {
    std::lock_guard guard(owner_->lock());
    object = owner_->NewObject();
  }
  Owner::Retain(object);
  wire::PlacementGroupRequestT request;
  {
    std::lock_guard guard(mutex_);
    if (closed_) {
      std::lock_guard owners(owner_->lock());
      owner_->SetError(object, closed_error_);
      owner_->ReleaseLocked(object);
      return object;
    }
    request.request = answers_.NewRequest();
    awaited_[request.request] = {object, {bytes, bytes + size}};
  }
  request.operation = wire::PlacementGroupOperation::Await;
  request.group = std::make_unique<wire::PlacementGroupT>(Named(id));
  control_->Queue(std::move(request));
  control_->Flush();
  return object;
}

// ---- What there is

Result<PlacementGroups::Facts> PlacementGroups::FindOne(wire::PlacementGroupT asked) {
  Result<wire::PlacementGroupAnswerT> answer = Ask(wire::PlacementGroupOperation::Find, std::move(asked));
  if (!answer) return answer.error();
  if (answer->groups.empty()) return Facts();
  return std::move(answer->groups.front());
}

Result<PlacementGroups::Facts> PlacementGroups::Find(PlacementGroupId group) { return FindOne(Named(group)); }

Result<PlacementGroups::Facts> PlacementGroups::FindByName(const std::string& name, const std::string& ray_namespace) {
  wire::PlacementGroupT asked;
  asked.name = name;
  asked.ray_namespace = ray_namespace;
  return FindOne(std::move(asked));
}

Result<std::vector<PlacementGroups::Facts>> PlacementGroups::List() {
  Result<wire::PlacementGroupAnswerT> answer = Ask(wire::PlacementGroupOperation::List, {});
  if (!answer) return answer.error();
  return std::move(answer->groups);
}

void PlacementGroups::Remember(PlacementGroupId id, const std::vector<std::unique_ptr<wire::BundleT>>& bundles) {
  auto sets = std::make_shared<std::vector<model::ResourceSet>>();
  sets->reserve(bundles.size());
  for (const auto& bundle : bundles) {
    model::ResourceSet& set = sets->emplace_back();
    for (const auto& amount : bundle->resources) set.Set(amount->name, amount->fixed_point);
  }
  if (known_.insert_or_assign(id, std::move(sets)).second) known_order_.push_back(id);
  while (known_order_.size() > kMostKnown) {
    known_.erase(known_order_.front());
    known_order_.pop_front();
  }
}

Result<PlacementGroups::Bundles> PlacementGroups::BundlesOf(PlacementGroupId id) {
  {
    std::lock_guard guard(mutex_);
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
  }
  Result<Facts> found = Find(id);
  if (!found) return found.error();
  if (*found == nullptr || (*found)->state == wire::PlacementGroupState::Removed) return Bundles();
  std::lock_guard guard(mutex_);
  Remember(id, (*found)->bundles);
  return known_.at(id);
}

Result<> PlacementGroups::CheckFits(const model::BundleRef& ref, const model::ResourceSet& request) {
  Result<Bundles> bundles = BundlesOf(ref.group);
  if (!bundles) return bundles.error();
  if (*bundles == nullptr) return {};
  const std::vector<model::ResourceSet>& sets = **bundles;
  const auto count = static_cast<int64_t>(sets.size());
  if (ref.index < -1 || ref.index >= count) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the placement group bundle index " + std::to_string(ref.index) +
                                                       " is out of range: the group has " + std::to_string(count) +
                                                       " bundles, counted from 0, and -1 stands for any");
  }
  if (ref.index >= 0) {
    const model::ResourceSet& one = sets[static_cast<size_t>(ref.index)];
    if (one.Contains(request)) return {};
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, request.ToString() + " cannot fit into bundle " + std::to_string(ref.index) +
                                                       " of the placement group, which has " + one.ToString() +
                                                       ": ask for less, or create the group with larger bundles");
  }
  if (std::any_of(sets.begin(), sets.end(), [&](const model::ResourceSet& set) { return set.Contains(request); })) return {};
  std::string texts;
  for (size_t i = 0; i < sets.size() && i < 8; ++i) texts += (i > 0 ? ", " : "") + sets[i].ToString();
  return Refuse(request.ToString() + " cannot fit into any bundle of the placement group, which has " + texts +
                (sets.size() > 8 ? ", ..." : "") + ": ask for less, or create the group with larger bundles");
}

// ---- Answers

void PlacementGroups::OnAnswer(const wire::PlacementGroupAnswer& message) {
  Awaited awaited{};
  {
    std::lock_guard guard(mutex_);
    if (auto found = awaited_.extract(message.request()); !found.empty()) awaited = std::move(found.mapped());
  }
  wire::PlacementGroupAnswerT answer;
  message.UnPackTo(&answer);
  if (awaited.object != nullptr) {
    const bool created = !answer.groups.empty() && answer.groups.front()->state == wire::PlacementGroupState::Created;
    std::lock_guard guard(owner_->lock());
    if (created) {
      owner_->SetBytes(awaited.object, awaited.value.data(), static_cast<uint32_t>(awaited.value.size()));
    } else {
      owner_->SetError(awaited.object, answer.error_kind != 0
                                           ? MakeError(static_cast<manta_error_kind>(answer.error_kind), answer.error)
                                           : MakeError(MANTA_ERROR_TASK_PLACEMENT_GROUP_REMOVED,
                                                       "the placement group was removed, or its job is over: it will not be ready"));
    }
    owner_->ReleaseLocked(awaited.object);
    return;
  }
  if (answer.error_kind != 0) {
    return answers_.Answer(answer.request, MakeError(static_cast<manta_error_kind>(answer.error_kind), answer.error));
  }
  const uint64_t request = answer.request;
  answers_.Answer(request, std::move(answer));
}

void PlacementGroups::FailAll(const Error& error) {
  answers_.FailAll(error);
  std::lock_guard guard(mutex_);
  closed_ = true;
  closed_error_ = error;
  std::lock_guard owners(owner_->lock());
  for (const auto& [request, awaited] : awaited_) {
    owner_->SetError(awaited.object, error);
    owner_->ReleaseLocked(awaited.object);
  }
  awaited_.clear();
}

}  // namespace manta::worker
