#include "worker/shared_objects.h"

#include <utility>

namespace manta::worker {

Result<shm::SharedHandle> SharedObjects::Allocate(uint64_t size) {
  wire::AllocateObjectT message;
  message.request = answers_.NewRequest();
  message.size = size;
  const uint64_t request = message.request;
  control_->Queue(std::move(message));
  control_->Flush();
  return answers_.Await(request);
}

void SharedObjects::Seal(const shm::SharedHandle& handle) {
  memory_->Slot(handle.slot).word.store(
      shm::ObjectWord(handle.generation, shm::ObjectState::kSealed), std::memory_order_release);
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
