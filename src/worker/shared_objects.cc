#include "worker/shared_objects.h"

#include <utility>

namespace manta::worker {

Result<shm::SharedHandle> SharedObjects::Allocate(uint64_t size) {
  std::unique_lock guard(mutex_);
  const uint64_t request = next_request_++;
  guard.unlock();
  wire::AllocateObjectT message;
  message.request = request;
  message.size = size;
  control_->Queue(std::move(message));
  control_->Flush();
  guard.lock();
  answered_.wait(guard, [&] { return closed_ || answers_.count(request) != 0; });
  if (closed_) return closed_error_;
  Result<shm::SharedHandle> answer = std::move(answers_.at(request));
  answers_.erase(request);
  return answer;
}

void SharedObjects::Seal(const shm::SharedHandle& handle) {
  memory_->Slot(handle.slot).word.store(
      shm::ObjectWord(handle.generation, shm::ObjectState::kSealed), std::memory_order_release);
}

void SharedObjects::Answer(uint64_t request, Result<shm::SharedHandle> answer) {
  std::lock_guard guard(mutex_);
  answers_.emplace(request, std::move(answer));
  answered_.notify_all();
}

void SharedObjects::FailAll(const Error& error) {
  std::lock_guard guard(mutex_);
  closed_ = true;
  closed_error_ = error;
  answered_.notify_all();
}

}  // namespace manta::worker
