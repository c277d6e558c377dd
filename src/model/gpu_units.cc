#include "model/gpu_units.h"

#include <algorithm>
#include <cassert>
#include <string>

namespace manta::model {
namespace {

std::string Number(int64_t amount) {
  ResourceSet set;
  set.Set(kGpu, amount);
  return set.ToString();
}

}  // namespace

Result<> GpuUnits::CheckTotal(int64_t total) {
  if (total >= 0 && total % kResourceUnit == 0 && total / kResourceUnit <= kMost) return {};
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                   Number(total) + ": a node has a whole number of GPUs, at most " +
                       std::to_string(kMost));
}

Result<> GpuUnits::CheckRequest(int64_t amount) {
  if (amount <= kResourceUnit || amount % kResourceUnit == 0) return {};
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                   Number(amount) +
                       ": more than one GPU can only be had as a whole number of them; a share "
                       "is at most 1");
}

GpuUnits::GpuUnits(int64_t total)
    : free_(static_cast<size_t>(total / kResourceUnit), kResourceUnit) {}

GpuUnits GpuUnits::Of(const GpuUnits& all, const GpuShares& shares) {
  GpuUnits units;
  units.free_.resize(all.free_.size());
  units.Give(shares);
  return units;
}

bool GpuUnits::CanTake(int64_t amount) const { return amount <= 0 || Times(amount, 1) == 1; }

uint32_t GpuUnits::Times(int64_t amount, uint32_t limit) const {
  if (amount <= 0) return limit;
  int64_t times = 0;
  if (amount < kResourceUnit) {
    for (const int64_t free : free_) times += free / amount;
  } else {
    times = std::count(free_.begin(), free_.end(), kResourceUnit) / (amount / kResourceUnit);
  }
  return static_cast<uint32_t>(std::min<int64_t>(times, limit));
}

GpuShares GpuUnits::Take(int64_t amount) {
  GpuShares shares;
  if (amount <= 0) return shares;
  assert(CanTake(amount));
  if (amount < kResourceUnit) {
    auto best = free_.end();
    for (auto unit = free_.begin(); unit != free_.end(); ++unit) {
      if (*unit >= amount && (best == free_.end() || *unit < *best)) best = unit;
    }
    shares.push_back({static_cast<uint32_t>(best - free_.begin()), amount});
  } else {
    for (uint32_t i = 0; amount > 0; ++i) {
      if (free_[i] != kResourceUnit) continue;
      shares.push_back({i, kResourceUnit});
      amount -= kResourceUnit;
    }
  }
  Take(shares);
  return shares;
}

void GpuUnits::Take(const GpuShares& shares) {
  for (const GpuShare& share : shares) {
    assert(free_[share.index] >= share.amount);
    free_[share.index] -= share.amount;
  }
}

void GpuUnits::Give(const GpuShares& shares) {
  for (const GpuShare& share : shares) {
    free_[share.index] += share.amount;
    assert(free_[share.index] <= kResourceUnit);
  }
}

void GpuUnits::Keep(int64_t amount) {
  while (amount > 0) {
    const auto unit = std::max_element(free_.begin(), free_.end());
    if (unit == free_.end() || *unit == 0) return;
    const int64_t taken = std::min(*unit, amount);
    *unit -= taken;
    amount -= taken;
  }
}

int64_t GpuUnits::free() const {
  int64_t sum = 0;
  for (const int64_t free : free_) sum += free;
  return sum;
}

GpuShares GpuUnits::FreeShares() const {
  GpuShares shares;
  for (uint32_t i = 0; i < free_.size(); ++i) {
    if (free_[i] > 0) shares.push_back({i, free_[i]});
  }
  return shares;
}

uint64_t MaskOf(const GpuShares& shares) {
  uint64_t mask = 0;
  for (const GpuShare& share : shares) mask |= uint64_t{1} << share.index;
  return mask;
}

}  // namespace manta::model
