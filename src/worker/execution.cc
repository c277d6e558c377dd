#include "worker/execution.h"

#include <cstring>
#include <mutex>
#include <utility>

#include "stacks/function_name.h"
#include "model/error_codec.h"
#include "worker/error_stack.h"
#include "worker/function_registry.h"
#include "worker/owner.h"
#include "worker/references.h"
#include "worker/result_list.h"
#include "worker/shared_objects.h"

namespace manta::worker {
namespace {

// Of what an exception says: it has to fit into one frame with others.
constexpr size_t kMostMessage = 4 << 20;

}  // namespace

const manta_call_ops Execution::kOps = {
    .allocate_result = [](manta_call* call, uint32_t index, size_t size, manta_ref* const* nested,
                          size_t num_nested) -> void* {
      return static_cast<Call*>(call)->execution->AllocateResult(index, size, nested, num_nested);
    },
    .fail =
        [](manta_call* call, const manta_failure* failure) {
          static_cast<Call*>(call)->execution->Fail(*failure, "");
        },
    .retain_dependency = [](manta_call* call, uint32_t index) -> manta_ref* {
      Execution& execution = *static_cast<Call*>(call)->execution;
      if (index >= execution.dependency_headers_.size()) return nullptr;
      const shm::DependencyHeader& header = execution.dependency_headers_[index];
      const manta_bytes value = execution.dependencies_[index];
      std::lock_guard guard(execution.owner_->lock());
      ObjectRecord* object = execution.owner_->NewObject();
      if (header.kind == shm::ValueKind::kShared) {
        execution.owner_->SetPinned(object, execution.handles_[index]);
        if (object->pinned) return reinterpret_cast<manta_ref*>(object);
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
    .pass_on =
        [](manta_call* call, const manta_failure* failure, const char* stack) {
          static_cast<Call*>(call)->execution->Fail(*failure, stack);
        },
    .fail_with =
        [](manta_call* call, const manta_failure* failure, const char* stack, manta_bytes payload) {
          Execution& execution = *static_cast<Call*>(call)->execution;
          execution.Fail(*failure, stack);
          if (payload.size <= kMostMessage) execution.error_.payload.assign(static_cast<const char*>(payload.data), payload.size);
        },
    .serve = [](manta_call* call, const char* group) -> manta_calls* {
      MainThread* const main_thread = static_cast<Call*>(call)->execution->main_thread;
      return main_thread == nullptr ? nullptr : reinterpret_cast<manta_calls*>(main_thread->Serve(group == nullptr ? "" : group));
    },
    .defer = [](manta_call* call, void* data) -> int {
      Deferral* const deferral = static_cast<Call*>(call)->execution->deferral;
      return deferral != nullptr && deferral->Defer(data);
    },
    .finish = [](manta_call* call) { static_cast<Call*>(call)->execution->deferral->Finish(); },
    .resume = [](manta_call* call) { static_cast<Call*>(call)->execution->deferral->Resume(); },
    .suspend = [](manta_call* call) { static_cast<Call*>(call)->execution->deferral->Suspend(); },
    .emit = [](manta_call* call, uint32_t most_ahead) -> int { return static_cast<Call*>(call)->execution->Emit(most_ahead); },
    .set_stoppable = [](manta_call* call, int on) {
      MainThread* const main_thread = static_cast<Call*>(call)->execution->main_thread;
      if (main_thread != nullptr) main_thread->SetStoppable(on != 0);
    },
};

Execution::Execution(Owner* owner, References* references, SharedObjects* shared, manta_runtime* runtime, ItemSink* items)
    : owner_(owner), references_(references), shared_(shared), runtime_(runtime), items_(items) {}

void Execution::Fail(const manta_failure& failure, std::string_view passed_stack) {
  failed_ = true;
  error_ = MakeError(failure.kind, failure.message);
  if (const size_t size = error_.message.size(); size > kMostMessage) {
    error_.message.resize(kMostMessage);
    error_.message += "... (" + std::to_string(size - kMostMessage) + " bytes more)";
  }
  if (failure.type_name != nullptr) error_.type_name = stacks::Demangled(failure.type_name);
  if (failure.kind == MANTA_ERROR_TASK) error_.stack = StackText(throw_stack_, passed_stack);
}

void* Execution::AllocateResult(uint32_t index, size_t size, manta_ref* const* nested, size_t num_nested) {
  if (num_nested > References::kMostInOneValue) {
    failed_ = true;
    error_ = References::TooMany(num_nested);
    return nullptr;
  }
  if (index >= staged_.size()) staged_.resize(index + 1);
  any_staged_ = true;
  Staged& staged = staged_[index];
  staged.filled = true;
  for (size_t i = 0; i < num_nested; ++i) {
    auto* object = reinterpret_cast<ObjectRecord*>(nested[i]);
    Owner::Retain(object);
    staged.nested.push_back(object);
    any_nested_ = true;
  }
  if (size <= kLargeValueBytes) {
    staged.kind = shm::ValueKind::kInline;
    staged.bytes.resize(size);
    return staged.bytes.data();
  }
  Result<shm::SharedHandle> handle = shared_->Allocate(size, sender_);
  if (!handle) {
    failed_ = true;
    error_ = handle.error();
    staged.kind = shm::ValueKind::kInline;
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
    if (step > left) return false;
    at += step;
    left -= step;
  }
  behind_dependencies_ = at;
  behind_dependencies_size_ = left;
  return true;
}

bool Execution::ReadReferences(const Input& input) {
  shm::NestedHeader header;
  if (behind_dependencies_size_ < sizeof header) return false;
  std::memcpy(&header, behind_dependencies_, sizeof header);
  if (header.count > (behind_dependencies_size_ - sizeof header) / sizeof(ObjectId)) return false;
  if (input.sender == owner_->process()) return true;
  std::vector<ObjectId> ids(header.count);
  if (!ids.empty()) std::memcpy(ids.data(), behind_dependencies_ + sizeof header, ids.size() * sizeof(ObjectId));
  task_number_ = header.task_number;
  std::lock_guard guard(owner_->lock());
  references_->TaskReceived(input.sender, task_number_, ids);
  return true;
}

void Execution::Begin(const Input& input) {
  failed_ = false;
  sender_ = input.sender;
  task_number_ = 0;
  items_sent_ = 0;
  item_state_ = Item::kNone;
  has_window_ = false;
  if (any_staged_) ReleaseStaged();
  if (input.num_dependencies > 0 || input.has_references) {
    if (!ReadDependencies(input) || (input.has_references && !ReadReferences(input))) {
      failed_ = true;
      error_ = MakeError(MANTA_ERROR_SYSTEM, "the task's dependencies arrived damaged");
      return;
    }
  }
  Call& call = call_;
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
  call.inline_size = 0;
  call.execution = this;
  stacks::CallNotingThrows(input.invoker, &call, &throw_stack_);
}

// What stands as result 0 goes out ahead of the call's end.
int Execution::Emit(uint32_t most_ahead) {
  if (failed_ || call_.num_results != 1 || sender_ == owner_->process()) return 0;
  const bool may_wait = deferral == nullptr;
  if (most_ahead > 0 && !std::exchange(has_window_, true)) items_->BeginWindow();
  if (item_state_ == Item::kNone) BuildItem();
  if (item_state_ == Item::kBuilt) {
    const ItemSink::Sent sent = SendItem(may_wait ? ItemSink::Room::kWait : ItemSink::Room::kTry);
    if (sent != ItemSink::Sent::kYes) return sent == ItemSink::Sent::kNotNow ? 2 : 0;
  }
  const ItemSink::Sent wanted = items_->AwaitWindow(items_sent_, most_ahead, may_wait);
  if (wanted == ItemSink::Sent::kNotNow) return 2;
  item_state_ = Item::kNone;
  return wanted == ItemSink::Sent::kYes;
}

void Execution::BuildItem() {
  item_ = {};
  item_.status = shm::TaskStatus::kItem;
  item_.item = items_sent_;
  item_state_ = Item::kBuilt;
  if (!any_staged_) {
    item_.bytes = static_cast<const unsigned char*>(call_.inline_result);
    item_.size = static_cast<uint32_t>(call_.inline_size);
    return;
  }
  if (any_nested_) {
    FinishReferences(&item_, 0);
  } else {
    WriteResults({});
  }
  item_.is_list = true;
  item_.bytes = list_.data();
  item_.size = static_cast<uint32_t>(list_.size());
}

ItemSink::Sent Execution::SendItem(ItemSink::Room room) {
  const ItemSink::Sent sent = items_->SendItem(item_, room);
  if (sent != ItemSink::Sent::kYes) return sent;
  ++items_sent_;
  item_state_ = Item::kSent;
  call_.inline_size = 0;
  if (any_staged_) ReleaseStaged();
  return sent;
}

Outcome Execution::End() {
  if (__builtin_expect(item_state_ == Item::kBuilt, 0)) SendItem(ItemSink::Room::kLater);  // the reference table waits for its receiver
  if (__builtin_expect(has_window_, 0)) items_->EndWindow();
  Outcome outcome;
  outcome.in_place = sender_ == owner_->process();
  if (failed_) {
    outcome = Failure(error_);
    outcome.in_place = sender_ == owner_->process();
  } else if (any_staged_) {
    if (!any_nested_ || outcome.in_place) WriteResults(OwnReferences());
    outcome.is_list = true;
  } else {
    outcome.bytes = static_cast<const unsigned char*>(call_.inline_result);
    outcome.size = static_cast<uint32_t>(call_.inline_size);
  }
  if (!outcome.in_place && (task_number_ != 0 || (any_staged_ && any_nested_))) {
    FinishReferences(&outcome, task_number_);
  }
  if (outcome.is_list) {
    outcome.bytes = list_.data();
    outcome.size = static_cast<uint32_t>(list_.size());
  }
  return outcome;
}

// The list of all results; `references[i]` are those inside of result i.
void Execution::WriteResults(const std::vector<std::vector<shm::WireReference>>& references) {
  ResultWriter writer(&list_);
  for (uint32_t i = 0; i < call_.num_results; ++i) {
    if (i >= staged_.size() || !staged_[i].filled) {
      writer.Add(shm::ValueKind::kInline, call_.inline_result, static_cast<uint32_t>(call_.inline_size));
      continue;
    }
    const Staged& staged = staged_[i];
    const std::span<const shm::WireReference> inside =
        i < references.size() ? references[i] : std::span<const shm::WireReference>();
    if (staged.kind == shm::ValueKind::kShared) {
      shared_->Seal(staged.handle);
      writer.Add(staged.kind, &staged.handle, sizeof staged.handle, inside);
    } else {
      writer.Add(staged.kind, staged.bytes.data(), static_cast<uint32_t>(staged.bytes.size()), inside);
    }
  }
}

// For a task that ran in place: what its results contain is known to this process already.
std::vector<std::vector<shm::WireReference>> Execution::OwnReferences() {
  std::vector<std::vector<shm::WireReference>> references(staged_.size());
  if (!any_nested_) return references;
  std::lock_guard guard(owner_->lock());
  for (size_t i = 0; i < staged_.size(); ++i) {
    for (ObjectRecord* object : staged_[i].nested) references[i].push_back({owner_->IdOf(*object), 0});
  }
  return references;
}

// What leaves with the completion is told to the reference table first: it pins what the results contain until their receiver is
// registered, and says which of the arguments' references this process keeps.
void Execution::FinishReferences(Outcome* outcome, uint64_t task_number) {
  std::vector<std::pair<ObjectId, std::vector<ObjectId>>> results;
  const uint32_t count = failed_ || !any_staged_ ? 0 : call_.num_results;
  std::lock_guard guard(owner_->lock());
  for (uint32_t i = 0; i < count && i < staged_.size(); ++i) {
    if (staged_[i].nested.empty()) continue;
    std::vector<ObjectId> inners;
    for (ObjectRecord* object : staged_[i].nested) {
      references_->Publish(object);
      inners.push_back(owner_->IdOf(*object));
    }
    results.emplace_back(ObjectId{sender_, 0, i}, std::move(inners));  // a label that comes back
  }
  const model::CompletionReferences completion =
      references_->TaskFinished(sender_, task_number, results);
  references_->Flush();
  if (!failed_ && (any_staged_ || !completion.kept.empty())) {
    std::vector<std::vector<shm::WireReference>> references(call_.num_results);
    for (const model::ContainedReferences& result : completion.results) {
      for (const model::PassedReference& passed : result.inners) {
        references[result.outer.generation].push_back({passed.object, passed.transfer});
      }
    }
    WriteResults(references);
    outcome->is_list = true;
  }
  if (completion.kept.empty()) return;
  std::vector<shm::WireReference> kept;
  for (const model::KeptReference& reference : completion.kept) kept.push_back({reference.object, reference.epoch});
  ResultWriter::AddKept(&list_, kept);
  outcome->has_kept = true;
}

void Execution::ReleaseStaged() {
  std::lock_guard guard(owner_->lock());
  for (Staged& staged : staged_) {
    staged.filled = false;
    for (ObjectRecord* object : staged.nested) owner_->ReleaseLocked(object);
    staged.nested.clear();
  }
  references_->Flush();
  any_staged_ = any_nested_ = false;
}

Outcome Execution::Failure(const Error& error) {
  for (Staged& staged : staged_) {
    // Space that will never be read goes back.
    if (!any_staged_ || !staged.filled || staged.kind != shm::ValueKind::kShared) continue;
    shared_->Seal(staged.handle);
    std::lock_guard guard(owner_->lock());
    owner_->FreeLater(staged.handle);
  }
  const std::string encoded = model::EncodeError(error);
  ResultWriter(&list_).Add(shm::ValueKind::kError, encoded.data(), static_cast<uint32_t>(encoded.size()));
  Outcome outcome;
  outcome.status = shm::TaskStatus::kFailed;
  outcome.is_list = true;
  outcome.bytes = list_.data();
  outcome.size = static_cast<uint32_t>(list_.size());
  return outcome;
}

}  // namespace manta::worker
