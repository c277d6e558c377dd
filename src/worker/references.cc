#include "worker/references.h"

#include <cassert>
#include <cstring>
#include <optional>
#include <utility>

#include "model/error_codec.h"

namespace manta::worker {
namespace {

// A batch travels in one frame, whose size the daemon limits (contracts::kMaxFrameBytes): far below that, it is sent.
constexpr size_t kBatchBytes = 1 << 20;

// Of a PeerValue, as both sides count it.
size_t SizeOfValue(size_t bytes, size_t inners) { return bytes + inners * sizeof(wire::PeerObject) + 64; }

wire::PeerObject ToWire(const ObjectId& id) { return {id.owner.value, id.index, id.generation}; }
ObjectId FromWire(const wire::PeerObject& id) { return {{id.owner()}, id.index(), id.generation()}; }

// The verifier does not see to it that a struct stands where it is aligned.
template <class Struct>
Struct Aligned(const Struct* wire) {
  Struct aligned;
  std::memcpy(&aligned, static_cast<const void*>(wire), sizeof aligned);
  return aligned;
}

template <class Struct, class Use>
void ForEach(const flatbuffers::Vector<const Struct*>* list, Use use) {
  if (list == nullptr) return;
  for (const Struct* entry : *list) use(Aligned(entry));
}

template <class Table, class Use>
void ForEach(const flatbuffers::Vector<flatbuffers::Offset<Table>>* list, Use use) {
  if (list == nullptr) return;
  for (const Table* entry : *list) use(*entry);
}

}  // namespace

References::References(Owner* owner, Send send)
    : owner_(owner), send_(std::move(send)), table_(owner->process()) {
  owner_->set_border(this);
}

// ---- Names

ObjectId References::IdOf(const ObjectRecord& object) const {
  if (!object.borrowed) return {owner_->process(), object.index, object.generation};
  return borrowed_ids_.at(&object);
}

ObjectRecord* References::FindOwn(const ObjectId& id) {
  ObjectRecord* object = id.owner == owner_->process() ? owner_->FindObject(id.index, id.generation) : nullptr;
  return object != nullptr && object->listed ? object : nullptr;
}

ObjectRecord* References::ImportKnown(const ObjectId& id) {
  if (id.owner == owner_->process()) {
    ObjectRecord* const object = owner_->FindObject(id.index, id.generation);
    if (object == nullptr) return nullptr;
    if (object->references.fetch_add(1, std::memory_order_relaxed) == 0 && object->listed) table_.SetLocal(id, true);
    return object;
  }
  if (const auto known = borrowed_.find(id); known != borrowed_.end()) {
    Owner::Retain(known->second);
    return known->second;
  }
  if (!table_.Knows(id)) return nullptr;
  table_.SetLocal(id, true);
  return NewBorrowed(id);
}

ObjectRecord* References::Import(const ObjectId& id) {
  if (ObjectRecord* const known = ImportKnown(id); known != nullptr) return known;
  if (id.owner != owner_->process() && !no_values_) {
    table_.Adopt(id);
    return NewBorrowed(id);
  }
  ObjectRecord* const gone = owner_->NewObject();
  owner_->SetError(gone, no_values_ ? *no_values_
                                    : MakeError(MANTA_ERROR_OBJECT_LOST,
                                                "the object " + Hex(id) + " was freed before this reference to it arrived"));
  return gone;
}

ObjectRecord* References::NewBorrowed(const ObjectId& id) {
  ObjectRecord* const object = owner_->NewObject();
  object->borrowed = true;
  borrowed_[id] = object;
  borrowed_ids_[object] = id;
  if (table_.HasFailed(id)) owner_->SetError(object, OwnerDied(id.owner));
  Apply();
  return object;
}

void References::ExpectOwn(const ObjectId& id) {
  if (id.owner != owner_->process()) return;
  ObjectRecord* const object = owner_->FindObject(id.index, id.generation);
  if (object != nullptr && object->references.load(std::memory_order_relaxed) > 0) Publish(object);
}

Error References::TooMany(size_t references) {
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the value contains " + std::to_string(references) + " references: " +
                                                     std::to_string(kMostInOneValue) +
                                                     " is the most; divide it into several objects");
}

