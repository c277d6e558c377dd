// Who holds which object: one table per process, pure, for all that concerns other processes. The
// protocol, with diagrams and the reason for each rule, stands in docs/design/references.md.
//
// References are listed, not counted. In its table a process has a record of
//  - each object that it owns and that others may have heard of. The object lives while the process
//    itself holds it or a borrower is listed. Freed exactly when nothing is left;
//  - each object of another owner that it holds (it borrows it). While it holds it, it is
//    registered with the owner, or on the way to be, or protected by the pin of a sender. A process
//    holds an object through: its user's handles (a level that the process tells), pending tasks
//    that carry it as an argument, tasks that it runs and received it with, stored values that
//    contain it, and transfer pins: it has sent the reference to a process which is not yet
//    registered.
//
// Messages may be duplicated and reordered in any way; the only order relied upon is that nothing
// comes from a process after its death was told. Messages between two processes that live are not
// lost.
//
// A duty of the process: calls that hand a reference over (TaskFinished, TaskCompleted, ...) tell
// the table before the message leaves, or at once when it has come.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"

namespace manta::model {

// One attempt of a task, numbered by the process that submits it; never reused by it; at least 1
// and below kFirstTransfer.
using TaskNumber = uint64_t;
// A transfer pin, numbered by the sender. For an argument that the worker kept it is the task's
// number.
using TransferNumber = uint64_t;
inline constexpr TransferNumber kFirstTransfer = TransferNumber{1} << 63;

// ---- Messages

// Borrower to owner: I hold the object. The epoch grows with each time that I begin to.
struct AddBorrower {
  ObjectId object;
  uint64_t epoch;
  auto operator<=>(const AddBorrower&) const = default;
};
// Owner to borrower. Not known: it was freed, which happens only after the death of a sender.
struct AddAcknowledged {
  ObjectId object;
  uint64_t epoch;
  bool known;
  auto operator<=>(const AddAcknowledged&) const = default;
};
// Borrower to owner: of this epoch and all before, nothing is left.
struct RemoveBorrower {
  ObjectId object;
  uint64_t epoch;
  auto operator<=>(const RemoveBorrower&) const = default;
};
// Receiver to sender: I am registered with the owner, or did not keep it; drop the pin.
struct TransferConfirmed {
  ObjectId object;
  TransferNumber transfer;
  auto operator<=>(const TransferConfirmed&) const = default;
};
using ReferenceMessage =
    std::variant<AddBorrower, AddAcknowledged, RemoveBorrower, TransferConfirmed>;

// An argument that a worker holds after its task ended; travels in the completion.
struct KeptReference {
  ObjectId object;
  uint64_t epoch;
  auto operator<=>(const KeptReference&) const = default;
};
// A reference inside a value that is sent; travels with it. 0: protected by the outer object
// instead.
struct PassedReference {
  ObjectId object;
  TransferNumber transfer = 0;
  auto operator<=>(const PassedReference&) const = default;
};
struct ContainedReferences {
  ObjectId outer;
  std::vector<PassedReference> inners;
  auto operator<=>(const ContainedReferences&) const = default;
};
// What a completion says about references.
struct CompletionReferences {
  std::vector<KeptReference> kept;
  std::vector<ContainedReferences> results;
  auto operator<=>(const CompletionReferences&) const = default;
};

// ---- Actions

struct SendReferenceMessage {
  ProcessId to;
  ReferenceMessage message;
  bool operator==(const SendReferenceMessage&) const = default;
};
// An owned object that nothing holds any more.
struct FreeObject {
  ObjectId object;
  bool operator==(const FreeObject&) const = default;
};
// A received value may be seen by users: all that it contains is registered, or known to have
// failed.
struct ValueVisible {
  ObjectId outer;
  bool operator==(const ValueVisible&) const = default;
};
// A received value is no use: its sender died, and with it the protection of something inside. As
// if the value had never come. For a result: the worker crashed, and the task may be tried again.
struct ValueLost {
  ObjectId outer;
  ObjectId inner;
  bool operator==(const ValueLost&) const = default;
};
// A borrowed object is gone: to be reported by each get.
struct ReferenceFailed {
  enum class Reason : uint8_t { kOwnerDied, kLost };

  ObjectId object;
  Reason reason;
  bool operator==(const ReferenceFailed&) const = default;
};
using ReferenceAction =
    std::variant<SendReferenceMessage, FreeObject, ValueVisible, ValueLost, ReferenceFailed>;

class ReferenceTable {
 public:
  explicit ReferenceTable(ProcessId self) : self_(self) {}

