// What a reference table shows to people and to checks.
#include "model/reference_table.h"

#include <algorithm>

namespace manta::model {
namespace {

// Appends values in a form of which no two different sequences are alike.
class Encoder {
 public:
  explicit Encoder(std::string* out) : out_(out) {}

  void Number(uint64_t value) {
    do {
      out_->push_back(static_cast<char>((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
      value >>= 7;
    } while (value != 0);
  }
  void Id(ProcessId id) { Number(id.value); }
  void Id(ObjectId id) {
    Id(id.owner);
    Number(id.index);
    Number(id.generation);
  }
  template <class Set>
  void Ids(const Set& ids) {
    Number(ids.size());
    for (const auto& id : ids) Id(id);
  }

 private:
  std::string* out_;
};

}  // namespace

bool ReferenceTable::IsRegistered(ObjectId object) const {
  const Record* record = Find(object);
  return record != nullptr && record->alive() && record->registration == Registration::kRegistered;
}

bool ReferenceTable::HasFailed(ObjectId object) const {
  const Record* record = Find(object);
  return record != nullptr && !record->alive();
}

bool ReferenceTable::IsVisible(ObjectId outer) const {
  const Record* record = Find(outer);
  return record != nullptr && record->unsettled.empty();
}

std::vector<ProcessId> ReferenceTable::BorrowersOf(ObjectId object) const {
  std::vector<ProcessId> borrowers;
  if (const Record* record = Find(object)) {
    for (const auto& [borrower, entry] : record->borrowers) {
      if (entry.listed()) borrowers.push_back(borrower);
    }
  }
  return borrowers;
}

std::vector<ObjectId> ReferenceTable::Objects() const {
  std::vector<ObjectId> objects;
  for (const auto& [id, record] : records_) objects.push_back(id);
  return objects;
}

bool ReferenceTable::IsSettled() const {
  const auto at_rest = [](const auto& entry) {
    const Record& record = entry.second;
    return record.tasks.empty() && record.running.empty() && record.transfers.empty() &&
           record.debts.empty() && record.unsettled.empty() &&
           record.registration != Registration::kAddSent;
  };
  return tasks_.empty() && running_.empty() &&
         std::all_of(records_.begin(), records_.end(), [&](const auto& entry) {
           return at_rest(entry) || !entry.second.alive();
         });
}

const char* ReferenceTable::BrokenInvariant() const {
  std::map<ProcessId, std::set<ObjectId>> peers;
  for (const auto& [id, record] : records_) {
    if (const char* broken = BrokenInvariantOf(id, record)) return broken;
    for (const auto& [borrower, entry] : record.borrowers) peers[borrower].insert(id);
    for (const auto& [sender, task] : record.running) peers[sender].insert(id);
    for (const auto& [transfer, receiver] : record.transfers) peers[receiver].insert(id);
    for (const auto& [sender, transfer] : record.debts) peers[sender].insert(id);
  }
  if (peers != peers_) return "the list of objects by process is wrong";
  for (const auto& [number, task] : tasks_) {
    for (const ObjectId argument : task.arguments) {
      const Record* record = Find(argument);
      if (record == nullptr || !record->tasks.contains(number)) return "a task lost its pin";
    }
  }
  if (!to_review_.empty()) return "an input ended too early";
  return nullptr;
}

const char* ReferenceTable::BrokenInvariantOf(ObjectId id, const Record& record) const {
  const bool mine = IsMine(id);
  if (!record.held() && !(mine && record.listed())) return "a record without a reason";
  if (mine && (record.registration != Registration::kNone || !record.alive())) {
    return "an owned object is treated as a borrowed one";
  }
  if (!mine && !record.borrowers.empty()) return "a borrowed object has borrowers";
  if (!mine && record.alive() && record.registration == Registration::kNone &&
      record.running.empty()) {
    return "a borrowed object is neither registered nor protected by a sender";
  }
  if (!record.debts.empty() && record.registration != Registration::kAddSent) {
    return "a sender waits for a confirmation that will not come";
  }
  if (record.settling != (!mine && !record.unsettled.empty())) return "settling is wrong";
  for (const ObjectId inner : record.inners) {
    const Record* held = Find(inner);
    if (held == nullptr || !held->outers.contains(id)) return "a value lost what it contains";
  }
  for (const ObjectId inner : record.unsettled) {
    if (!record.inners.contains(inner)) return "waits for something that it does not contain";
    if (Find(inner)->registration != Registration::kAddSent) return "waits for no message";
  }
  for (const ObjectId outer : record.outers) {
    const Record* holder = Find(outer);
    if (holder == nullptr || !holder->inners.contains(id)) return "held by a value that is gone";
  }
  for (const TaskNumber task : record.tasks) {
    const auto found = tasks_.find(task);
    if (found == tasks_.end() || !found->second.arguments.contains(id)) return "pinned by no task";
  }
  for (const auto& [sender, task] : record.running) {
    const auto found = running_.find({sender, task});
    if (found == running_.end()) return "held by no running task";
  }
  return nullptr;
}

void ReferenceTable::Encode(Renaming* rename, std::string* out) const {
  Encoder encoder(out);
  encoder.Ids(dead_);
  encoder.Number(records_.size());
  for (const auto& [id, record] : records_) EncodeRecord(id, record, rename, out);
  encoder.Number(tasks_.size());
  for (const auto& [number, task] : tasks_) {
    encoder.Number(number);
    encoder.Ids(task.arguments);
    encoder.Ids(task.confirmed);
  }
}

void ReferenceTable::EncodeRecord(ObjectId id, const Record& record, Renaming* rename,
                                  std::string* out) const {
  const auto transfer = [&](ProcessId sender, TransferNumber number) {
    return number < kFirstTransfer ? number : rename->Transfer(sender, number);
  };
  Encoder encoder(out);
  encoder.Id(id);
  encoder.Number(record.local | record.settling << 1 |
                 static_cast<uint64_t>(record.registration) << 2 |
                 static_cast<uint64_t>(record.fate) << 4);
  encoder.Number(record.tasks.size());
  for (const TaskNumber task : record.tasks) encoder.Number(task);
  encoder.Number(record.running.size());
  for (const auto& [sender, task] : record.running) {
    encoder.Id(sender);
    encoder.Number(task);
  }
  encoder.Ids(record.outers);
  encoder.Ids(record.inners);
  encoder.Ids(record.unsettled);
  encoder.Number(record.transfers.size());
  for (const auto& [number, receiver] : record.transfers) {
    encoder.Number(transfer(self_, number));
    encoder.Id(receiver);
  }
  encoder.Number(record.debts.size());
  for (const auto& [sender, number] : record.debts) {
    encoder.Id(sender);
    encoder.Number(transfer(sender, number));
  }
  if (record.epoch != 0) encoder.Number(rename->Epoch(self_, id, record.epoch));
  for (const auto& [borrower, entry] : record.borrowers) {
    if (!entry.listed() && rename->IsStale(borrower, id, entry.removed)) continue;
    encoder.Id(borrower);
    encoder.Number(rename->Epoch(borrower, id, entry.added));
    encoder.Number(rename->Epoch(borrower, id, entry.removed));
  }
}

}  // namespace manta::model