Error References::OwnerDied(ProcessId owner) const {
  const auto death = deaths_.find(owner);
  return MakeError(MANTA_ERROR_OWNER_DIED, "the process " + Hex(owner.value) + " that owned the object has died, and the object with it" +
                                               (death == deaths_.end() ? "" : ": " + death->second));
}

void References::Publish(ObjectRecord* object) {
  if (object->borrowed || object->listed) return;
  object->listed = true;
  ++listed_;
  table_.Own(IdOf(*object));
}

// ---- Values

void References::Contain(ObjectRecord* outer, std::vector<ObjectRecord*> inners) {
  if (inners.empty()) return;
  outer->contains = true;
  contained_[outer] = std::move(inners);
}

void References::ValueFreed(ObjectRecord* object) {
  const auto found = contained_.find(object);
  if (found == contained_.end()) {
    if (life_listener_) life_listener_(IdOf(*object));
    return;
  }
  std::vector<ObjectRecord*> inners = std::move(found->second);
  contained_.erase(found);
  to_release_.insert(to_release_.end(), inners.begin(), inners.end());
  if (releasing_) return;  // the loop below goes on with them: chains of any length
  releasing_ = true;
  while (!to_release_.empty()) {
    ObjectRecord* inner = to_release_.back();
    to_release_.pop_back();
    owner_->ReleaseLocked(inner);
  }
  releasing_ = false;
}

void References::LastHandleGone(ObjectRecord* object) {
  const ObjectId id = IdOf(*object);
  if (object->borrowed) {
    borrowed_.erase(id);
    borrowed_ids_.erase(object);
    object->borrowed = false;
    deferred_.erase(id);
    table_.SetLocal(id, false);
    owner_->FreeUnlisted(object);
  } else {
    table_.SetLocal(id, false);
  }
  Apply();  // what there is to tell the owner leaves with the next batch
}

void References::Fetch(ObjectRecord* object) {
  if (!object->borrowed || object->fetching ||
      object->state.load(std::memory_order_relaxed) != ValueState::kPending) {
    return;
  }
  object->fetching = true;
  const ObjectId id = IdOf(*object);
  BatchFor(id.owner).fetch.push_back(ToWire(id));
}

void References::FetchAgain(ObjectRecord* object) {
  object->fetching = false;
  Fetch(object);
}

void References::AnswerFetch(ProcessId to, ObjectRecord* object) {
  const ValueState state = object->state.load(std::memory_order_relaxed);
  if (state == ValueState::kPending) {
    if (fetchers_[object].empty()) owner_->AddDependent(object, nullptr, 0);
    fetchers_[object].push_back(to);
    return;
  }
  if (!windows_.Admits(to)) return windows_.Wait(to, IdOf(*object));
  SendValue(to, object);
}

void References::SendValue(ProcessId to, ObjectRecord* object) {
  auto value = std::make_unique<wire::PeerValueT>();
  value->object = std::make_unique<wire::PeerObject>(ToWire(IdOf(*object)));
  switch (object->state.load(std::memory_order_relaxed)) {
    case ValueState::kPending: return;
    case ValueState::kError: {
      const std::string error = model::EncodeError(*object->error);
      value->kind = static_cast<uint32_t>(shm::ValueKind::kError);
      value->bytes.assign(error.begin(), error.end());
      break;
    }
    case ValueState::kShared: {
      value->kind = static_cast<uint32_t>(shm::ValueKind::kShared);
      const auto* handle = reinterpret_cast<const uint8_t*>(&object->shared);
      value->bytes.assign(handle, handle + sizeof object->shared);
      break;
    }
    case ValueState::kInline:
    case ValueState::kHeap: {
      const manta_bytes bytes = owner_->Value(*object);
      const auto* begin = static_cast<const uint8_t*>(bytes.data);
      value->bytes.assign(begin, begin + bytes.size);
      break;
    }
  }
  if (const auto found = contained_.find(object); found != contained_.end()) {
    std::vector<ObjectId> inners;
    for (ObjectRecord* inner : found->second) {
      Publish(inner);
      inners.push_back(IdOf(*inner));
      value->inners.push_back(ToWire(inners.back()));
    }
    table_.Put(IdOf(*object), inners);
  }
  SendValue(to, std::move(value));
}

