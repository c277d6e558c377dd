// Space in the object arena for a list of results that has found no room in its channel's ring.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/ids.h"
#include "base/result.h"
#include "shm/channel.h"
#include "worker/owner.h"
#include "worker/shared_objects.h"

namespace manta::worker {

// What comes of asking the daemon, which may take its time when the arena is full. Space that nobody takes goes back.
class ListSpace {
 public:
  // Without waiting; SharedObjects::Flush sends the question. `owner` is this process's and outlives `shared`.
  static std::shared_ptr<ListSpace> Ask(SharedObjects* shared, Owner* owner, uint64_t bytes, ProcessId for_owner);
  explicit ListSpace(Owner* owner) : owner_(owner) {}
  ~ListSpace();
  ListSpace(const ListSpace&) = delete;
  ListSpace& operator=(const ListSpace&) = delete;

  // Any thread. Whether Take has something to give.
  bool answered() const { return answered_.load(std::memory_order_acquire); }
  // Once, when answered: the space, from then on the caller's, or why there is none.
  Result<shm::SharedHandle> Take();

 private:
  Owner* const owner_;
  std::optional<Result<shm::SharedHandle>> answer_;  // written before `answered_`
  std::atomic<bool> answered_{false};
};

}  // namespace manta::worker
