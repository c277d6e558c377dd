// How the methods of an actor share its process: its threads, and the groups that have threads of their own. Travels in front of the
// arguments of the creation task (shm::kActorSetup).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "manta/manta_c.h"

namespace manta::worker {

struct ActorSetup {
  struct Group {
    std::string name;
    uint32_t threads = 1;
  };
  uint32_t max_concurrency = 1;  // threads of the default group
  std::vector<Group> groups;

  // Whether calls run beside each other, or in groups: the ordinary actor needs nothing of this.
  bool is_ordinary() const { return max_concurrency <= 1 && groups.empty(); }
};

// What a call says in its descriptor instead of a group's name, so that callers need not know the actor's groups. 0: the default group.
uint16_t GroupNumber(std::string_view name);

// Error INVALID_ARGUMENT: numbers below 1 or beyond what a process can have, names that are empty or given twice.
Result<ActorSetup> CheckedSetup(const manta_actor_options& options);

// A multiple of 8 bytes; `args` follow.
std::vector<unsigned char> WithSetup(const ActorSetup& setup, const void* args, size_t args_size);
// Returns how many bytes it takes; 0: damaged.
uint32_t ReadSetup(const unsigned char* bytes, uint32_t size, ActorSetup* setup);

}  // namespace manta::worker