void References::SendValue(ProcessId to, std::unique_ptr<wire::PeerValueT> value) {
  const size_t bytes = SizeOfValue(value->bytes.size(), value->inners.size());
  windows_.Sent(to, bytes);
  BatchFor(to, bytes).values.push_back(std::move(value));
}

void References::SendFreed(ProcessId to, const ObjectId& id) {
  auto value = std::make_unique<wire::PeerValueT>();
  value->object = std::make_unique<wire::PeerObject>(ToWire(id));
  value->kind = static_cast<uint32_t>(shm::ValueKind::kError);
  const std::string error = model::EncodeError(MakeError(MANTA_ERROR_OBJECT_LOST, "the object was freed by its owner"));
  value->bytes.assign(error.begin(), error.end());
  SendValue(to, std::move(value));
}

void References::FetchersReady(ObjectRecord* object) {
  const auto found = fetchers_.find(object);
  if (found == fetchers_.end()) return;
  const std::vector<ProcessId> waiting = std::move(found->second);
  fetchers_.erase(found);
  for (ProcessId process : waiting) AnswerFetch(process, object);
  Flush();
}

void References::GiveValue(ObjectRecord* object, DeferredValue value) {
  std::vector<ObjectRecord*> inners;
  for (const ObjectId& inner : value.inners) inners.push_back(Import(inner));
  Contain(object, std::move(inners));
  switch (value.kind) {
    case shm::ValueKind::kInline:
      owner_->SetBytes(object, value.bytes.data(), static_cast<uint32_t>(value.bytes.size()));
      return;
    case shm::ValueKind::kShared: {
      shm::SharedHandle handle;
      if (value.bytes.size() == sizeof handle) {
        std::memcpy(&handle, value.bytes.data(), sizeof handle);
        if (owner_->memory().Contains(handle)) {
          if (value.arena_owned) {
            owner_->SetShared(object, handle, true);
            return;
          }
          if (owner_->SetPinned(object, handle)) return;
          // A copy of the other node's object, whose room was wanted before we had pinned it. If the object itself is gone, its owner says so.
          if (object->borrowed) return FetchAgain(object);
          owner_->SetError(object, MakeError(MANTA_ERROR_OBJECT_LOST, "the object's memory is gone"));
          return;
        }
      }
      owner_->SetError(object, MakeError(MANTA_ERROR_SYSTEM, "the object's handle arrived damaged"));
      return;
    }
    case shm::ValueKind::kError:
    default:
      owner_->SetError(object, model::DecodeError(value.bytes.data(), value.bytes.size()));
  }
}

void References::OnValue(const wire::PeerValue& value) {
  if (value.object() == nullptr) return;
  const ObjectId id = FromWire(Aligned(value.object()));
  const auto known = borrowed_.find(id);
  if (known == borrowed_.end()) return;  // nobody here wants it any more
  ObjectRecord* object = known->second;
  if (object->state.load(std::memory_order_relaxed) != ValueState::kPending) return;
  DeferredValue deferred;
  deferred.kind = static_cast<shm::ValueKind>(value.kind());
  if (value.bytes() != nullptr) deferred.bytes.assign(value.bytes()->begin(), value.bytes()->end());
  ForEach(value.inners(), [&](const wire::PeerObject& inner) { deferred.inners.push_back(FromWire(inner)); });
  if (deferred.inners.empty()) {
    GiveValue(object, std::move(deferred));
    return;
  }
  const std::vector<ObjectId> inners = deferred.inners;
  deferred_[id] = {object, std::move(deferred)};
  for (const ObjectId& inner : inners) ExpectOwn(inner);
  table_.ValueReceived(id, inners);
}

// ---- Tasks

