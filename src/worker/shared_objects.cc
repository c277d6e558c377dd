#include "worker/shared_objects.h"

#include <utility>

#include "base/kill_point.h"

namespace manta::worker {

void SharedObjects::Ask(uint64_t request, uint64_t size, ProcessId owner) {
  wire::AllocateObjectT message;
  message.request = request;
  message.size = size;
  message.owner = owner.value;
  control_->Queue(std::move(message));
}

Result<shm::SharedHandle> SharedObjects::Allocate(uint64_t size, ProcessId owner, FunctionRef<bool()> gives_up) {
  const uint64_t began = NowTicks();
  const uint64_t request = answers_.NewRequest();
  Ask(request, size, owner);
  control_->Flush();
  MANTA_KILL_POINT("object.space_asked");
  Result<shm::SharedHandle> handle = answers_.Await(request, "space for a large object", gives_up);
  MANTA_KILL_POINT("object.space_given");
  recorder_->SpaceGiven(handle ? shm::EventOutcome::kOk : shm::EventOutcome::kRefused, began, size);
  if (handle) populator_.Populate(handle->offset, size);
  return handle;
}

void SharedObjects::Seal(const shm::SharedHandle& handle) {
  MANTA_KILL_POINT("object.written");
  shm::Seal(memory_->Slot(handle.slot), handle.generation);
  MANTA_KILL_POINT("object.sealed");
}

void SharedObjects::AllocateLater(uint64_t size, ProcessId owner, Then then) {
  const uint64_t request = answers_.NewRequest();
  {
    std::lock_guard guard(later_mutex_);
    later_[request] = std::move(then);
  }
  Ask(request, size, owner);
}

void SharedObjects::Answer(uint64_t request, Result<shm::SharedHandle> answer) {
  Then then;
  {
    std::lock_guard guard(later_mutex_);
    if (auto found = later_.extract(request)) then = std::move(found.mapped());
  }
  if (then) {
    then(answer);
  } else {
    answers_.Answer(request, std::move(answer));
  }
}

void SharedObjects::FailAll(const Error& error) {
  answers_.FailAll(error);
  std::unordered_map<uint64_t, Then> later;
  {
    std::lock_guard guard(later_mutex_);
    later.swap(later_);
  }
  for (const auto& [request, then] : later) then(error);
}

void SharedObjects::OnAllocated(const wire::ObjectAllocated& message) {
  const shm::SharedHandle handle{message.slot(), message.generation(), message.offset(), message.size()};
  if (memory_->Contains(handle)) {
    Answer(message.request(), handle);
  } else {
    Answer(message.request(), MakeError(MANTA_ERROR_SYSTEM, "the daemon gave space outside of the object arena"));
  }
}

void SharedObjects::OnRefused(const wire::ObjectRefused& message) {
  Answer(message.request(), MakeError(static_cast<manta_error_kind>(message.kind()),
                                      message.message() == nullptr ? "" : message.message()->str()));
}

}  // namespace manta::worker
