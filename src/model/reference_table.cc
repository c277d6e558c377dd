#include "model/reference_table.h"

#include <algorithm>
#include <cassert>

namespace manta::model {

bool ReferenceTable::Record::listed() const {
  return std::any_of(borrowers.begin(), borrowers.end(),
                     [](const auto& entry) { return entry.second.listed(); });
}

ReferenceTable::Record* ReferenceTable::Find(ObjectId object) {
  const auto found = records_.find(object);
  return found == records_.end() ? nullptr : &found->second;
}

const ReferenceTable::Record* ReferenceTable::Find(ObjectId object) const {
  const auto found = records_.find(object);
  return found == records_.end() ? nullptr : &found->second;
}

// The record of an object that a message brought; nullptr for an own one that is freed.
ReferenceTable::Record* ReferenceTable::Learn(ObjectId object) {
  if (IsMine(object)) return Find(object);
  const auto [entry, added] = records_.try_emplace(object);
  Record& record = entry->second;
  if (!added) return &record;
  // One counter for all objects: an object that is forgotten and learned again gets a greater
  // epoch.
  record.epoch = ++epoch_;
  if (dead_.contains(object.owner)) {
    record.fate = Fate::kOwnerDied;
    actions_.push_back(ReferenceFailed{object, ReferenceFailed::Reason::kOwnerDied});
  }
  return &record;
}

void ReferenceTable::Send(ProcessId to, ReferenceMessage message) {
  if (!dead_.contains(to)) actions_.push_back(SendReferenceMessage{to, message});
}

std::vector<ReferenceAction> ReferenceTable::TakeActions() { return std::exchange(actions_, {}); }

// ---- What this process does

void ReferenceTable::Own(ObjectId object) {
  assert(IsMine(object));
  records_[object].local = true;
}

void ReferenceTable::SetLocal(ObjectId object, bool held) {
  Record* record = Find(object);
  assert(record != nullptr || !held);
  if (record == nullptr) return;
  record->local = held;
  Review(object);
  ReviewAll();
}

void ReferenceTable::Adopt(ObjectId object) {
  assert(!IsMine(object));
  Record* record = Learn(object);
  record->local = true;
  Register(object, record);
  Review(object);
  ReviewAll();
}

void ReferenceTable::Put(ObjectId outer, const std::vector<ObjectId>& inners) {
  Record* record = Find(outer);
  assert(IsMine(outer) && record != nullptr);
  for (const ObjectId inner : inners) {
    if (inner == outer) continue;
    Record* held = Find(inner);
    assert(held != nullptr);
    held->outers.insert(outer);
    record->inners.insert(inner);
  }
}

// ---- Tasks: the submitting side

void ReferenceTable::PinTask(TaskNumber task, const std::vector<ObjectId>& arguments) {
  assert(task > 0 && task < kFirstTransfer && !tasks_.contains(task));
  PendingTask& pending = tasks_[task];
  for (const ObjectId argument : arguments) {
    Record* record = Find(argument);
    assert(record != nullptr);
    record->tasks.insert(task);
    pending.arguments.insert(argument);
  }
}

void ReferenceTable::UnpinTask(TaskNumber task) {
  EndTask(task);
  ReviewAll();
}

void ReferenceTable::EndTask(TaskNumber task) {
  const auto found = tasks_.find(task);
  if (found == tasks_.end()) return;
  for (const ObjectId argument : found->second.arguments) {
    Find(argument)->tasks.erase(task);
    Review(argument);
  }
  tasks_.erase(found);
}

void ReferenceTable::TaskCompleted(TaskNumber task, ProcessId worker,
                                   const CompletionReferences& references) {
  const auto found = tasks_.find(task);
  assert(found != tasks_.end());
  // The pins of the task go last: until then they protect what is turned into something else.
  for (const ContainedReferences& result : references.results) {
    ReceiveInto(result.outer, worker, result.inners);
  }
  if (!dead_.contains(worker)) TurnPins(task, found->second, worker, references.kept);
  EndTask(task);
  ReviewAll();
}

// The worker keeps these arguments: it is listed as a borrower, or pinned until it is listed with
// the owner.
void ReferenceTable::TurnPins(TaskNumber task, const PendingTask& pending, ProcessId worker,
                              const std::vector<KeptReference>& kept) {
  for (const KeptReference& reference : kept) {
    const ObjectId object = reference.object;
    if (!pending.arguments.contains(object)) continue;
    Record* record = Find(object);
    if (IsMine(object)) {
      AddEntry(object, record, worker, reference.epoch);
    } else if (record->alive() && !pending.confirmed.contains(object)) {
      record->transfers.emplace(task, worker);
      Note(worker, object);
    }
  }
}

void ReferenceTable::AddEntry(ObjectId object, Record* record, ProcessId borrower, uint64_t epoch) {
  if (dead_.contains(borrower)) return;
  uint64_t& added = record->borrowers[borrower].added;
  added = std::max(added, epoch);
  Note(borrower, object);
}

// ---- Tasks: the working side

void ReferenceTable::TaskReceived(ProcessId sender, TaskNumber task,
                                  const std::vector<ObjectId>& arguments) {
  for (const ObjectId argument : arguments) {
    Record* record = Learn(argument);
    if (record == nullptr) continue;
    record->running.emplace(sender, task);
    running_[{sender, task}].push_back(argument);
    Note(sender, argument);
    if (dead_.contains(sender)) Register(argument, record);
  }
}

CompletionReferences ReferenceTable::TaskFinished(
    ProcessId sender, TaskNumber task,
    const std::vector<std::pair<ObjectId, std::vector<ObjectId>>>& results) {
  CompletionReferences completion;
  for (const auto& [outer, inners] : results) {
    completion.results.push_back(PassOn(sender, outer, inners));
  }
  const auto lent = running_.extract(std::pair(sender, task));
  if (lent.empty()) return completion;
  for (const ObjectId object : lent.mapped()) {
    Record* record = Find(object);
    if (record->running.erase({sender, task}) == 0) continue;  // named twice
    if (record->held() && KeepArgument(sender, task, object, record)) {
      completion.kept.push_back({object, record->epoch});
    }
    Unnote(sender, object, *record);
    Review(object);
  }
  ReviewAll();
  return completion;
}

// Pins what the value contains until the receiver is registered.
ContainedReferences ReferenceTable::PassOn(ProcessId to, ObjectId outer,
                                           const std::vector<ObjectId>& inners) {
  ContainedReferences contained{outer, {}};
  for (const ObjectId inner : std::set<ObjectId>(inners.begin(), inners.end())) {
    Record* record = Find(inner);
    assert(record != nullptr);
    PassedReference passed{inner, 0};
    if (record->alive() && !dead_.contains(to)) {
      passed.transfer = transfer_++;
      record->transfers.emplace(passed.transfer, to);
      Note(to, inner);
    }
    contained.inners.push_back(passed);
  }
  return contained;
}

// This process still holds an argument of a task that has ended. Returns whether the sender has to
// know.
bool ReferenceTable::KeepArgument(ProcessId sender, TaskNumber task, ObjectId object,
                                  Record* record) {
  if (IsMine(object) || record->settled()) return false;
  if (dead_.contains(sender)) {
    Register(object, record);
    return false;
  }
  if (object.owner == sender) {
    // The completion is the Add. An Add on its way does not do: the completion may overtake it.
    if (record->registration == Registration::kNone) {
      record->registration = Registration::kRegistered;
    }
    return true;
  }
  Register(object, record);
  record->debts.emplace(sender, task);
  return true;
}

void ReferenceTable::Register(ObjectId object, Record* record) {
  if (IsMine(object) || !record->alive() || record->registration != Registration::kNone) return;
  record->registration = Registration::kAddSent;
  Send(object.owner, AddBorrower{object, record->epoch});
}

// ---- Values

void ReferenceTable::ValueReceived(ObjectId outer, const std::vector<ObjectId>& inners) {
  assert(!IsMine(outer));
  std::vector<PassedReference> passed;
  for (const ObjectId inner : inners) passed.push_back({inner, 0});
  ReceiveInto(outer, {}, passed);
  ReviewAll();
}

void ReferenceTable::ReceiveInto(ObjectId outer, ProcessId sender,
                                 const std::vector<PassedReference>& inners) {
  Record* record = Find(outer);
  const bool wanted = record != nullptr && record->alive();
  if (wanted && !record->inners.empty()) {
    // The same value once more. What it contains is held already.
    if (record->unsettled.empty()) actions_.push_back(ValueVisible{outer});
    return;
  }
  bool lost = false;
  for (const PassedReference& inner : inners) {
    // A value that contains a reference to itself does not hold itself.
    if (wanted && !lost && inner.object != outer) {
      lost = !Contain(outer, record, sender, inner);
    } else {
      Confirm(sender, inner.object, inner.transfer);
    }
  }
  if (!wanted || lost) return;
  if (record->unsettled.empty()) {
    actions_.push_back(ValueVisible{outer});
  } else {
    // A borrowed outer object protects what it contains, so it is held until that is registered.
    record->settling = !IsMine(outer);
  }
}

// Returns whether the outer value is still of use.
bool ReferenceTable::Contain(ObjectId outer, Record* outer_record, ProcessId sender,
                             const PassedReference& inner) {
  Record* record = Learn(inner.object);
  if (record == nullptr) {
    Confirm(sender, inner.object, inner.transfer);
    Lose(outer, outer_record, inner.object);
    return false;
  }
  record->outers.insert(outer);
  outer_record->inners.insert(inner.object);
  if (IsMine(inner.object) || record->settled()) {
    Confirm(sender, inner.object, inner.transfer);
    return true;
  }
  Register(inner.object, record);
  outer_record->unsettled.insert(inner.object);
  if (inner.transfer != 0 && !dead_.contains(sender)) {
    record->debts.emplace(sender, inner.transfer);
    Note(sender, inner.object);
  }
  return true;
}

void ReferenceTable::Lose(ObjectId outer, Record* record, ObjectId inner) {
  DropInners(outer, record);
  actions_.push_back(ValueLost{outer, inner});
}

void ReferenceTable::DropInners(ObjectId outer, Record* record) {
  for (const ObjectId inner : record->inners) {
    Find(inner)->outers.erase(outer);
    Review(inner);
  }
  record->inners.clear();
  record->unsettled.clear();
  record->settling = false;
  Review(outer);
}

// Nothing is left to wait for with this object: outer values that waited for it may be seen.
void ReferenceTable::Settle(ObjectId object, const Record& record) {
  for (const ObjectId outer : record.outers) {
    Record* outer_record = Find(outer);
    if (outer_record->unsettled.erase(object) == 0 || !outer_record->unsettled.empty()) continue;
    outer_record->settling = false;
    actions_.push_back(ValueVisible{outer});
    Review(outer);
  }
}

void ReferenceTable::Confirm(ProcessId sender, ObjectId object, TransferNumber transfer) {
  if (transfer != 0) Send(sender, TransferConfirmed{object, transfer});
}

void ReferenceTable::PayDebts(ObjectId object, Record* record) {
  for (const auto& [sender, transfer] : std::exchange(record->debts, {})) {
    Confirm(sender, object, transfer);
    Unnote(sender, object, *record);
  }
}

// ---- What others do

void ReferenceTable::Handle(ProcessId from, const ReferenceMessage& message) {
  std::visit([&](const auto& specific) { On(from, specific); }, message);
  ReviewAll();
}

void ReferenceTable::On(ProcessId from, const AddBorrower& message) {
  Record* record = Find(message.object);
  if (record != nullptr) AddEntry(message.object, record, from, message.epoch);
  Send(from, AddAcknowledged{message.object, message.epoch, record != nullptr});
}

void ReferenceTable::On(ProcessId from, const RemoveBorrower& message) {
  Record* record = Find(message.object);
  if (record == nullptr || dead_.contains(from)) return;
  uint64_t& removed = record->borrowers[from].removed;
  removed = std::max(removed, message.epoch);
  Note(from, message.object);
  Review(message.object);
}

void ReferenceTable::On(ProcessId, const AddAcknowledged& message) {
  const ObjectId object = message.object;
  Record* record = Find(object);
  if (record == nullptr || IsMine(object) || !record->alive()) return;
  if (record->epoch != message.epoch || record->registration != Registration::kAddSent) return;
  if (message.known) {
    record->registration = Registration::kRegistered;
    Settle(object, *record);
  } else {
    record->fate = Fate::kLost;
    actions_.push_back(ReferenceFailed{object, ReferenceFailed::Reason::kLost});
    for (const ObjectId outer : std::set<ObjectId>(record->outers)) {
      Record* outer_record = Find(outer);
      if (outer_record->unsettled.contains(object)) Lose(outer, outer_record, object);
    }
  }
  PayDebts(object, record);
}

void ReferenceTable::On(ProcessId, const TransferConfirmed& message) {
  Record* record = Find(message.object);
  if (record == nullptr) return;
  const auto pin = record->transfers.find(message.transfer);
  if (pin != record->transfers.end()) {
    const ProcessId receiver = pin->second;
    record->transfers.erase(pin);
    Unnote(receiver, message.object, *record);
    Review(message.object);
    return;
  }
  const auto task = tasks_.find(message.transfer);
  if (task != tasks_.end()) task->second.confirmed.insert(message.object);
}

void ReferenceTable::ProcessDied(ProcessId process) {
  if (!dead_.insert(process).second) return;
  const auto noted = peers_.find(process);
  if (noted != peers_.end()) {
    for (const ObjectId object : std::set<ObjectId>(noted->second)) {
      PeerDied(process, object, Find(object));
    }
  }
  std::vector<ObjectId> owned;
  for (auto it = records_.lower_bound({process, 0, 0});
       it != records_.end() && it->first.owner == process; ++it) {
    owned.push_back(it->first);
  }
  for (const ObjectId object : owned) OwnerDied(object, Find(object));
  ReviewAll();
}

void ReferenceTable::PeerDied(ProcessId peer, ObjectId object, Record* record) {
  record->borrowers.erase(peer);
  std::erase_if(record->transfers, [&](const auto& pin) { return pin.second == peer; });
  std::erase_if(record->debts, [&](const auto& debt) { return debt.first == peer; });
  // The pin of a dead sender protects no longer.
  const auto lent = record->running.lower_bound({peer, 0});
  if (lent != record->running.end() && lent->first == peer) Register(object, record);
  Unnote(peer, object, *record);
  Review(object);
}

void ReferenceTable::OwnerDied(ObjectId object, Record* record) {
  if (record->fate != Fate::kOwnerDied) {
    record->fate = Fate::kOwnerDied;
    actions_.push_back(ReferenceFailed{object, ReferenceFailed::Reason::kOwnerDied});
  }
  PayDebts(object, record);
  // There is nothing left to protect.
  for (const auto& [transfer, receiver] : std::exchange(record->transfers, {})) {
    Unnote(receiver, object, *record);
  }
  if (!record->unsettled.empty()) DropInners(object, record);
  Settle(object, *record);
  Review(object);
}

// ---- The end of a record

void ReferenceTable::ReviewAll() {
  while (!to_review_.empty()) {
    const ObjectId object = to_review_.back();
    to_review_.pop_back();
    Record* record = Find(object);
    if (record == nullptr || record->held() || record->listed()) continue;
    Expire(object, record);
  }
}

void ReferenceTable::Expire(ObjectId object, Record* record) {
  DropInners(object, record);
  if (IsMine(object)) {
    actions_.push_back(FreeObject{object});
  } else {
    if (record->alive() && record->registration != Registration::kNone) {
      Send(object.owner, RemoveBorrower{object, record->epoch});
    }
    PayDebts(object, record);
  }
  for (const auto& [borrower, entry] : std::exchange(record->borrowers, {})) {
    Unnote(borrower, object, *record);
  }
  records_.erase(object);
}

bool ReferenceTable::Concerns(const Record& record, ProcessId peer) {
  const auto lent = record.running.lower_bound({peer, 0});
  const auto debt = record.debts.lower_bound({peer, 0});
  return record.borrowers.contains(peer) ||
         (lent != record.running.end() && lent->first == peer) ||
         (debt != record.debts.end() && debt->first == peer) ||
         std::any_of(record.transfers.begin(), record.transfers.end(),
                     [&](const auto& pin) { return pin.second == peer; });
}

void ReferenceTable::Unnote(ProcessId peer, ObjectId object, const Record& record) {
  if (Concerns(record, peer)) return;
  const auto found = peers_.find(peer);
  if (found == peers_.end()) return;
  found->second.erase(object);
  if (found->second.empty()) peers_.erase(found);
}

}  // namespace manta::model
