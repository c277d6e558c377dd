// A driver or a worker: owner of objects and tasks, borrower, and runner of what others submit.
// Simple where the real runtime is fast, but it follows the same protocol, and its references are
// in the real reference table.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/lease_table.h"
#include "model/reference_table.h"
#include "testing/simulator/channel.h"
#include "testing/simulator/cluster.h"

namespace manta::simulator {

struct Value {
  Outcome outcome = Outcome::kValue;
  std::vector<ObjectId> inners;
};

class Process {
 public:
  // A driver has no executable.
  Process(Cluster* cluster, ProcessId id, JobId job, ExecutableId executable);
  ~Process();

  void RunDriver();

  // ---- From daemons

  void OnGranted(std::shared_ptr<Channel> channel);
  void OnRevoked(LeaseName lease);
  void OnLeaseBlocked(LeaseName lease, bool blocked);
  void OnLeaseLost(LeaseName lease);
  void OnChannel(std::shared_ptr<Channel> channel);  // this process is the worker
  void OnStop();
  void OnProcessGone(ProcessId process);
  void OnNodeGone(uint32_t node);

  // ---- From other processes

  void OnCompletions(const std::shared_ptr<Channel>& channel);
  void OnDoorbell() { Claim(); }
  void OnReference(ProcessId from, const model::ReferenceMessage& message);
  void OnFetch(ProcessId from, ObjectId object);
  void OnValue(ObjectId object, const std::optional<Value>& value);

  void Check();
  void CheckAtRest();
  std::string Describe() const;  // what it is waiting for

 private:
  enum class TaskState : uint8_t { kWaiting, kQueued, kPushed, kHere };

  // A submitted task, until its result is there.
  struct Task {
    TaskMessage message;
    std::vector<ObjectId> dependencies;  // handles; their values are needed
    uint32_t unready = 0;
    uint32_t retries_left = 0;
    TaskState state = TaskState::kWaiting;
    uint32_t node = 0;
    uint32_t key = 0;
  };
  using TaskPtr = std::shared_ptr<Task>;

  struct Held {
    std::shared_ptr<Channel> channel;
    bool revoked = false;
    bool blocked = false;
  };
  // A scheduling key at a node.
  struct Target {
    uint32_t node = 0;
    model::Demand demand;
    std::deque<TaskPtr> backlog;
    std::map<LeaseName, Held> leases;
    bool lost = false;      // an actor that died, or a node that is gone
    bool finished = false;  // an actor that gets no more calls
  };
  using TargetName = std::pair<uint32_t, uint32_t>;  // node, key

  // What is known of a value here.
  struct Local {
    bool ready = false;
    Value value;
    std::optional<Value> deferred;  // until what it contains is registered
    bool fetching = false;
    std::set<uint64_t> waiters;  // activities
    std::set<ProcessId> fetchers;
    std::vector<TaskPtr> dependents;
  };

  // User code: a running task, or a driver's main function. It makes its choices as it goes.
  struct Activity {
    uint64_t id = 0;
    TaskMessage task;
    std::shared_ptr<Channel> channel;  // nullptr: a driver, or a child run in place
    TaskPtr own;                       // the child that is run in place
    uint32_t node = 0, key = 0;        // of the task
    std::vector<ObjectId> handles;
    std::vector<ObjectId> children;
    std::deque<ObjectId> to_get;
    uint32_t phase = 0;
    uint32_t tasks_left = 0;           // a driver's
    std::optional<ObjectId> waits_for;
  };

  // ---- Objects and references (process.cc)

  ObjectId NewObject();
  void Retain(ObjectId object);
  void Release(ObjectId object);
  bool Knows(ObjectId object) const { return table_.Knows(object); }
  void Resolve(ObjectId object, Value value);
  void Apply();
  void Do(const model::SendReferenceMessage& action);
  void Do(const model::FreeObject& action);
  void Do(const model::ValueVisible& action);
  void Do(const model::ValueLost& action);
  void Do(const model::ReferenceFailed& action);
  void Answer(ProcessId to, ObjectId object);
  void Fetch(ObjectId object);
  void Settle();  // at the end of each event

