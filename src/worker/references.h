// References that cross the border of this process: what other processes hold of ours, what we hold of theirs, and how the values
// of borrowed objects come here. Around model::ReferenceTable, whose protocol is docs/design/references.md.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "contracts/peer_generated.h"
#include "model/reference_table.h"
#include "shm/channel.h"
#include "worker/owner.h"
#include "worker/records.h"
#include "worker/value_windows.h"

namespace manta::worker {

// What peers ask for that concerns tasks. Called under the owner's lock.
class TaskListener {
 public:
  // A borrower wants the task that makes this object of ours cancelled.
  virtual void Cancel(ObjectRecord* object, bool force, bool recursive) = 0;
  // The owner of a task that this process runs wants it to stop.
  virtual void Interrupt(const ObjectId& task, uint32_t first_result, bool recursive) = 0;
  // The owner of a task that this process runs has taken so many items of its stream.
  virtual void StreamTaken(const ObjectId& task, uint32_t count) = 0;

 protected:
  ~TaskListener() = default;
};

// A value whose inner references are being registered.
struct DeferredValue {
  shm::ValueKind kind = shm::ValueKind::kInline;
  std::vector<unsigned char> bytes;  // the value, a SharedHandle, or an encoded Error
  bool arena_owned = false;
  std::vector<ObjectId> inners;
};

// Every method needs the owner's lock, unless it says otherwise; messages are queued through `send` and leave after it is released.
class References final : public BorderListener {
 public:
  using Send = std::function<void(ProcessId to, std::vector<uint8_t> batch)>;
  References(Owner* owner, Send send);

  // Told of objects that stand for the life of an actor of ours (ObjectRecord::contains, but nothing contained) when they go.
  void set_life_listener(std::function<void(const ObjectId&)> listener) { life_listener_ = std::move(listener); }
  void set_task_listener(TaskListener* listener) { task_listener_ = listener; }

  // ---- Names

  ObjectId IdOf(const ObjectRecord& object) const override;
  // The record for a reference found in a value, or carried here by a user, counted for the caller. Never nullptr: an object that is gone gets a
  // record with an error, now or when its owner says so.
  ObjectRecord* Import(const ObjectId& id);
  // The same for one that this process owns or has got in a value, else nullptr.
  ObjectRecord* ImportKnown(const ObjectId& id);
  // Others will hear of it.
  void Publish(ObjectRecord* object);

  // In one value: who asks for it is told of them in one frame.
  static constexpr size_t kMostInOneValue = 1'000'000;
  static Error TooMany(size_t references);

  // Objects of this process that others may know.
  uint32_t listed() const { return listed_; }

  // ---- Values that contain references

  // Holds `inners` as long as `outer` lives.
  void Contain(ObjectRecord* outer, std::vector<ObjectRecord*> inners);
  // Gives a pending object its value; the references in it are ours already.
  void GiveValue(ObjectRecord* object, DeferredValue value);
  // Asks for the value of a borrowed object, once.
  void Fetch(ObjectRecord* object);

  // ---- Submitting side

  // All dependencies of a task have values: what these contain is among its references from now on.
  void AddContained(TaskRecord* task);
  // Before a task is pushed; again before it is pushed another time (the former attempt's pin goes then).
  void PinTask(TaskNested* nested);
  void UnpinTask(TaskNested* nested);
  // A completion came. Values with inner references are given to their records when those are registered.
  struct ReceivedResult {
    ObjectRecord* object;
    DeferredValue value;
    std::vector<model::PassedReference> passed;
  };
  void TaskCompleted(TaskNested* nested, ProcessId worker, std::vector<model::KeptReference> kept,
                     std::vector<ReceivedResult> results);

  // ---- Working side

  void TaskReceived(ProcessId sender, uint64_t number, std::span<const ObjectId> nested);
  model::CompletionReferences TaskFinished(
      ProcessId sender, uint64_t number,
      const std::vector<std::pair<ObjectId, std::vector<ObjectId>>>& results);
  // Of what TaskFinished has said: these values will not leave after all.
  void ValuesWithheld(ProcessId receiver, std::span<const model::PassedReference> passed);

