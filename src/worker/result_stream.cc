#include "worker/result_stream.h"

#include <utility>

namespace manta::worker {
namespace {

Error EndOfStream() { return MakeError(MANTA_ERROR_END_OF_STREAM, "the task has no more results"); }

}  // namespace

ObjectRecord* ResultStream::Expected() {
  if (!is_expected()) items_.push_back(owner_->NewObject());
  return items_.back();
}

ObjectRecord* ResultStream::Peek() {
  if (items_.empty()) {
    ObjectRecord* const next = Expected();
    if (ended_) owner_->SetError(next, EndOfStream());
  }
  Owner::Retain(items_.front());
  return items_.front();
}

bool ResultStream::Advance() {
  // What stands for the end stays.
  if (items_.empty() || taken_ == received_ || items_.front()->state.load(std::memory_order_relaxed) == ValueState::kPending) return false;
  ++taken_;
  ObjectRecord* const item = items_.front();
  items_.pop_front();
  owner_->ReleaseLocked(item);
  return true;
}

void ResultStream::Abandon() {
  abandoned_ = true;
  for (ObjectRecord* item : std::exchange(items_, {})) owner_->ReleaseLocked(item);
}

ObjectRecord* ResultStream::Receive(uint32_t number) {
  if (number > received_ || ended_) return nullptr;
  const bool is_new = number == received_;
  if (!is_new || abandoned_) {
    if (is_new) ++received_;
    return owner_->NewObject();
  }
  ObjectRecord* const item = Expected();
  ++received_;
  Owner::Retain(item);
  return item;
}

void ResultStream::End(const Error* error) {
  if (std::exchange(ended_, true)) return;
  task_ = 0;
  if (abandoned_) return;
  if (error != nullptr) {
    owner_->SetError(Expected(), *error);
    ++received_;
  } else if (is_expected()) {
    owner_->SetError(items_.back(), EndOfStream());
  }
}

}  // namespace manta::worker
