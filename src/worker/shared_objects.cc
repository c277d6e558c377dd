#include "worker/shared_objects.h"

#include <utility>

#include "base/kill_point.h"

namespace manta::worker {

Result<shm::SharedHandle> SharedObjects::Allocate(uint64_t size, ProcessId owner) {
  wire::AllocateObjectT message;
  message.request = answers_.NewRequest();
  message.size = size;
  message.owner = owner.value;
  const uint64_t request = message.request;
  const uint64_t began = NowTicks();
  control_->Queue(std::move(message));
  control_->Flush();
  MANTA_KILL_POINT("object.space_asked");
  Result<shm::SharedHandle> handle = answers_.Await(request);
  MANTA_KILL_POINT("object.space_given");
  recorder_->SpaceGiven(handle ? shm::EventOutcome::kOk : shm::EventOutcome::kRefused, began, size);
  if (handle) populator_.Populate(handle->offset, size);
  return handle;
}

void SharedObjects::Seal(const shm::SharedHandle& handle) {
  MANTA_KILL_POINT("object.written");
  memory_->Slot(handle.slot).word.store(
      shm::ObjectWord(handle.generation, shm::ObjectState::kSealed), std::memory_order_release);
  MANTA_KILL_POINT("object.sealed");
}

void SharedObjects::OnAllocated(const wire::ObjectAllocated& message) {
  const shm::SharedHandle handle{message.slot(), message.generation(), message.offset(), message.size()};
  if (memory_->Contains(handle)) {
    answers_.Answer(message.request(), handle);
  } else {
    answers_.Answer(message.request(),
                    MakeError(MANTA_ERROR_SYSTEM, "the daemon gave space outside of the object arena"));
  }
}

void SharedObjects::OnRefused(const wire::ObjectRefused& message) {
  answers_.Answer(message.request(),
                  MakeError(static_cast<manta_error_kind>(message.kind()),
                            message.message() == nullptr ? "" : message.message()->str()));
}

}  // namespace manta::worker