  // ---- Owner (owner.cc)

  Target& TargetOf(uint32_t node, uint32_t key);
  model::Demand DemandOf(uint32_t key) const;
  ObjectId Submit(uint32_t node, uint32_t key, const TaskSpec& spec,
                  std::vector<ObjectId> arguments, std::vector<ObjectId> dependencies);
  void DependencyReady(const TaskPtr& task, const Value& value);
  void Enqueue(const TaskPtr& task);
  void Pump(Target* target);
  void PumpAll();
  void Push(Held* lease, const TaskPtr& task);
  void TakeBack(Held* lease, Target* target, size_t keep);
  void Balance(Target* target);
  void ReturnIdle(Target* target);
  void Declare(Target* target);
  void Complete(const std::shared_ptr<Channel>& channel, const CompletionMessage& completion);
  void Retry(TaskPtr task);
  void FailTask(TaskPtr task, Outcome outcome);
  void Finish(TaskPtr task);
  void LoseLease(Target* target, LeaseName name);
  void ReadCompletions(const std::shared_ptr<Channel>& channel);
  std::pair<Target*, Held*> FindLease(LeaseName name);

  // ---- Worker (worker.cc)

  void Claim();
  void Start(Activity activity);
  Activity* Find(uint64_t id);
  void Wait(Activity* activity, ObjectId object);
  void Continue(uint64_t id);
  bool RunInPlace();
  TaskPtr TakeChild(uint32_t node, uint32_t key, ObjectId result);
  void WaitFurther();
  void SetBlocked(bool blocked);
  void EndActivity(Activity* activity, Outcome outcome, const std::vector<ObjectId>& returned);
  void EndInPlace(const TaskPtr& task, Outcome outcome, const std::vector<ObjectId>& returned);
  void EndPushed(const Activity& activity, Outcome outcome, const std::vector<ObjectId>& returned);
  void ExitIfIdle();

  // ---- Programs (program.cc)

  void Advance(Activity* activity);
  void AfterComputing(Activity* activity, Nanoseconds time);
  void AdvanceTask(Activity* activity);
  void SubmitChildren(Activity* activity);
  void ChooseGets(Activity* activity);
  bool GetNext(Activity* activity);  // false: it waits
  void FinishTask(Activity* activity);
  void AdvanceDriver(Activity* activity);
  void AdvanceFairDriver(Activity* activity);
  void SubmitFromDriver(Activity* activity);
  void Look(Activity* activity, ObjectId object);  // at a value that is ready
  std::vector<ObjectId> SomeOf(const std::vector<ObjectId>& handles, uint32_t percent);
  void DropHandles(Activity* activity);
  void KeepForAWhile(ObjectId object);

  Random& random() { return cluster_->random(); }
  Oracle& oracle() { return cluster_->oracle(); }
  Nanoseconds now() const { return cluster_->now(); }
  uint32_t node() const { return NodeIndexOf(id_); }
  std::string Name() const { return Hex(id_.value); }

  Cluster* const cluster_;
  const ProcessId id_;
  const JobId job_;
  const ExecutableId executable_;

  model::ReferenceTable table_;
  std::map<ObjectId, uint32_t> handles_;
  std::map<ObjectId, Local> objects_;
  std::map<model::TaskNumber, TaskPtr> tasks_;
  std::map<TargetName, Target> targets_;
  std::set<ProcessId> dead_;
  std::set<uint32_t> gone_nodes_;
  uint32_t last_object_ = 0;
  model::TaskNumber last_number_ = 0;
  uint32_t actors_ = 0;

  std::vector<std::shared_ptr<Channel>> channels_;  // as a worker
  std::map<uint64_t, Activity> activities_;
  std::vector<uint64_t> stack_;  // the innermost last
  uint64_t last_activity_ = 0;
  bool blocked_ = false;
  bool stop_ = false;
  std::vector<ObjectId> kept_;
};

}  // namespace manta::simulator
