// What is free on a node: how much of each resource, and which GPUs.
#pragma once

#include <algorithm>
#include <cstdint>

#include "model/gpu_units.h"
#include "model/resources.h"

namespace manta::model {

// What of `amount` is there.
inline ResourceSet AtMost(const ResourceSet& amount, const ResourceSet& there) {
  ResourceSet least;
  for (const auto& [name, value] : amount.amounts()) {
    least.Set(name, std::max<int64_t>(0, std::min(value, there.Get(name))));
  }
  return least;
}

// A value type. Amounts may be negative (see ResourceSet), GPUs not.
struct FreeResources {
  ResourceSet amounts;
  GpuUnits gpus;

  bool Contains(const ResourceSet& request) const {
    return amounts.Contains(request) && gpus.CanTake(request.Get(kGpu));
  }
  // Requires Contains. Returns the GPUs.
  GpuShares Take(const ResourceSet& request) {
    amounts.Subtract(request);
    return gpus.Take(request.Get(kGpu));
  }
  // Takes what is there of `amount`, and returns it.
  ResourceSet Keep(const ResourceSet& amount) {
    ResourceSet least = AtMost(amount, amounts);
    amounts.Subtract(least);
    gpus.Keep(least.Get(kGpu));
    return least;
  }
  // How many times `request` fits, at most `limit` times.
  uint32_t Times(const ResourceSet& request, uint32_t limit) const {
    int64_t times = limit;
    for (const auto& [name, amount] : request.amounts()) {
      times = std::min(times, std::max<int64_t>(0, amounts.Get(name)) / amount);
    }
    return gpus.Times(request.Get(kGpu), static_cast<uint32_t>(times));
  }
};

}  // namespace manta::model