  // ---- To those who make objects

  void SendCancel(const ObjectRecord& object, bool force, bool recursive);
  void SendInterrupt(ProcessId worker, const shm::TaskBody& task, bool recursive);
  void SendStreamTaken(ProcessId worker, uint32_t record, uint32_t generation, uint32_t count);

  // ---- Events

  void OnBatch(ProcessId from, std::span<const uint8_t> bytes);
  // `account` of its death, for people; may be empty.
  void OnProcessGone(ProcessId process, const std::string& account);
  // No value will come any more.
  void FailAll(const Error& error);
  // No other process is heard of any more: what only they hold goes.
  void ForgetBorrowers();

  // BorderListener
  void LastHandleGone(ObjectRecord* object) override;
  void FetchersReady(ObjectRecord* object) override;
  void ValueFreed(ObjectRecord* object) override;
  bool HasMessages() const override { return !outgoing_.empty(); }

  // Queues what has gathered: after each input from outside, and with the ticks of the service thread.
  void Flush() {
    if (__builtin_expect(!outgoing_.empty(), 0)) SendOutgoing();
  }

 private:
  void Apply();
  void Act(const model::SendReferenceMessage& action);
  void Act(const model::FreeObject& action);
  void Act(const model::ValueVisible& action);
  void Act(const model::ValueLost& action);
  void Act(const model::ReferenceFailed& action);
  void FetchAgain(ObjectRecord* object);
  // Now, when there is a value, or when the window to that process lets it pass.
  void AnswerFetch(ProcessId to, ObjectRecord* object);
  void SendValue(ProcessId to, ObjectRecord* object);
  void SendValue(ProcessId to, std::unique_ptr<wire::PeerValueT> value);
  void SendFreed(ProcessId to, const ObjectId& id);
  void OnValue(const wire::PeerValue& value);
  ObjectRecord* FindOwn(const ObjectId& id);
  ObjectRecord* NewBorrowed(const ObjectId& id);
  // Another process names this object. It may have it from a user, before this one has told anybody.
  void ExpectOwn(const ObjectId& id);
  void SendOutgoing();
  Error OwnerDied(ProcessId owner) const;
  // The batch that `bytes` more for this process go into, sizes being estimates.
  wire::PeerBatchT& BatchFor(ProcessId process, size_t bytes = 64);
  void SendBatch(ProcessId process, const wire::PeerBatchT& batch);

  uint32_t listed_ = 0;
  std::optional<Error> no_values_;  // why none will come any more
  Owner* const owner_;
  const Send send_;
  model::ReferenceTable table_;
  std::unordered_map<ObjectId, ObjectRecord*> borrowed_;
  std::unordered_map<const ObjectRecord*, ObjectId> borrowed_ids_;
  std::unordered_map<const ObjectRecord*, std::vector<ObjectRecord*>> contained_;
  std::unordered_map<ObjectId, std::pair<ObjectRecord*, DeferredValue>> deferred_;
  std::unordered_map<const ObjectRecord*, std::vector<ProcessId>> fetchers_;
  struct Outgoing {
    wire::PeerBatchT batch;
    size_t bytes = 0;
  };
  std::unordered_map<ProcessId, Outgoing> outgoing_;
  ValueWindows windows_;
  std::vector<ObjectRecord*> to_release_;
  TaskListener* task_listener_ = nullptr;
  std::function<void(const ObjectId&)> life_listener_;
  uint64_t last_task_ = 0;
  bool applying_ = false;
  bool releasing_ = false;
  // Of processes that this one knew, the newest.
  static constexpr size_t kMostDeaths = 1'000;
  std::map<ProcessId, std::string> deaths_;
  std::deque<ProcessId> deaths_in_order_;
};

}  // namespace manta::worker