  // ---- What this process does

  // An object of this process, with a user's handle. One that no other process can know of need not
  // be told, it may be added later, as long as a handle exists.
  void Own(ObjectId object);
  // Whether the user has handles. The first handle of a borrowed object comes out of something that
  // holds it: the arguments of a running task, or a visible value.
  void SetLocal(ObjectId object, bool held);
  // The first handle of an object of another process whose name came from outside of tasks and values: a user has carried it here. Whoever
  // let it out keeps a handle until its end; is that before this process is registered, then the object may be lost.
  void Adopt(ObjectId object);
  // A value made here for an object of this process, told again or for the first time. It may be
  // seen at once: what it contains is held.
  void Put(ObjectId outer, const std::vector<ObjectId>& inners);

  // ---- Tasks: the submitting side

  // Before the task is pushed for the first time. A retry is a new number; it is pinned before the
  // end of the former attempt is told.
  void PinTask(TaskNumber task, const std::vector<ObjectId>& arguments);
  // The task ended without a worker that could have kept anything: it was never pushed, was taken
  // back, or its worker died.
  void UnpinTask(TaskNumber task);
  // A completion came. Each result in it turns visible or is lost, now or later.
  void TaskCompleted(TaskNumber task, ProcessId worker, const CompletionReferences& references);

  // ---- Tasks: the working side

  void TaskReceived(ProcessId sender, TaskNumber task, const std::vector<ObjectId>& arguments);
  // The task has ended; `results`: what each result contains (held by this process). Returns what
  // goes into the completion. User's handles that the task only lent are dropped before.
  CompletionReferences TaskFinished(
      ProcessId sender, TaskNumber task,
      const std::vector<std::pair<ObjectId, std::vector<ObjectId>>>& results);

  // ---- Values

  // The value of a borrowed object has come, from its owner or out of shared memory. The answer is
  // ValueVisible or ValueLost, now or later; nothing if the object is not held any more.
  void ValueReceived(ObjectId outer, const std::vector<ObjectId>& inners);

  // ---- What others do

  void Handle(ProcessId from, const ReferenceMessage& message);
  // To be told once of each process that others may have heard of.
  void ProcessDied(ProcessId process);

  std::vector<ReferenceAction> TakeActions();

  // ---- For people, and for checks

  bool Knows(ObjectId object) const { return records_.contains(object); }
  bool IsRegistered(ObjectId object) const;
  bool HasFailed(ObjectId object) const;
  bool IsVisible(ObjectId outer) const;  // all that it contains is settled
  // No message is to come: no pins of tasks and transfers, nothing on the way to be registered.
  bool IsSettled() const;
  std::vector<ProcessId> BorrowersOf(ObjectId object) const;
  std::vector<ObjectId> Objects() const;
  // Nothing is held, pinned or listed.
  bool empty() const { return records_.empty() && tasks_.empty() && running_.empty(); }
  // nullptr, or which invariant is broken.
  const char* BrokenInvariant() const;

  // Appends all that decides about the future, for comparing tables. `rename` maps epochs (of a
  // borrower and an object) and transfer numbers (of a sender) to numbers that do not depend on
  // history.
  class Renaming {
   public:
    virtual uint64_t Epoch(ProcessId borrower, ObjectId object, uint64_t epoch) = 0;
    virtual uint64_t Transfer(ProcessId sender, TransferNumber transfer) = 0;
    // Whether no message on its way names this borrower of the object with an epoch up to this one.
    virtual bool IsStale(ProcessId borrower, ObjectId object, uint64_t epoch) = 0;

   protected:
    ~Renaming() = default;
  };
  void Encode(Renaming* rename, std::string* out) const;
  // Calls epoch(borrower, object, epoch) for each epoch that the table knows, and transfer(sender,
  // number) for each number of a transfer.
  template <class Epoch, class Transfer>
  void ForEachNumber(Epoch epoch, Transfer transfer) const {
    for (const auto& [id, record] : records_) {
      if (record.epoch != 0) epoch(self_, id, record.epoch);
      for (const auto& [borrower, entry] : record.borrowers) {
        epoch(borrower, id, entry.added);
        epoch(borrower, id, entry.removed);
      }
      for (const auto& [number, receiver] : record.transfers) transfer(self_, number);
      for (const auto& [sender, number] : record.debts) transfer(sender, number);
    }
  }

 private:
  enum class Registration : uint8_t { kNone, kAddSent, kRegistered };
  enum class Fate : uint8_t { kAlive, kOwnerDied, kLost };

