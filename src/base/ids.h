// Names of things, as types that cannot be mistaken for each other. All are values; zero is "none".
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace manta {

template <class Tag>
struct Id {
  uint64_t value = 0;

  explicit operator bool() const { return value != 0; }
  auto operator<=>(const Id&) const = default;
};

// A process of the cluster: a driver, a worker or a daemon. The upper half is the index of its node, the lower half
// counts the node's processes, so that no two processes of a cluster ever share one.
using ProcessId = Id<struct ProcessTag>;
using LeaseId = Id<struct LeaseTag>;
// What runs the user's code, on one node: workers of the same number can stand in for each other. A job's own workers have its number.
using ExecutableId = Id<struct ExecutableTag>;
using JobId = Id<struct JobTag>;

// Workers with an environment of their own, which no job has the number of.
constexpr ExecutableId EnvironmentExecutable(uint64_t serial) { return {uint64_t{1} << 63 | serial}; }
constexpr bool HasEnvironment(ExecutableId executable) { return executable.value >> 63 != 0; }

constexpr ProcessId MakeProcessId(uint32_t node, uint32_t serial) {
  return {uint64_t{node} << 32 | serial};
}
constexpr uint32_t NodeIndexOf(ProcessId process) { return static_cast<uint32_t>(process.value >> 32); }
// The number that people see of a process.
constexpr uint32_t SerialOf(ProcessId process) { return static_cast<uint32_t>(process.value); }

// An object, named by its owner's table. The generation tells the uses of a table entry apart.
struct ObjectId {
  ProcessId owner;
  uint32_t index = 0;
  uint32_t generation = 0;

  explicit operator bool() const { return static_cast<bool>(owner); }
  auto operator<=>(const ObjectId&) const = default;
};

struct ActorId {
  ProcessId creator;
  uint64_t serial = 0;

  explicit operator bool() const { return static_cast<bool>(creator); }
  auto operator<=>(const ActorId&) const = default;
};

// A group of resources that are reserved together: who made it, and the number that it gave.
struct PlacementGroupId {
  ProcessId creator;
  uint64_t serial = 0;

  explicit operator bool() const { return static_cast<bool>(creator); }
  auto operator<=>(const PlacementGroupId&) const = default;
};

std::string Hex(uint64_t value);
std::string Hex(const ObjectId& id);
std::string Hex(const ActorId& id);
std::string Hex(const PlacementGroupId& id);

}  // namespace manta

template <class Tag>
struct std::hash<manta::Id<Tag>> {
  size_t operator()(manta::Id<Tag> id) const noexcept { return id.value * 0x9e3779b97f4a7c15u >> 7; }
};
template <>
struct std::hash<manta::ObjectId> {
  size_t operator()(const manta::ObjectId& id) const noexcept {
    return (id.owner.value ^ (uint64_t{id.index} << 32 | id.generation)) * 0x9e3779b97f4a7c15u >> 7;
  }
};
template <>
struct std::hash<manta::ActorId> {
  size_t operator()(const manta::ActorId& id) const noexcept {
    return (id.creator.value ^ id.serial << 32) * 0x9e3779b97f4a7c15u >> 7;
  }
};
template <>
struct std::hash<manta::PlacementGroupId> {
  size_t operator()(const manta::PlacementGroupId& id) const noexcept {
    return (id.creator.value ^ id.serial << 24) * 0x9e3779b97f4a7c15u >> 7;
  }
};