void References::AddContained(TaskRecord* task) {
  if (task->nested != nullptr && task->nested->has_contained) return;
  for (uint32_t i = 0; i < task->body.dependencies; ++i) {
    const auto found = contained_.find(task->dependencies[i]);
    if (!task->dependencies[i]->contains || found == contained_.end()) continue;
    if (task->nested == nullptr) task->nested = new TaskNested();
    for (ObjectRecord* inner : found->second) {
      Owner::Retain(inner);
      task->nested->objects.push_back(inner);
    }
    task->nested->has_contained = true;
  }
  if (task->nested == nullptr || !task->nested->has_contained) return;
  task->body.flags |= shm::kHasReferences;
  task->nested->ids.clear();
  PinTask(task->nested);
}

void References::PinTask(TaskNested* nested) {
  if (nested->ids.empty()) {
    for (ObjectRecord* object : nested->objects) {
      Publish(object);
      nested->ids.push_back(IdOf(*object));
    }
  }
  const uint64_t former = std::exchange(nested->number, ++last_task_);
  table_.PinTask(nested->number, nested->ids);
  if (former == 0) return;
  table_.UnpinTask(former);
  Apply();
}

void References::UnpinTask(TaskNested* nested) {
  if (const uint64_t number = std::exchange(nested->number, 0)) table_.UnpinTask(number);
  Apply();
}

void References::TaskCompleted(TaskNested* nested, ProcessId worker,
                               std::vector<model::KeptReference> kept,
                               std::vector<ReceivedResult> results) {
  uint64_t number = nested != nullptr ? std::exchange(nested->number, 0) : 0;
  if (number == 0) table_.PinTask(number = ++last_task_, {});
  model::CompletionReferences references;
  references.kept = std::move(kept);
  for (ReceivedResult& result : results) {
    Publish(result.object);
    const ObjectId id = IdOf(*result.object);
    result.object->task = 0;
    deferred_[id] = {result.object, std::move(result.value)};
    for (const model::PassedReference& inner : result.passed) ExpectOwn(inner.object);
    references.results.push_back({id, std::move(result.passed)});
  }
  table_.TaskCompleted(number, worker, references);
  // Results whose last handle went while the task ran: nobody will say so again.
  for (const model::ContainedReferences& result : references.results) {
    const ObjectRecord* object = FindOwn(result.outer);
    if (object != nullptr && object->references.load(std::memory_order_relaxed) == 0) table_.SetLocal(result.outer, false);
  }
  Apply();
}

void References::TaskReceived(ProcessId sender, uint64_t number, std::span<const ObjectId> nested) {
  for (const ObjectId& object : nested) ExpectOwn(object);
  table_.TaskReceived(sender, number, {nested.begin(), nested.end()});
}

model::CompletionReferences References::TaskFinished(
    ProcessId sender, uint64_t number,
    const std::vector<std::pair<ObjectId, std::vector<ObjectId>>>& results) {
  model::CompletionReferences references = table_.TaskFinished(sender, number, results);
  Apply();
  return references;
}

void References::ValuesWithheld(ProcessId receiver, std::span<const model::PassedReference> passed) {
  for (const model::PassedReference& inner : passed) table_.Handle(receiver, model::TransferConfirmed{inner.object, inner.transfer});
  Apply();
}

// ---- Messages

wire::PeerBatchT& References::BatchFor(ProcessId process, size_t bytes) {
  Outgoing& outgoing = outgoing_[process];
  if (outgoing.bytes > 0 && outgoing.bytes + bytes > kBatchBytes) {
    SendBatch(process, std::exchange(outgoing.batch, {}));
    outgoing.bytes = 0;
  }
  outgoing.bytes += bytes;
  return outgoing.batch;
}

