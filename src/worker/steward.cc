#include "worker/steward.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "contracts/adoption_generated.h"
#include "contracts/fields.h"
#include "worker/function_registry.h"
#include "worker/runtime.h"

namespace manta::worker {
namespace {

using contracts::Text;

constexpr char kClassName[] = "manta::Steward";
// That may end while they are asked, one after the other.
constexpr int kMostStewards = 10;

// ---- What the asker writes

using Objects = flatbuffers::Offset<flatbuffers::Vector<const wire::AdoptedObject*>>;
using Amounts = flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::AdoptedAmount>>>;

Objects Write(flatbuffers::FlatBufferBuilder& out, manta_ref* const* references, uint32_t count, Runtime& runtime) {
  std::vector<wire::AdoptedObject> objects;
  std::lock_guard guard(runtime.owner().lock());
  for (uint32_t i = 0; i < count; ++i) {
    const ObjectId id = runtime.owner().IdOf(*reinterpret_cast<const ObjectRecord*>(references[i]));
    objects.emplace_back(id.owner.value, id.index, id.generation);
  }
  return out.CreateVectorOfStructs(objects);
}

Amounts Write(flatbuffers::FlatBufferBuilder& out, const model::ResourceSet& set) {
  std::vector<flatbuffers::Offset<wire::AdoptedAmount>> amounts;
  for (const auto& [name, fixed_point] : set.amounts()) {
    amounts.push_back(wire::CreateAdoptedAmount(out, out.CreateString(name), fixed_point));
  }
  return out.CreateVector(amounts);
}

Amounts WriteGroups(flatbuffers::FlatBufferBuilder& out, const manta_actor_options& options) {
  std::vector<flatbuffers::Offset<wire::AdoptedAmount>> groups;
  for (size_t i = 0; i < options.num_concurrency_groups; ++i) {
    const manta_resource& group = options.concurrency_groups[i];
    groups.push_back(
        wire::CreateAdoptedAmount(out, out.CreateString(group.name), static_cast<int64_t>(group.quantity)));
  }
  return out.CreateVector(groups);
}

// ---- What the steward does

void Fail(manta_call* call, const Error& error) {
  const manta_failure failure = {error.kind, nullptr, error.message.c_str()};
  call->ops->fail(call, &failure);
}

std::vector<manta_ref*> Import(Runtime& runtime, const flatbuffers::Vector<const wire::AdoptedObject*>* objects) {
  std::vector<manta_ref*> references;
  if (objects == nullptr) return references;
  for (const wire::AdoptedObject* object : *objects) {
    references.push_back(
        reinterpret_cast<manta_ref*>(runtime.Import({{object->owner()}, object->index(), object->generation()})));
  }
  return references;
}

void Release(const std::vector<manta_ref*>& references) {
  for (manta_ref* reference : references) {
    if (reference != nullptr) Owner::Release(reinterpret_cast<ObjectRecord*>(reference));
  }
}

model::ResourceSet Read(const flatbuffers::Vector<flatbuffers::Offset<wire::AdoptedAmount>>* amounts) {
  model::ResourceSet set;
  if (amounts == nullptr) return set;
  for (const wire::AdoptedAmount* amount : *amounts) set.Set(Text(amount->name()), amount->fixed_point());
  return set;
}

// The instance of the steward: texts that its creation tasks point to for as long as it lives.
struct Office {
  std::set<std::string> names;
};

void Open(manta_call* call) {
  call->ops->set_actor(call, new Office, [](void* office) { delete static_cast<Office*>(office); });
}

// `dependencies`: the values of the constructor's top-level references, as objects of this process.
Result<ActorRecord*> CreateFrom(const wire::Adoption& adoption, const std::vector<manta_ref*>& dependencies, Runtime& runtime,
                                Office& office, bool* existed) {
  Result<model::NodeConstraint> nodes = model::NodeConstraint::Parse(Text(adoption.nodes()));
  if (!nodes) return nodes.error();
  manta_task_spec constructor{};
  std::memcpy(&constructor.function, adoption.function()->data(), sizeof constructor.function);
  constructor.function_name = office.names.insert(Text(adoption.class_name())).first->c_str();
  const std::string task_name = Text(adoption.task_name());
  if (!task_name.empty()) constructor.name = task_name.c_str();
  constructor.args = adoption.args()->data();
  constructor.args_size = adoption.args()->size();
  const std::vector<manta_ref*> nested = Import(runtime, adoption.nested());
  constructor.dependencies = dependencies.data();
  constructor.num_dependencies = static_cast<uint32_t>(dependencies.size());
  constructor.nested = nested.data();
  constructor.num_nested = static_cast<uint32_t>(nested.size());

  const std::string name = Text(adoption.name());
  const std::string space = Text(adoption.ray_namespace());
  std::vector<manta_resource> groups;
  if (adoption.groups() != nullptr) {
    for (const wire::AdoptedAmount* group : *adoption.groups()) {
      const std::string& kept = *office.names.insert(Text(group->name())).first;
      groups.push_back({kept.c_str(), static_cast<double>(group->fixed_point())});
    }
  }
  manta_actor_options options{};
  options.struct_size = sizeof options;
  options.name = name.empty() ? nullptr : name.c_str();
  options.ray_namespace = space.c_str();
  options.detached = 1;
  options.get_if_exists = adoption.get_if_exists() ? 1 : 0;
  options.max_restarts = adoption.max_restarts();
  options.max_task_retries = adoption.max_task_retries();
  options.max_pending_calls = adoption.max_pending_calls();
  options.max_concurrency = adoption.max_concurrency();
  options.concurrency_groups = groups.data();
  options.num_concurrency_groups = groups.size();
  if (adoption.description() != nullptr) options.description = {adoption.description()->data(), adoption.description()->size()};
  TargetOptions shape;
  shape.resources = Read(adoption.resources());
  shape.placement = Read(adoption.placement());
  shape.environment = Text(adoption.environment());
  shape.bundle = {{ProcessId{adoption.group_creator()}, adoption.group_serial()}, adoption.bundle()};
  shape.captures = adoption.captures();
  shape.nodes = std::move(nodes).value();
  Result<ActorRecord*> actor = runtime.CreateActorHere(constructor, std::move(shape), options, existed);
  Release(nested);
  return actor;
}

// The caller's object is freed when Adopt returns, and a pin keeps it readable on this node alone: so a large one is copied.
Result<manta_ref*> KeepDependency(manta_call* call, uint32_t index) {
  const manta_bytes value = call->dependencies[index];
  if (value.size <= kLargeValueBytes) {
    if (manta_ref* kept = call->ops->retain_dependency(call, index)) return kept;
    return MakeError(MANTA_ERROR_OBJECT_LOST, "an argument of the actor's constructor is gone");
  }
  void* data;
  ObjectRecord* copy;
  Result<> begun = reinterpret_cast<Runtime*>(call->runtime)->PutBegin(value.size, nullptr, 0, nullptr, &data, &copy);
  if (!begun) return begun.error();
  std::memcpy(data, value.data, value.size);
  Owner::Of(copy).Seal(copy);
  return reinterpret_cast<manta_ref*>(copy);
}

void Adopt(manta_call* call) {
  flatbuffers::Verifier verifier(static_cast<const uint8_t*>(call->args), call->args_size);
  const wire::Adoption* adoption =
      wire::VerifyAdoptionBuffer(verifier) ? wire::GetAdoption(call->args) : nullptr;
  if (adoption == nullptr || adoption->args() == nullptr || adoption->function() == nullptr ||
      adoption->function()->size() * sizeof(uint32_t) != sizeof(manta_function_id)) {
    return Fail(call, MakeError(MANTA_ERROR_SYSTEM, "the description of a detached actor arrived damaged"));
  }
  Runtime& runtime = *reinterpret_cast<Runtime*>(call->runtime);
  if (!runtime.actors().BeginAdoption()) {
    return Fail(call, MakeError(MANTA_ERROR_ACTOR_UNAVAILABLE, "this steward ends: its actors do not need it any more"));
  }
  std::vector<manta_ref*> dependencies;
  std::optional<Error> lost;
  for (uint32_t i = 0; i < call->num_dependencies && !lost; ++i) {
    Result<manta_ref*> kept = KeepDependency(call, i);
    if (kept) {
      dependencies.push_back(*kept);
    } else {
      lost = kept.error();
    }
  }
  bool existed = false;
  Result<ActorRecord*> actor =
      lost ? Result<ActorRecord*>(*lost)
           : CreateFrom(*adoption, dependencies, runtime, *static_cast<Office*>(call->actor), &existed);
  Release(dependencies);
  runtime.actors().EndAdoption();
  if (!actor) return Fail(call, actor.error());
  runtime.actors().Release(*actor);
  const wire::Adopted adopted((*actor)->id.creator.value, (*actor)->id.serial, existed);
  static_assert(sizeof adopted <= 32, "fits a result in place");
  std::memcpy(call->inline_result, &adopted, sizeof adopted);
  call->inline_size = sizeof adopted;
}

// Both are code like a user's: found by their place in libmanta.so, which the steward has, too.
[[maybe_unused]] const bool registered = [] {
  FunctionRegistry::OfThisProcess().Register(Open);
  FunctionRegistry::OfThisProcess().Register(Adopt);
  return true;
}();

Result<manta_task_spec> SpecOf(manta_invoker invoker) {
  Result<manta_function_id> function = FunctionRegistry::OfThisProcess().Find(invoker, nullptr, kClassName);
  if (!function) return function.error();
  manta_task_spec spec{};
  spec.function = *function;
  spec.function_name = kClassName;
  return spec;
}

bool IsDeath(const Error& error) {
  return error.kind == MANTA_ERROR_ACTOR_DIED || error.kind == MANTA_ERROR_ACTOR_UNAVAILABLE;
}

}  // namespace

Result<ActorRecord*> Steward::Employ() {
  std::lock_guard guard(mutex_);
  ++charges_;
  if (steward_) {
    if (ActorRecord* employed = runtime_->actors().FindKnown(steward_)) return employed;
  }
  Result<manta_task_spec> constructor = SpecOf(Open);
  if (!constructor) return constructor.error();
  manta_actor_options options{};
  options.struct_size = sizeof options;
  options.detached = 1;
  options.max_pending_calls = -1;
  options.max_concurrency = 1;
  bool existed = false;
  Result<ActorRecord*> steward = runtime_->CreateActorHere(*constructor, TargetOptions{}, options, &existed);
  if (steward) {
    steward_ = (*steward)->id;
    charges_ = 1;
  }
  return steward;
}

// It is dead, or nobody needs it.
void Steward::Dismiss(ActorRecord* steward, bool unused) {
  std::lock_guard guard(mutex_);
  if (steward_ != steward->id) return;
  --charges_;
  if (unused && charges_ > 0) return;
  steward_ = {};
  static_cast<void>(runtime_->actors().Kill(steward, true));
}

Result<Steward::Answer> Steward::Ask(ActorRecord* steward, const manta_task_spec& constructor, const TargetOptions& shape,
                                     const manta_actor_options& options) {
  Result<manta_task_spec> call = SpecOf(Adopt);
  if (!call) return call.error();
  flatbuffers::FlatBufferBuilder out;
  uint32_t function[sizeof constructor.function / sizeof(uint32_t)];
  std::memcpy(function, &constructor.function, sizeof function);
  const auto class_name = out.CreateString(constructor.function_name);
  const auto name = out.CreateString(options.name != nullptr ? options.name : "");
  const auto space = out.CreateString(options.ray_namespace != nullptr ? options.ray_namespace
                                                                       : runtime_->welcome().ray_namespace.c_str());
  const auto words = out.CreateVector(function, std::size(function));
  const auto args = out.CreateVector(static_cast<const uint8_t*>(constructor.args), constructor.args_size);
  const Objects inside = Write(out, constructor.nested, constructor.num_nested, *runtime_);
  const Amounts resources = Write(out, shape.resources);
  const Amounts placement = Write(out, shape.placement);
  const Amounts groups = WriteGroups(out, options);
  const auto environment = out.CreateString(shape.environment);
  const auto nodes = out.CreateString(shape.nodes.text());
  const auto task_name = out.CreateString(constructor.name != nullptr ? constructor.name : "");
  const auto description = out.CreateVector(static_cast<const uint8_t*>(options.description.data), options.description.size);
  out.Finish(wire::CreateAdoption(out, words, class_name, args, inside, resources, placement, name, space,
                                  options.get_if_exists != 0, options.max_restarts, options.max_task_retries,
                                  options.max_pending_calls, options.max_concurrency, groups, environment,
                                  shape.bundle.group.creator.value, shape.bundle.group.serial, shape.bundle.index, shape.captures,
                                  nodes, description, task_name));
  call->args = out.GetBufferPointer();
  call->args_size = out.GetSize();
  call->dependencies = constructor.dependencies;
  call->num_dependencies = constructor.num_dependencies;
  call->nested = constructor.nested;
  call->num_nested = constructor.num_nested;
  call->num_results = 1;
  manta_ref* result = nullptr;
  if (Result<> sent = runtime_->Submit(*call, steward, shm::kActorMethod, &result); !sent) return sent.error();
  auto* object = reinterpret_cast<ObjectRecord*>(result);
  manta_bytes value{};
  const Result<> got = runtime_->Get(&object, 1, -1, &value);
  wire::Adopted adopted;
  if (got && value.size == sizeof adopted) std::memcpy(&adopted, value.data, sizeof adopted);
  Owner::Release(object);
  if (!got) return got.error();
  return Answer{{{adopted.creator()}, adopted.serial()}, adopted.existed()};
}

Result<ActorRecord*> Steward::Create(const manta_task_spec& constructor, const TargetOptions& shape,
                                     const manta_actor_options& options) {
  if (constructor.num_dependencies > 0) {
    // Here, where nothing else waits behind it.
    std::vector<manta_bytes> values(constructor.num_dependencies);
    Result<> got = runtime_->Get(reinterpret_cast<ObjectRecord* const*>(constructor.dependencies), values.size(), -1, values.data());
    if (!got) return got.error();
  }
  for (int attempts = kMostStewards; attempts > 0; --attempts) {
    Result<ActorRecord*> steward = Employ();
    if (!steward) return steward.error();
    Result<Answer> answer = Ask(*steward, constructor, shape, options);
    const bool died = !answer && IsDeath(answer.error());
    if (!answer || answer->existed) Dismiss(*steward, !died);
    runtime_->actors().Release(*steward);
    if (answer) return runtime_->actors().Import(answer->actor, true);
    // It may just have ended with its last actor.
    if (!died || attempts == 1) return answer.error();
  }
  return MakeError(MANTA_ERROR_SYSTEM, "unreachable");
}

}  // namespace manta::worker
