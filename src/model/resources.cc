#include "model/resources.h"

#include <cmath>
#include <cstdio>
#include <limits>

namespace manta::model {
namespace {

std::string Describe(std::string_view name, double quantity) {
  char number[40];
  std::snprintf(number, sizeof number, "%g", quantity);
  return "resource " + std::string(name) + " = " + number;
}

int64_t Sum(int64_t left, int64_t right) {
  int64_t sum;
  if (!__builtin_add_overflow(left, right, &sum)) return sum;
  return right > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
}

int64_t Difference(int64_t left, int64_t right) {
  int64_t difference;
  if (!__builtin_sub_overflow(left, right, &difference)) return difference;
  return right > 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

// A fixed-point amount as a person writes it: without trailing zeros.
std::string Number(int64_t amount) {
  const uint64_t magnitude = amount < 0 ? -static_cast<uint64_t>(amount) : amount;
  std::string text = amount < 0 ? "-" : "";
  text += std::to_string(magnitude / kResourceUnit);
  uint64_t rest = magnitude % kResourceUnit;
  if (rest == 0) return text;
  text += '.';
  for (uint64_t digit = kResourceUnit / 10; rest != 0; digit /= 10) {
    text += static_cast<char>('0' + rest / digit);
    rest %= digit;
  }
  return text;
}

}  // namespace

int64_t ResourceSet::Get(std::string_view name) const {
  const auto found = amounts_.find(name);
  return found == amounts_.end() ? 0 : found->second;
}

void ResourceSet::Set(std::string_view name, int64_t fixed_point) {
  const auto found = amounts_.find(name);
  if (fixed_point == 0) {
    if (found != amounts_.end()) amounts_.erase(found);
  } else if (found != amounts_.end()) {
    found->second = fixed_point;
  } else {
    amounts_.emplace(name, fixed_point);
  }
}

void ResourceSet::Add(const ResourceSet& other) {
  for (const auto& [name, amount] : other.amounts_) Set(name, Sum(Get(name), amount));
}

void ResourceSet::Subtract(const ResourceSet& other) {
  for (const auto& [name, amount] : other.amounts_) Set(name, Difference(Get(name), amount));
}

bool ResourceSet::Contains(const ResourceSet& request) const {
  for (const auto& [name, amount] : request.amounts_) {
    if (Get(name) < amount) return false;
  }
  return true;
}

ResourceSet ResourceSet::Only(std::string_view name) const {
  ResourceSet only;
  only.Set(name, Get(name));
  return only;
}

std::string ResourceSet::ToString() const {
  std::string text = "{";
  for (const auto& [name, amount] : amounts_) {
    if (text.size() > 1) text += ", ";
    text += name + ": " + Number(amount);
  }
  return text + "}";
}

std::string ResourceSet::ToString(const ResourceSet& names) const {
  std::string text = "{";
  for (const auto& [name, amount] : names.amounts_) {
    if (text.size() > 1) text += ", ";
    text += name + ": " + Number(Get(name));
  }
  return text + "}";
}

Result<int64_t> ToFixedPoint(std::string_view name, double quantity) {
  if (!std::isfinite(quantity)) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     Describe(name, quantity) + ": the amount must be a finite number");
  }
  if (quantity < 0) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     Describe(name, quantity) + ": the amount must not be negative");
  }
  if (quantity > static_cast<double>(kMaxUnits)) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     Describe(name, quantity) + ": the amount must be at most 2^48");
  }
  // A little below one step is the rounding error of the number itself.
  if (quantity > 0 && quantity * kResourceUnit < 1 - 1e-9) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     Describe(name, quantity) + ": the smallest amount is 0.0001");
  }
  return std::llround(quantity * kResourceUnit);
}

}  // namespace manta::model