void References::OnBatch(ProcessId from, std::span<const uint8_t> bytes) {
  flatbuffers::Verifier verifier(bytes.data(), bytes.size());
  if (!wire::VerifyPeerBatchBuffer(verifier)) return;
  const wire::PeerBatch& batch = *wire::GetPeerBatch(bytes.data());
  ForEach(batch.add_borrower(), [&](const wire::PeerEpoch& message) {
    const ObjectId object = FromWire(message.object());
    ExpectOwn(object);
    table_.Handle(from, model::AddBorrower{object, message.epoch()});
  });
  ForEach(batch.add_acknowledged(), [&](const wire::PeerAcknowledged& message) {
    table_.Handle(from, model::AddAcknowledged{FromWire(message.object()), message.epoch(), message.known()});
  });
  ForEach(batch.remove_borrower(), [&](const wire::PeerEpoch& message) {
    table_.Handle(from, model::RemoveBorrower{FromWire(message.object()), message.epoch()});
  });
  ForEach(batch.transfer_confirmed(), [&](const wire::PeerTransfer& message) {
    table_.Handle(from, model::TransferConfirmed{FromWire(message.object()), message.transfer()});
  });
  size_t taken = 0;
  ForEach(batch.values(), [&](const wire::PeerValue& value) {
    OnValue(value);
    taken += SizeOfValue(value.bytes() == nullptr ? 0 : value.bytes()->size(), value.inners() == nullptr ? 0 : value.inners()->size());
  });
  if (const size_t tell = windows_.Received(from, taken)) BatchFor(from).taken += tell;
  ForEach(batch.fetch(), [&](const wire::PeerObject& id) {
    if (ObjectRecord* object = FindOwn(FromWire(id))) {
      AnswerFetch(from, object);
    } else {
      SendFreed(from, FromWire(id));
    }
  });
  windows_.Taken(from, batch.taken());
  while (const std::optional<ObjectId> next = windows_.Next(from)) {
    if (ObjectRecord* object = FindOwn(*next)) {
      SendValue(from, object);
    } else {
      SendFreed(from, *next);
    }
  }
  ForEach(batch.cancel(), [&](const wire::PeerCancel& message) {
    ObjectRecord* object = FindOwn(FromWire(message.object()));
    if (object != nullptr) task_listener_->Cancel(object, message.force(), message.recursive());
  });
  ForEach(batch.interrupt(), [&](const wire::PeerInterrupt& message) {
    task_listener_->Interrupt({from, message.record(), message.generation()}, message.first_result(), message.recursive());
  });
  ForEach(batch.stream_taken(), [&](const wire::PeerStreamTaken& message) {
    task_listener_->StreamTaken({from, message.record(), message.generation()}, message.count());
  });
  Apply();
}

void References::SendCancel(const ObjectRecord& object, bool force, bool recursive) {
  const ObjectId id = IdOf(object);
  BatchFor(id.owner).cancel.emplace_back(ToWire(id), force, recursive);
}

void References::SendInterrupt(ProcessId worker, const shm::TaskBody& task, bool recursive) {
  if (worker == owner_->process()) {  // it runs in place
    task_listener_->Interrupt({worker, task.record, task.generation}, task.first_result, recursive);
    return;
  }
  BatchFor(worker).interrupt.emplace_back(task.record, task.generation, task.first_result, recursive);
}

void References::SendStreamTaken(ProcessId worker, uint32_t record, uint32_t generation, uint32_t count) {
  BatchFor(worker).stream_taken.emplace_back(record, generation, count);
}

void References::OnProcessGone(ProcessId process, const std::string& account) {
  if (!account.empty()) {
    if (deaths_in_order_.size() == kMostDeaths) {
      deaths_.erase(deaths_in_order_.front());
      deaths_in_order_.pop_front();
    }
    if (deaths_.insert_or_assign(process, account).second) deaths_in_order_.push_back(process);
  }
  table_.ProcessDied(process);
  Apply();
  outgoing_.erase(process);
  windows_.ProcessGone(process);
}

void References::FailAll(const Error& error) {
  no_values_ = error;
  std::vector<ObjectRecord*> pending;
  for (const auto& [id, value] : deferred_) pending.push_back(value.first);
  for (const auto& [id, object] : borrowed_) pending.push_back(object);
  for (ObjectRecord* object : pending) Owner::Retain(object);  // a failure lets go of others
  deferred_.clear();
  for (ObjectRecord* object : pending) {
    if (object->state.load(std::memory_order_relaxed) == ValueState::kPending) owner_->SetError(object, error);
    owner_->ReleaseLocked(object);
  }
  outgoing_.clear();
}

