#include "worker/actor_setup.h"

#include <cmath>
#include <cstring>

namespace manta::worker {
namespace {

constexpr uint32_t kMostThreads = 10'000;

struct Header {
  uint32_t bytes;  // of all of it
  uint32_t max_concurrency;
  uint32_t groups;
  uint32_t reserved;
};
struct GroupHeader {
  uint32_t threads;
  uint32_t name_bytes;  // that follow
};

Error Wrong(const std::string& what, double value) {
  char number[32];
  std::snprintf(number, sizeof number, "%g", value);
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT, what + " is " + number + ": it must be a whole number from 1 to " +
                                                     std::to_string(kMostThreads));
}

bool IsCount(double value) { return value >= 1 && value <= kMostThreads && value == std::floor(value); }

}  // namespace

uint16_t GroupNumber(std::string_view name) {
  if (name.empty()) return 0;
  uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return static_cast<uint16_t>(1 + hash % UINT16_MAX);
}

Result<ActorSetup> CheckedSetup(const manta_actor_options& options) {
  if (!IsCount(options.max_concurrency)) return Wrong("max_concurrency", options.max_concurrency);
  ActorSetup setup;
  setup.max_concurrency = static_cast<uint32_t>(options.max_concurrency);
  for (size_t i = 0; i < options.num_concurrency_groups; ++i) {
    const manta_resource& given = options.concurrency_groups[i];
    const std::string name = given.name == nullptr ? "" : given.name;
    if (name.empty()) return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "a concurrency group needs a name");
    if (!IsCount(given.quantity)) return Wrong("the number of threads of the concurrency group '" + name + "'", given.quantity);
    for (const ActorSetup::Group& other : setup.groups) {
      if (GroupNumber(other.name) == GroupNumber(name)) {
        return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the concurrency groups '" + other.name + "' and '" + name +
                                                           "' cannot be told apart: choose another name for one of them");
      }
    }
    setup.groups.push_back({name, static_cast<uint32_t>(given.quantity)});
  }
  return setup;
}

std::vector<unsigned char> WithSetup(const ActorSetup& setup, const void* args, size_t args_size) {
  std::vector<unsigned char> out(sizeof(Header));
  const auto add = [&out](const void* bytes, size_t size) {
    const auto* begin = static_cast<const unsigned char*>(bytes);
    out.insert(out.end(), begin, begin + size);
  };
  for (const ActorSetup::Group& group : setup.groups) {
    const GroupHeader header{group.threads, static_cast<uint32_t>(group.name.size())};
    add(&header, sizeof header);
    add(group.name.data(), group.name.size());
  }
  out.resize((out.size() + 7) & ~size_t{7});
  const Header header{static_cast<uint32_t>(out.size()), setup.max_concurrency,
                      static_cast<uint32_t>(setup.groups.size()), 0};
  std::memcpy(out.data(), &header, sizeof header);
  add(args, args_size);
  return out;
}

uint32_t ReadSetup(const unsigned char* bytes, uint32_t size, ActorSetup* setup) {
  Header header;
  if (size < sizeof header) return 0;
  std::memcpy(&header, bytes, sizeof header);
  if (header.bytes > size || header.bytes < sizeof header || header.bytes % 8 != 0) return 0;
  setup->max_concurrency = header.max_concurrency;
  setup->groups.clear();
  uint32_t at = sizeof header;
  for (uint32_t i = 0; i < header.groups; ++i) {
    GroupHeader group;
    if (header.bytes - at < sizeof group) return 0;
    std::memcpy(&group, bytes + at, sizeof group);
    at += sizeof group;
    if (group.name_bytes > header.bytes - at) return 0;
    setup->groups.push_back({std::string(reinterpret_cast<const char*>(bytes) + at, group.name_bytes), group.threads});
    at += group.name_bytes;
  }
  return header.bytes;
}

}  // namespace manta::worker