  // Both grow only: a borrower is listed while `added` is the greater one. So a Remove that
  // overtakes its Add wins for that epoch, and one of an older epoch does not touch a newer entry.
  struct Borrower {
    uint64_t added = 0;
    uint64_t removed = 0;
    bool listed() const { return added > removed; }
  };

  struct Record {
    // Why this process holds the object.
    bool local = false;
    bool settling = false;  // borrowed, and what its value contains is not yet registered
    std::set<TaskNumber> tasks;
    std::set<std::pair<ProcessId, TaskNumber>> running;
    std::set<ObjectId> outers;
    std::map<TransferNumber, ProcessId> transfers;  // to the receiver
    // Owned objects.
    std::map<ProcessId, Borrower> borrowers;
    // Borrowed objects.
    Registration registration = Registration::kNone;
    Fate fate = Fate::kAlive;
    uint64_t epoch = 0;
    std::set<std::pair<ProcessId, TransferNumber>> debts;  // senders to be told when it is settled
    // The value.
    std::set<ObjectId> inners;
    std::set<ObjectId> unsettled;  // of the inners

    bool held() const {
      return local || settling || !tasks.empty() || !running.empty() || !outers.empty() ||
             !transfers.empty();
    }
    bool listed() const;
    bool alive() const { return fate == Fate::kAlive; }
    bool settled() const { return !alive() || registration == Registration::kRegistered; }
  };

  struct PendingTask {
    std::set<ObjectId> arguments;
    std::set<ObjectId> confirmed;  // by a message that overtook the completion
  };

  bool IsMine(ObjectId object) const { return object.owner == self_; }
  Record* Find(ObjectId object);
  const Record* Find(ObjectId object) const;
  Record* Learn(ObjectId object);
  void Send(ProcessId to, ReferenceMessage message);
  void Register(ObjectId object, Record* record);
  void AddEntry(ObjectId object, Record* record, ProcessId borrower, uint64_t epoch);

  void ReceiveInto(ObjectId outer, ProcessId sender, const std::vector<PassedReference>& inners);
  bool Contain(ObjectId outer, Record* outer_record, ProcessId sender,
               const PassedReference& inner);
  void Lose(ObjectId outer, Record* record, ObjectId inner);
  void DropInners(ObjectId outer, Record* record);
  void Settle(ObjectId object, const Record& record);
  void Confirm(ProcessId sender, ObjectId object, TransferNumber transfer);
  void PayDebts(ObjectId object, Record* record);

  ContainedReferences PassOn(ProcessId to, ObjectId outer, const std::vector<ObjectId>& inners);
  bool KeepArgument(ProcessId sender, TaskNumber task, ObjectId object, Record* record);
  void TurnPins(TaskNumber task, const PendingTask& pending, ProcessId worker,
                const std::vector<KeptReference>& kept);
  void EndTask(TaskNumber task);

  void On(ProcessId from, const AddBorrower& message);
  void On(ProcessId from, const AddAcknowledged& message);
  void On(ProcessId from, const RemoveBorrower& message);
  void On(ProcessId from, const TransferConfirmed& message);
  void OwnerDied(ObjectId object, Record* record);
  void PeerDied(ProcessId peer, ObjectId object, Record* record);

  const char* BrokenInvariantOf(ObjectId id, const Record& record) const;
  void EncodeRecord(ObjectId id, const Record& record, Renaming* rename, std::string* out) const;

  // Looks at the object at the end of the input: is it held still?
  void Review(ObjectId object) { to_review_.push_back(object); }
  void ReviewAll();
  void Expire(ObjectId object, Record* record);

  // The list of objects in whose records a process stands, for its death.
  static bool Concerns(const Record& record, ProcessId peer);
  void Note(ProcessId peer, ObjectId object) { peers_[peer].insert(object); }
  void Unnote(ProcessId peer, ObjectId object, const Record& record);

  ProcessId self_;
  uint64_t epoch_ = 0;
  TransferNumber transfer_ = kFirstTransfer;
  std::map<ObjectId, Record> records_;
  std::map<TaskNumber, PendingTask> tasks_;
  std::map<std::pair<ProcessId, TaskNumber>, std::vector<ObjectId>> running_;
  std::map<ProcessId, std::set<ObjectId>> peers_;
  std::set<ProcessId> dead_;
  std::vector<ObjectId> to_review_;
  std::vector<ReferenceAction> actions_;
};

}  // namespace manta::model
