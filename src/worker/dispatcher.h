// Sends submitted tasks to leased workers and brings their completions home; asks the daemon for leases and gives them back.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "worker/owner.h"
#include "worker/owner_channel.h"
#include "worker/references.h"
#include "worker/result_list.h"
#include "worker/task_target.h"
#include "worker/ticks.h"

namespace manta::worker {

// What the dispatcher asks of the daemon. Called under the owner's lock: implementations queue and return.
class LeasePort {
 public:
  virtual void SetDemand(const TaskTarget& target) = 0;
  // `unused`: nothing was sent to its worker.
  virtual void ReturnLease(LeaseId lease, bool unused) = 0;
  // The worker of this channel is dead, and nothing of it is needed any more.
  virtual void ReleaseChannel(uint64_t offset) = 0;
  // Asks for space in the object arena for a task's payload; the answer goes to Dispatcher::PayloadSpace.
  virtual void AskForPayloadSpace(uint32_t record, uint32_t generation, uint64_t bytes) = 0;
  // Asks for a task that a worker of another node may not have begun. It comes back as a completion, or runs.
  virtual void TakeBack(ProcessId worker, uint32_t record, uint32_t generation) = 0;
  // An actor of ours has a new place, was created there, or is dead.
  virtual void ActorChanged(const TaskTarget& target, ProcessId host) = 0;
  // An actor of another process starts again: where?
  virtual void ActorMoved(const TaskTarget& target) = 0;

 protected:
  ~LeasePort() = default;
};

// How an execution ended. Bytes are valid during the call only.
struct Outcome {
  shm::TaskStatus status = shm::TaskStatus::kOk;
  bool has_kept = false;       // the list ends with the references that the worker still holds
  bool in_place = false;       // this process ran it: references in its results are ours already
  uint32_t item = 0;           // of one that goes on: which of its results this is
  bool is_list = false;        // `bytes` are ResultHeaders with values; else they are the value of the only result
  const unsigned char* bytes = nullptr;
  uint32_t size = 0;
};

// How a process ended.
struct Departure {
  Error cause;
  bool for_good = false;        // on purpose
  bool actor_restarts = false;  // its actor, when that is another process's
};

struct GrantedLease {
  LeaseId lease;
  ProcessId worker;
  shm::ChannelView channel;
  uint64_t channel_offset;
  shm::ProcessPage* worker_page;
};

// All methods need the owner's lock. Times are CLOCK_MONOTONIC nanoseconds.
class Dispatcher {
 public:
  // `cores` bounds how many leases are asked for at once.
  Dispatcher(Owner* owner, References* references, LeasePort* port, uint32_t cores);

  // ---- Targets

  // The target for tasks of this shape; made on first use. Key 0 exists from the start: one CPU.
  TaskTarget* TargetFor(const TargetOptions& options);
  // A target of its own for an actor that this process creates: asks for a dedicated lease at once. The first task submitted to it
  // is the creation.
  TaskTarget* NewActorTarget(const ActorId& id, TargetOptions options, int32_t max_restarts);
  // A target for an actor that another process created; calls wait for ConnectActor.
  TaskTarget* NewForeignActorTarget(const ActorId& id);
  void ConnectActor(TaskTarget* target, const GrantedLease& link);
  // Nobody will call this actor any more: its target goes once its last call has ended.
  void DropActorTarget(TaskTarget* target);
  // The channel, which the daemon keeps until the worker is dead and WorkerGone has let go of it.
  OwnerChannel* ChannelTo(const GrantedLease& link);
  // Calls fail with `cause` from now on, those that wait and later ones.
  void CloseActor(TaskTarget* target, const Error& cause);
  // No more calls: the worker is asked to end after those submitted, and the lease goes back.
  void RetireActor(TaskTarget* target);
  // An actor of ours is to be killed: true if that ends it here and now, since no process hosts it; else its host has to be killed.
  bool KillHomelessActor(TaskTarget* target, bool no_restart);
  // Whether another call would be one too many.
  bool TooManyPending(TaskTarget* target);

  // ---- Tasks

  // A record that is filled in (body, args, dependencies, results, retries): waits for its dependencies, then goes out.
  void Submit(uint32_t index, TaskRecord* task, TaskTarget* target) {
    task->target = target;
    task->unready = 0;
    task->cancelled = task->forced = false;
    // The common case: nothing to wait for, nothing ahead of it, and a worker that is at work has room.
    if (target->in_flight != 0 && target->queue.empty() && task->body.dependencies == 0 && task->nested == nullptr &&
        !target->unavailable && PushTo(target, Choose(target), index, task)) {
      return;
    }
    SubmitSlowly(index, task, target);
  }
  void DependencyReady(uint32_t index);
  // The task, if it still waits for that space. Its payload can be written without the lock.
  const TaskRecord* AwaitingPayload(uint32_t index, uint32_t generation);
  // The payload stands there; or there is no such space, and the task fails.
  void PayloadSpace(uint32_t index, const Result<shm::SharedHandle>& space);
  // Takes a task that has not started out of the machinery, for running it in place: false if it has started.
  bool Withdraw(uint32_t index, TaskRecord* task);
  // The outcome of a task that ran in place (`worker` is this process then): as if its completion had come.
  void Finish(uint32_t index, TaskRecord* task, const Outcome& outcome, ProcessId worker);
  void Fail(uint32_t index, TaskRecord* task, const Error& error);
  // Cancels a task that has not started: true. One that runs is marked, so that it is not tried again, and its worker is asked to
  // interrupt it; with `force` returns the worker that has to be killed, if it is no actor's.
  bool Cancel(uint32_t index, TaskRecord* task, bool force, bool recursive, ProcessId* kill);
  // The tasks that `parent` (a task that runs here) submitted and that are not finished.
  void CancelChildren(const ObjectId& parent, std::vector<ProcessId>* kill);

