#include "base/ids.h"

#include <cinttypes>
#include <cstdio>

namespace manta {

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, value);
  return text;
}

std::string Hex(const ObjectId& id) {
  return Hex(id.owner.value) + Hex(uint64_t{id.index} << 32 | id.generation);
}

std::string Hex(const ActorId& id) { return Hex(id.creator.value) + Hex(id.serial); }
std::string Hex(const PlacementGroupId& id) { return Hex(id.creator.value) + Hex(id.serial); }

}  // namespace manta
