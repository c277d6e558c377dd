// Ray's C++ interface, for programs that were written for Ray: they compile unchanged against this
// header and libmanta. A thin layer over manta.h; new programs use that.
//
// What differs: nothing has to be registered, no second build as a shared library is needed, and
// MSGPACK_DEFINE describes members to Manta's own encoding. What Ray's interface has and Manta does
// not have yet (runtime environments, Java, metrics) throws
// NotSupportedError.
#pragma once

#include <iostream>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "manta/manta.h"
#include "ray/api/actor_creator.h"
#include "ray/api/logging.h"
#include "ray/api/ray_config.h"
#include "ray/api/ray_exception.h"
#include "ray/api/ray_remote.h"
#include "ray/api/runtime_env.h"
#include "ray/api/task_caller.h"
#include "ray/api/task_options.h"
#include "ray/api/xlang_function.h"

// Enumerations travel without further ado.
#ifndef MSGPACK_ADD_ENUM
#define MSGPACK_ADD_ENUM(type) static_assert(std::is_enum_v<type>, "an enumeration")
#endif
// How members are named or grouped is msgpack's business: here they travel in their order.
#ifndef MSGPACK_DEFINE_ARRAY
#define MSGPACK_DEFINE_ARRAY MANTA_DEFINE
#endif
#ifndef MSGPACK_DEFINE_MAP
#define MSGPACK_DEFINE_MAP MANTA_DEFINE
#endif
#ifndef MSGPACK_NVP
#define MSGPACK_NVP(name, member) member
#endif
// What a class inherits, as one of the members. Bases are const where a value is written.
#ifndef MSGPACK_BASE
#define MSGPACK_BASE(base) const_cast<base&>(static_cast<const base&>(*this))
#define MSGPACK_BASE_ARRAY MSGPACK_BASE
#define MSGPACK_BASE_MAP MSGPACK_BASE
#endif

