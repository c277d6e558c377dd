#include "worker/list_space.h"

#include <mutex>
#include <utility>

namespace manta::worker {
namespace {

void GiveBack(Owner* owner, const Result<shm::SharedHandle>& space) {
  if (!space) return;
  std::lock_guard guard(owner->lock());
  owner->FreeLater(space.value());
}

}  // namespace

std::shared_ptr<ListSpace> ListSpace::Ask(SharedObjects* shared, Owner* owner, uint64_t bytes, ProcessId for_owner) {
  auto space = std::make_shared<ListSpace>(owner);
  shared->AllocateLater(bytes, for_owner, [owner, weak = std::weak_ptr(space)](const Result<shm::SharedHandle>& answer) {
    const std::shared_ptr<ListSpace> waiting = weak.lock();
    if (waiting == nullptr) return GiveBack(owner, answer);
    waiting->answer_.emplace(answer);
    waiting->answered_.store(true, std::memory_order_release);
  });
  return space;
}

ListSpace::~ListSpace() {
  if (answered() && answer_) GiveBack(owner_, *answer_);
}

Result<shm::SharedHandle> ListSpace::Take() {
  Result<shm::SharedHandle> taken = std::move(*answer_);
  answer_.reset();
  return taken;
}

}  // namespace manta::worker
