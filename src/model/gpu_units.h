// Which GPUs of a node are whose. Amounts alone do not say: half a GPU on each of two is one in
// sum, but no place for a task that needs a whole one.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/resources.h"

namespace manta::model {

// A part of one GPU, or all of it.
struct GpuShare {
  uint32_t index = 0;
  int64_t amount = 0;  // fixed point, at most kResourceUnit
  bool operator==(const GpuShare&) const = default;
};
using GpuShares = std::vector<GpuShare>;  // by ascending index

// A value type. All amounts are in fixed point.
class GpuUnits {
 public:
  // At most this many on a node, so that a set of them is a word.
  static constexpr uint32_t kMost = 64;

  // Error INVALID_ARGUMENT: `total` is not a whole number of GPUs up to kMost.
  static Result<> CheckTotal(int64_t total);
  // Error INVALID_ARGUMENT: more than one GPU, but not a whole number of them.
  static Result<> CheckRequest(int64_t amount);

  GpuUnits() = default;
  // Requires CheckTotal.
  explicit GpuUnits(int64_t total);
  // Of what another one has, these.
  static GpuUnits Of(const GpuUnits& all, const GpuShares& shares);

  // Whether a request fits: a share into one GPU, several GPUs into those that nobody uses.
  bool CanTake(int64_t amount) const;
  // How many requests of this amount fit, at most `limit`.
  uint32_t Times(int64_t amount, uint32_t limit) const;
  // The GPUs for a request: a share goes to the GPU with the least that has room, so that whole
  // ones stay whole. Requires CanTake.
  GpuShares Take(int64_t amount);
  // Just these. Requires that they are free.
  void Take(const GpuShares& shares);
  void Give(const GpuShares& shares);
  // Takes what there is of `amount`, from the emptiest GPUs first: kept for a request that does not
  // fit yet.
  void Keep(int64_t amount);

  int64_t free() const;  // in all
  GpuShares FreeShares() const;

 private:
  std::vector<int64_t> free_;  // by index
};

// Bit i: GPU i is among them.
uint64_t MaskOf(const GpuShares& shares);

}  // namespace manta::model