  // ---- Events

  // Reads completions of all channels; returns how many.
  uint32_t Poll();
  // The program has taken items of a stream.
  void StreamTaken(const ResultStream& stream);
  // Whether any task is in a channel.
  bool AwaitsResults() const { return !active_.empty(); }
  // Whether Poll is called by ticks alone: workers are given more in advance then.
  void set_unattended(bool unattended) { unattended_ = unattended; }
  // Whether Poll would find something, ordered after announcing to park.
  bool HasWork() const;
  void LeaseGranted(uint32_t key, const GrantedLease& granted);
  // A grant that cannot be used goes straight back.
  // Those of workers that run no task of this process.
  void ReturnIdleLeases();
  void RefuseLease(LeaseId lease) { port_->ReturnLease(lease, true); }
  void LeaseRevoked(LeaseId lease);
  void LeaseBlocked(LeaseId lease, bool blocked);
  // Of an actor of ours, which has ended for good. Its process refuses what is under way, or dies.
  void ActorEnded(LeaseId lease, const std::string& reason);
  // The worker is dead: completions that it left are taken, started tasks are retried or fail with the cause.
  void WorkerGone(ProcessId worker, const Departure& departure);
  // The cluster cannot meet a demand at all.
  // `group_removed`: since its placement group is gone.
  void DemandInfeasible(uint32_t key, const std::string& reason, bool group_removed);
  // Whether it is news that this demand is not met: nothing runs for it, or nothing has ended for long.
  bool IsStuck(uint32_t key, int64_t now);
  // Adapts demands, returns idle leases. Returns the time until the next call is useful, -1 when nothing is outstanding.
  int64_t Tick(int64_t now);
  // What Tick found that the user should know: a line for each actor that takes no calls since it waits itself. Empties the list.
  std::vector<std::string> TakeNews() { return std::exchange(news_, {}); }
  // Everything outstanding fails (the daemon is gone, or shutdown).
  void FailAll(const Error& error);

  // Who waits for the leases of this demand: "the actor 'Counter' has", "3 tasks (the first is 'f') have".
  std::string WaitersOf(uint32_t key) const;

  size_t leases() const { return leases_.size(); }

