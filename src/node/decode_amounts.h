// Resources as processes name them, checked.
#pragma once

#include <cstddef>

#include "base/result.h"
#include "contracts/control_generated.h"
#include "model/resources.h"

namespace manta::node {

inline constexpr size_t kMaxResourceNames = 64;

inline Result<model::ResourceSet> DecodeAmounts(
    const flatbuffers::Vector<flatbuffers::Offset<wire::Amount>>* amounts) {
  model::ResourceSet set;
  if (amounts == nullptr) return set;
  if (amounts->size() > kMaxResourceNames) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "more than 64 resources in one demand");
  }
  for (const wire::Amount* amount : *amounts) {
    if (amount->name() == nullptr || amount->name()->size() == 0 ||
        amount->name()->size() > model::kMaxResourceNameBytes) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "a resource without a usable name");
    }
    if (amount->fixed_point() < 0 || amount->fixed_point() > model::kMaxAmount) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                       "resource " + amount->name()->str() + " has an amount out of range");
    }
    set.Set(amount->name()->string_view(), amount->fixed_point());
  }
  return set;
}

}  // namespace manta::node
