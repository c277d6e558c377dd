// Amounts of named resources, in fixed point with a granularity of 1/10000, as Ray counts them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace manta::model {

inline constexpr std::string_view kCpu = "CPU";
inline constexpr std::string_view kGpu = "GPU";
// The most bytes of the name of a custom resource.
inline constexpr size_t kMaxResourceNameBytes = 256;
inline constexpr std::string_view kMemory = "memory";
inline constexpr std::string_view kObjectStoreMemory = "object_store_memory";

// One unit each, so that a task can ask for a certain node or for the head (with a small amount).
inline constexpr std::string_view kNodePrefix = "node:";  // and its address
inline constexpr std::string_view kHeadNode = "node:__internal_head__";

// One unit of a resource is kResourceUnit.
inline constexpr int64_t kResourceUnit = 10'000;
// What a node has, and what somebody asks for, at most: 256 TiB of memory. Three such amounts can be added.
inline constexpr int64_t kMaxUnits = int64_t{1} << 48;
inline constexpr int64_t kMaxAmount = kMaxUnits * kResourceUnit;

// A value type. Missing names count as zero; zero amounts are not stored, so equal sets compare
// equal.
class ResourceSet {
 public:
  using Map = std::map<std::string, int64_t, std::less<>>;

  int64_t Get(std::string_view name) const;
  void Set(std::string_view name, int64_t fixed_point);
  // Sums that an int64 has no room for stay at its border.
  void Add(const ResourceSet& other);
  void Subtract(const ResourceSet& other);  // amounts may become negative: lent CPUs that came back
  // Whether `request` fits into this set; amounts requested as zero always fit.
  bool Contains(const ResourceSet& request) const;
  // This set's amount of `name` alone.
  ResourceSet Only(std::string_view name) const;
  // "{CPU: 2, GPU: 0}": the amounts of the names in `names`, zeros included.
  std::string ToString(const ResourceSet& names) const;
  bool empty() const { return amounts_.empty(); }
  const Map& amounts() const { return amounts_; }
  // "{CPU: 1, GPU: 0.5}"
  std::string ToString() const;

  bool operator==(const ResourceSet&) const = default;

 private:
  Map amounts_;
};

// From a user's number. Refuses negative and non-finite amounts, more than 2^48 units, and amounts
// below the granularity.
Result<int64_t> ToFixedPoint(std::string_view name, double quantity);

}  // namespace manta::model