void References::ForgetBorrowers() {
  // One that goes may let go of what it contains.
  for (std::vector<ObjectRecord*> left;; left.clear()) {
    owner_->ForEachObject([&](uint32_t index, const ObjectRecord& object) {
      if (!object.listed || object.references.load(std::memory_order_relaxed) > 0) return;
      left.push_back(owner_->FindObject(index, object.generation));
    });
    if (left.empty()) return;
    for (ObjectRecord* object : left) {
      deferred_.erase(IdOf(*object));
      fetchers_.erase(object);
      object->listed = false;
      --listed_;
      owner_->FreeUnlisted(object);
    }
  }
}

void References::SendOutgoing() {
  for (const auto& [process, outgoing] : outgoing_) SendBatch(process, outgoing.batch);
  outgoing_.clear();
}

void References::SendBatch(ProcessId process, const wire::PeerBatchT& batch) {
  flatbuffers::FlatBufferBuilder builder(1024);
  builder.Finish(wire::PeerBatch::Pack(builder, &batch));
  send_(process, {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()});
}

// ---- Actions

void References::Apply() {
  if (applying_) return;  // the loop below goes on with what was added
  applying_ = true;
  for (;;) {
    const std::vector<model::ReferenceAction> actions = table_.TakeActions();
    if (actions.empty()) break;
    for (const model::ReferenceAction& action : actions) {
      std::visit([this](const auto& concrete) { Act(concrete); }, action);
    }
  }
  applying_ = false;
}

void References::Act(const model::SendReferenceMessage& action) {
  wire::PeerBatchT& batch = BatchFor(action.to);
  if (const auto* add = std::get_if<model::AddBorrower>(&action.message)) {
    batch.add_borrower.emplace_back(ToWire(add->object), add->epoch);
  } else if (const auto* acknowledged = std::get_if<model::AddAcknowledged>(&action.message)) {
    batch.add_acknowledged.emplace_back(ToWire(acknowledged->object), acknowledged->epoch,
                                        acknowledged->known);
  } else if (const auto* remove = std::get_if<model::RemoveBorrower>(&action.message)) {
    batch.remove_borrower.emplace_back(ToWire(remove->object), remove->epoch);
  } else if (const auto* confirmed = std::get_if<model::TransferConfirmed>(&action.message)) {
    batch.transfer_confirmed.emplace_back(ToWire(confirmed->object), confirmed->transfer);
  }
}

void References::Act(const model::FreeObject& action) {
  ObjectRecord* object = FindOwn(action.object);
  if (object == nullptr) return;
  object->listed = false;
  --listed_;
  deferred_.erase(action.object);
  fetchers_.erase(object);
  owner_->FreeUnlisted(object);
}

void References::Act(const model::ValueVisible& action) {
  auto found = deferred_.extract(action.outer);
  if (found.empty()) return;
  GiveValue(found.mapped().first, std::move(found.mapped().second));
}

void References::Act(const model::ValueLost& action) {
  auto found = deferred_.extract(action.outer);
  if (found.empty()) return;
  owner_->SetError(found.mapped().first,
                   MakeError(MANTA_ERROR_OBJECT_LOST,
                             "the value refers to an object that was gone before this process was registered with its owner: the process that made the value "
                             "has died, or somebody had carried the reference there by hand"));
}

void References::Act(const model::ReferenceFailed& action) {
  const auto known = borrowed_.find(action.object);
  if (known == borrowed_.end()) return;
  ObjectRecord* object = known->second;
  if (object->state.load(std::memory_order_relaxed) != ValueState::kPending) return;
  const bool owner_died = action.reason == model::ReferenceFailed::Reason::kOwnerDied;
  owner_->SetError(object, owner_died
                               ? OwnerDied(action.object.owner)
                               : MakeError(MANTA_ERROR_OBJECT_LOST, "the object was freed by its owner"));
}

}  // namespace manta::worker
