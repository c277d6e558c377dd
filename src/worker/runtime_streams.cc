// Results that a task gives one by one, as the program sees them.

#include <memory>
#include <mutex>

#include "worker/runtime.h"

namespace manta::worker {

StreamHandle* Runtime::MakeStream(uint32_t most_ahead) {
  streams_.fetch_add(1);
  return new StreamHandle{this, std::make_shared<ResultStream>(owner_.get(), most_ahead)};
}

bool Runtime::MayBegin(const manta_task_spec& spec) const {
  const auto* handle = reinterpret_cast<const StreamHandle*>(spec.stream);
  return handle->runtime == this && !handle->stream->has_begun() && spec.num_results == 1;
}

ObjectRecord* Runtime::PeekStream(ResultStream* stream) {
  std::lock_guard guard(owner_->lock());
  return stream->Peek();
}

bool Runtime::AdvanceStream(ResultStream* stream) {
  {
    std::lock_guard guard(owner_->lock());
    if (!stream->Advance()) return false;
    dispatcher_->StreamTaken(*stream);
    references_->Flush();
  }
  Flush();
  return true;
}

void Runtime::FreeStream(StreamHandle* handle) {
  {
    std::lock_guard guard(owner_->lock());
    handle->stream->Abandon();
    dispatcher_->StreamTaken(*handle->stream);
    references_->Flush();
    handle->stream.reset();
  }
  Flush();
  delete handle;
  streams_.fetch_sub(1);
}

}  // namespace manta::worker
