#include "worker/execution.h"

#include <cstring>
#include <mutex>
#include <utility>

#include "model/error_codec.h"
#include "worker/function_registry.h"
#include "worker/owner.h"
#include "worker/shared_objects.h"

namespace manta::worker {
namespace {

constexpr uint32_t Align8(uint32_t bytes) { return (bytes + 7) & ~7u; }

}  // namespace

const manta_call_ops Execution::kOps = {
    .allocate_result = [](manta_call* call, uint32_t index, size_t size, manta_ref* const*,
                          size_t num_nested) -> void* {
      return static_cast<Call*>(call)->execution->AllocateResult(index, size, num_nested);
    },
    .fail =
        [](manta_call* call, const manta_failure* failure) {
          Execution& execution = *static_cast<Call*>(call)->execution;
          execution.failed_ = true;
          execution.error_ = MakeError(failure->kind, failure->message);
          if (failure->type_name != nullptr) {
            execution.error_.type_name = FunctionRegistry::Demangle(failure->type_name);
          }
        },
    .retain_dependency = [](manta_call* call, uint32_t index) -> manta_ref* {
      Execution& execution = *static_cast<Call*>(call)->execution;
      if (index >= execution.dependency_headers_.size()) return nullptr;
      const shm::DependencyHeader& header = execution.dependency_headers_[index];
      const manta_bytes value = execution.dependencies_[index];
      std::lock_guard guard(execution.owner_->lock());
      ObjectRecord* object = execution.owner_->NewObject();
      if (header.kind == shm::ValueKind::kShared) {
        if (execution.owner_->Pin(object, execution.handles_[index])) {
          return reinterpret_cast<manta_ref*>(object);
        }
      } else {
        execution.owner_->SetBytes(object, value.data, static_cast<uint32_t>(value.size));
        return reinterpret_cast<manta_ref*>(object);
      }
      execution.owner_->ReleaseLocked(object);
      return nullptr;
    },
    .set_actor =
        [](manta_call* call, void* instance, void (*destroy)(void*)) {
          Execution& execution = *static_cast<Call*>(call)->execution;
          execution.actor = instance;
          execution.destroy_actor = destroy;
        },
};

Execution::Execution(Owner* owner, SharedObjects* shared, manta_runtime* runtime)
    : owner_(owner), shared_(shared), runtime_(runtime) {}

void* Execution::AllocateResult(uint32_t index, size_t size, size_t num_nested) {
  if (num_nested > 0) {
    failed_ = true;
    error_ = MakeError(MANTA_ERROR_NOT_SUPPORTED,
                       "references inside of results are not there yet: return the value itself");
    return nullptr;
  }
  if (index >= staged_.size()) staged_.resize(index + 1);
  any_staged_ = true;
  Staged& staged = staged_[index];
  staged.filled = true;
  if (size <= kLargeValueBytes) {
    staged.kind = shm::ValueKind::kInline;
    staged.bytes.resize(size);
    return staged.bytes.data();
  }
  Result<shm::SharedHandle> handle = shared_->Allocate(size);
  if (!handle) {
    failed_ = true;
    error_ = handle.error();
    return nullptr;
  }
  staged.kind = shm::ValueKind::kShared;
  staged.handle = handle.value();
  return shared_->Writable(staged.handle);
}

bool Execution::ReadDependencies(const Input& input) {
  dependencies_.clear();
  dependency_headers_.clear();
  handles_.clear();
  const unsigned char* at = input.dependencies;
  uint32_t left = input.dependencies_size;
  for (uint32_t i = 0; i < input.num_dependencies; ++i) {
    shm::DependencyHeader header;
    if (left < sizeof header) return false;
    std::memcpy(&header, at, sizeof header);
    at += sizeof header;
    left -= sizeof header;
    if (header.bytes > left) return false;
    shm::SharedHandle handle{};
    if (header.kind == shm::ValueKind::kShared) {
      if (header.bytes != sizeof handle) return false;
      std::memcpy(&handle, at, sizeof handle);
      if (!owner_->memory().Contains(handle)) return false;
      dependencies_.push_back({owner_->memory().Readable(handle.offset), handle.size});
    } else {
      dependencies_.push_back({at, header.bytes});
    }
    dependency_headers_.push_back(header);
    handles_.push_back(handle);
    const uint32_t step = Align8(header.bytes);
    if (step > left) {
      if (i + 1 != input.num_dependencies) return false;
      break;
    }
    at += step;
    left -= step;
  }
  return true;
}

Outcome Execution::Run(const Input& input) {
  failed_ = false;
  if (any_staged_) {
    for (Staged& staged : staged_) staged.filled = false;
    any_staged_ = false;
  }
  if (input.num_dependencies > 0 && !ReadDependencies(input)) {
    return Failure(MakeError(MANTA_ERROR_SYSTEM, "the task's dependencies arrived damaged"));
  }
  Call call{};
  call.runtime = runtime_;
  call.ops = &kOps;
  call.target = input.target;
  call.args = input.args;
  call.args_size = input.args_size;
  call.dependencies = dependencies_.data();
  call.num_dependencies = input.num_dependencies;
  call.num_results = input.num_results;
  call.actor = actor;
  call.inline_result = input.inline_result;
  call.inline_capacity = shm::kInlineResult;
  call.execution = this;
  input.invoker(&call);
  return Gather(input, call);
}

Outcome Execution::Gather(const Input& input, const Call& call) {
  if (failed_) {
    for (Staged& staged : staged_) {
      // Space that will never be read: sealed, so that its owner, this process, can free it.
      if (!staged.filled || staged.kind != shm::ValueKind::kShared) continue;
      shared_->Seal(staged.handle);
      std::lock_guard guard(owner_->lock());
      ObjectRecord* object = owner_->NewObject();
      owner_->SetShared(object, staged.handle, true);
      owner_->ReleaseLocked(object);
    }
    return Failure(error_);
  }
  if (!any_staged_) {
    return Outcome{shm::TaskStatus::kOk, false, static_cast<const unsigned char*>(input.inline_result),
                   static_cast<uint32_t>(call.inline_size)};
  }
  list_.clear();
  for (uint32_t i = 0; i < input.num_results; ++i) {
    const bool filled = i < staged_.size() && staged_[i].filled;
    shm::ResultHeader header{shm::ValueKind::kInline, 0, 0, 0};
    const unsigned char* bytes = nullptr;
    if (filled && staged_[i].kind == shm::ValueKind::kShared) {
      shared_->Seal(staged_[i].handle);
      header.kind = shm::ValueKind::kShared;
      header.bytes = sizeof(shm::SharedHandle);
      bytes = reinterpret_cast<const unsigned char*>(&staged_[i].handle);
    } else if (filled) {
      header.bytes = static_cast<uint32_t>(staged_[i].bytes.size());
      bytes = staged_[i].bytes.data();
    }
    const size_t start = list_.size();
    list_.resize(start + sizeof header + Align8(header.bytes));
    std::memcpy(list_.data() + start, &header, sizeof header);
    if (header.bytes > 0) std::memcpy(list_.data() + start + sizeof header, bytes, header.bytes);
  }
  return Outcome{shm::TaskStatus::kOk, true, list_.data(), static_cast<uint32_t>(list_.size())};
}

Outcome Execution::Failure(const Error& error) {
  const std::string encoded = model::EncodeError(error);
  const shm::ResultHeader header{shm::ValueKind::kError, static_cast<uint32_t>(encoded.size()), 0, 0};
  list_.resize(sizeof header + Align8(header.bytes));
  std::memcpy(list_.data(), &header, sizeof header);
  std::memcpy(list_.data() + sizeof header, encoded.data(), encoded.size());
  return Outcome{shm::TaskStatus::kFailed, true, list_.data(), static_cast<uint32_t>(list_.size())};
}

}  // namespace manta::worker