namespace ray {

template <class T>
using ObjectRef = manta::ObjectRef<T>;
template <class T, bool IsXlang = false>
using ActorHandle = manta::ActorHandle<T>;
template <class T>
using WaitResult = manta::WaitResult<T>;

using manta::Get;
using manta::GetNamespace;
using manta::IsInitialized;
using manta::Put;
using manta::Wait;
using manta::WasCurrentActorRestarted;

// Ends the actor, without a restart. Does not return, as Ray's: whoever has called the method gets an
// ActorDiedError. (manta::ExitActor lets the method end, and give its result.)
[[noreturn]] inline void ExitActor() {
  manta::ExitActor();
  throw manta::detail::ActorExit();
}

// Does nothing when this process is connected already. Flags --ray_NAME=VALUE override `config`.
inline void Init(RayConfig& config, int argc, char** argv) {
  if (IsInitialized()) return;
  internal::ReadFlags(config, argc, argv);
  manta::Init(internal::ToManta(config));
  internal::KeptActors::Instance().detached_by_default =
      config.default_actor_lifetime == ActorLifetime::DETACHED;
}
inline void Init(RayConfig& config) { Init(config, 0, nullptr); }
inline void Init() {
  RayConfig config;
  Init(config);
}

inline void Shutdown() {
  internal::KeptActors::Instance().ReleaseAll();
  manta::Shutdown();
}

// By the ids of objects, of which somebody must hold references.
template <class T>
std::vector<std::shared_ptr<T>> Get(const std::vector<std::string>& ids,
                                    const int& timeout_ms = -1) {
  manta_runtime* runtime = manta::detail::CurrentRuntime("Get");
  std::vector<ObjectRef<T>> references;
  for (const std::string& id : ids) {
    if (id.size() != 32 || id.find_first_not_of("0123456789abcdef") != std::string::npos) {
      throw manta::InvalidArgumentError("Get: '" + id + "' is not the ID() of an ObjectRef");
    }
    const auto part = [&](size_t begin, size_t digits) {
      return std::strtoull(id.substr(begin, digits).c_str(), nullptr, 16);
    };
    const manta_object_id object = {part(0, 16), static_cast<uint32_t>(part(16, 8)),
                                    static_cast<uint32_t>(part(24, 8))};
    references.push_back(ObjectRef<T>::FromHandle(manta_ref_import(runtime, &object)));
  }
  return manta::Get(references, timeout_ms);
}

template <class F>
internal::TaskCaller<std::decay_t<F>> Task(F function) {
  static_assert(!std::is_member_function_pointer_v<F>,
                "Incompatible type: member function cannot be called with ray::Task.");
  return internal::TaskCaller<std::decay_t<F>>(function);
}
template <class R>
auto Task(const JavaFunction<R>& function) {
  return internal::JavaCaller<ObjectRef<R>>(function.class_name + "." + function.function_name);
}

// `factory`: a function that returns a pointer to the new actor.
template <class F>
internal::ActorCreator<std::decay_t<F>> Actor(F factory) {
  return internal::ActorCreator<std::decay_t<F>>(factory);
}
inline auto Actor(const PyActorClass& actor) {
  return internal::ActorCreator<manta::PyActorClass>({actor.module_name, actor.class_name});
}
inline auto Actor(const JavaActorClass& actor) {
  return internal::JavaCaller<ActorHandleXlang>(actor.class_name);
}

template <class T>
boost::optional<ActorHandle<T>> GetActor(const std::string& name,
                                         const std::string& ray_namespace = "") {
  if (name.empty()) return {};
  std::optional<ActorHandle<T>> found = manta::GetActor<T>(name, ray_namespace);
  if (!found) return {};
  return *found;
}

// An actor in Python.
inline boost::optional<ActorHandleXlang> GetActor(const std::string& name,
                                                  const std::string& ray_namespace = "") {
  if (name.empty()) return {};
  auto found = manta::GetActor<manta::PyActorClass>(name, ray_namespace);
  if (!found) return {};
  return ActorHandleXlang(*found);
}

inline PlacementGroup CreatePlacementGroup(const PlacementGroupCreationOptions& create_options) {
  std::vector<manta::Bundle> bundles;
  for (const auto& bundle : create_options.bundles) bundles.emplace_back(bundle.begin(), bundle.end());
  manta::PlacementGroupOptions options;
  options.name = create_options.name;
  options.strategy =
      static_cast<manta::PlacementStrategy>(static_cast<int>(create_options.strategy));
  return internal::FromManta(manta::CreatePlacementGroup(bundles, options),
                             PlacementGroupState::PENDING);
}
inline void RemovePlacementGroup(const std::string& id) {
  manta::RemovePlacementGroup(manta::PlacementGroup(internal::GroupIdOf(id), "", {},
                                                    manta::PlacementStrategy::kPack));
}
inline std::vector<PlacementGroup> GetAllPlacementGroups() {
  const auto found =
      manta::detail::FindPlacementGroups("GetAllPlacementGroups", nullptr, nullptr, nullptr);
  std::vector<PlacementGroup> groups;
  for (size_t i = 0; i < manta_placement_group_list_size(found.get()); ++i) {
    groups.push_back(internal::FromManta(*manta_placement_group_list_at(found.get(), i)));
  }
  return groups;
}
// The empty group when there is none.
inline PlacementGroup GetPlacementGroupById(const std::string& id) {
  const manta_placement_group_id group = internal::GroupIdOf(id);
  const auto found =
      manta::detail::FindPlacementGroups("GetPlacementGroupById", &group, nullptr, nullptr);
  if (manta_placement_group_list_size(found.get()) == 0) return {};
  return internal::FromManta(*manta_placement_group_list_at(found.get(), 0));
}
inline PlacementGroup GetPlacementGroup(const std::string& name) {
  const auto found =
      manta::detail::FindPlacementGroups("GetPlacementGroup", nullptr, name.c_str(), nullptr);
  if (manta_placement_group_list_size(found.get()) == 0) return {};
  return internal::FromManta(*manta_placement_group_list_at(found.get(), 0));
}

}  // namespace ray