 private:
  void Dispatch(TaskTarget* target);
  void FailUnstarted(uint32_t index, TaskRecord* task, const Error& error);
  void Abandon(TaskRecord* task, const Error& error);
  void FailResults(TaskRecord* task, const Error& cause);
  void PlacePayloadApart(uint32_t index, TaskRecord* task);
  TaskTarget* NewTarget(TargetOptions options, bool ordered);
  TaskTarget* FindTarget(uint32_t key) const {
    const auto found = targets_.find(key);
    return found == targets_.end() ? nullptr : found->second.get();
  }
  void FreeDroppedTargets();
  void MarkBusy(TaskTarget* target) {
    if (target->ordered || target->busy) return;
    target->busy = true;
    busy_.push_back(target);
  }
  static bool HasNewsOf(TaskTarget* target, int64_t now);
  void LookForBlockedActor(TaskTarget* target, int64_t now);
  // The channel with the fewest tasks in flight among those that take more, or nullptr.
  static OwnerChannel* Choose(TaskTarget* target) {
    OwnerChannel* best = nullptr;
    uint32_t least = target->window;
    for (OwnerChannel* channel : target->channels) {
      if (channel->in_flight() >= least || channel->revoked || channel->blocked || channel->slow || !channel->HasRoom()) continue;
      best = channel;
      least = channel->in_flight();
    }
    return best;
  }
  // False: there is no channel, or no room in it just now.
  bool PushTo(TaskTarget* target, OwnerChannel* channel, uint32_t index, TaskRecord* task) {
    if (channel == nullptr || !channel->Push(*owner_, index, task)) return false;
    ++target->in_flight;
    if (__builtin_expect(channel->active_index == 0, 0)) Activate(channel);
    return true;
  }
  void SubmitSlowly(uint32_t index, TaskRecord* task, TaskTarget* target);
  void UpdateDemand(TaskTarget* target, int64_t now);
  uint32_t PollChannel(OwnerChannel* channel);
  void Complete(OwnerChannel* channel, const shm::CompletionBody& completion);
  void Returned(OwnerChannel* channel, uint32_t index, TaskRecord* task);
  void CompleteSlowly(OwnerChannel* channel, shm::CompletionBody completion, TaskRecord* task);
  Outcome OutcomeOf(OwnerChannel* channel, const shm::CompletionBody& completion);
  void ReceiveItem(OwnerChannel* channel, shm::CompletionBody completion, uint32_t index, TaskRecord* task);
  void TellTaken(uint32_t index, const TaskRecord& task, const ResultStream& stream);
  void EndStream(const TaskRecord& task, const Outcome& outcome);
  static ResultReader::Entry NextEntry(ResultReader* reader);
  static std::vector<model::KeptReference> KeptIn(ResultReader* reader);
  void SetValue(const TaskRecord& task, ObjectRecord* object, const ResultReader::Entry& entry, bool in_place,
                std::vector<References::ReceivedResult>* deferred);
  void SetResult(const TaskRecord& task, ObjectRecord* object, const ResultReader::Entry& entry);
  // The error of a task, with the actor or task that it is about.
  Error Attributed(const TaskRecord& task, Error error) const;
  void Renew(TaskRecord* task);
  void FreePayload(TaskRecord* task);
  static int32_t& RetriesLeft(TaskRecord* task);
  bool ShouldRetry(TaskRecord* task, const Outcome& outcome) const;
  void ActorGone(OwnerChannel* channel, TaskTarget* target, const Departure& departure);
  void CreationDone(uint32_t index, TaskRecord* task, ProcessId host);
  void ForgetCreation(TaskTarget* target);
  void SetResults(TaskRecord* task, const Outcome& outcome, ProcessId worker);
  void SetResultsFromList(TaskRecord* task, const Outcome& outcome, ProcessId worker);
  void FailForDependency(uint32_t index, TaskRecord* task, Error error);
  void ReleaseTask(uint32_t index, TaskRecord* task) {
    if (task->nested != nullptr || task->body.dependencies != 0 || task->has_args_block() || task->body.results > 1) {
      ReleaseHoldings(task);
    }
    TaskTarget* target = task->target;
    owner_->FreeTask(index, task);
    if (target != nullptr && target->outstanding() == 0) target->idle_since = 0;  // set by the next tick
  }
  void ReleaseHoldings(TaskRecord* task);
  void Left(OwnerChannel* channel, TaskRecord* task) {
    --task->target->in_flight;
    if (__builtin_expect(channel->in_flight() == 0, 0)) ChannelEmptied(channel);
  }
  void ChannelEmptied(OwnerChannel* channel);
  // Where in its target's queue a task waits for its next attempt.
  enum class Again { kFirstAtFirst, kLast };
  void Requeue(uint32_t index, TaskRecord* task, Again where);
  void QueueAgain(uint32_t index, TaskRecord* task, Again where);
  void TellOfCrashes(const TaskRecord& task);
  void MeasureService(TaskTarget* target, uint64_t ticks, uint32_t count);
  void TakeBackUnclaimed(OwnerChannel* channel, uint32_t keep);
  void Rebalance(TaskTarget* target);
  void TakeBackFromSlow(TaskTarget* target, int64_t now);
  void Activate(OwnerChannel* channel);
  void Deactivate(OwnerChannel* channel);
  void ReturnLease(OwnerChannel* channel);
  // Its worker is dead.
  void ForgetChannel(OwnerChannel* channel);
  void DropDemand(TaskTarget* target);
  void FailQueue(TaskTarget* target, const Error& error);
  // No more tasks for it: the lease goes back when those that it has begun are done.
  void Retire(OwnerChannel* channel);
  void RetireSurplus(TaskTarget* target);
  void ReturnIdleBesideRevoked(TaskTarget* target);
  static Error FirstError(const Outcome& outcome);
  ObjectRecord* FailedDependency(const TaskRecord& task) const;

  Owner* const owner_;
  References* const references_;
  LeasePort* const port_;
  const uint32_t cores_;
  std::unordered_map<uint32_t, std::unique_ptr<TaskTarget>> targets_;  // by key; keys are never used again
  uint32_t next_key_ = 0;
  std::unordered_map<std::string, TaskTarget*> shapes_;  // those of tasks
  std::vector<TaskTarget*> busy_;     // of these, the ones with tasks, leases or a demand
  uint32_t placing_ = 0;              // payloads that wait for space
  std::vector<TaskTarget*> dropped_;  // of actors that nobody can call
  std::unordered_map<ProcessId, std::unique_ptr<OwnerChannel>> channels_;
  std::unordered_map<LeaseId, OwnerChannel*> leases_;
  std::vector<OwnerChannel*> active_;  // with tasks in flight
  bool unattended_ = false;
  std::vector<std::string> news_;
  // By key: of actors on other nodes, whose former host's end is not told yet.
  std::unordered_map<uint32_t, GrantedLease> early_grants_;
  TickClock ticks_;
};

}  // namespace manta::worker
