// A process's part of the system, wired together: what Init makes in a driver, and what a worker's start makes.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "manta/manta_c.h"
#include "worker/actor_links.h"
#include "worker/actor_setup.h"
#include "worker/cluster_questions.h"
#include "worker/console.h"
#include "worker/control_client.h"
#include "worker/dispatcher.h"
#include "worker/executor.h"
#include "worker/key_values.h"
#include "worker/node_memory.h"
#include "worker/owner.h"
#include "worker/placement_groups.h"
#include "worker/ready_queue.h"
#include "worker/result_stream.h"
#include "worker/shared_objects.h"
#include "worker/steward.h"
#include "worker/task_recorder.h"
#include "worker/waiting.h"

namespace manta::worker {

// What task options come to, interned: submissions name them by number.
struct InternedOptions {
  TaskTarget* target = nullptr;  // for tasks; actors have targets of their own
  std::vector<TaskTarget*> turns;  // of tasks that are spread over nodes: instead of it, in turn
  TargetOptions shape;
  int32_t max_retries = 3;
  int32_t method_retries = MANTA_DEFAULT_INT;  // of calls of actors; the default stands for what the actor says
  bool default_resources = true;  // none was named
  uint16_t group = 0;  // the concurrency group of calls of actors
  RetryRule retry_rule;
  bool inherits = true;  // the placement group of the task that submits, if that passes it on
};

// Thread-safe.
class Runtime {
 public:
  // On a socket on which nothing was said yet. Takes it over.
  static Result<std::unique_ptr<Runtime>> Connect(int socket, wire::HelloT hello, Console console = Console(nullptr));
  ~Runtime();

  // Leaves the cluster: what is outstanding fails, no thread of ours runs afterwards. References and handles that the program
  // still holds may be released later, so the object must live on if `has_handles`.
  void Close();
  bool has_handles() const;
  // A call that may wait for the daemon, on a thread that need not hold any handle: the object lives on until it has returned, too.
  class Call {
   public:
    explicit Call(Runtime& runtime) : calls_(runtime.calls_) { calls_.fetch_add(1); }
    ~Call() { calls_.fetch_sub(1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    std::atomic<uint32_t>& calls_;
  };

  // The runtime that calls without an explicit one mean: the driver's after Init, the worker's in a worker, or nullptr. A child of
  // fork() has none: it keeps what it can read and may release references, but is no member of the cluster; its copy of the
  // parent's runtime is closed, and nothing that it does reaches what it shares with the parent.
  static Runtime* Current();
  // Waits for a fork() under way on another thread: the runtime that was current may be closed and destroyed afterwards.
  static void SetCurrent(Runtime* runtime);
  // Whether this process has none because it is a child of fork(): its parent had one.
  static bool WasLeftByFork();

  // ---- Objects and tasks (see manta_c.h for the contracts)
  // Error when this runtime was shut down or has lost its daemon; `what` was tried.
  Result<> CheckOpen(const std::string& what) const;
  Result<> Submit(const manta_task_spec& spec, ActorRecord* actor, uint8_t flags, manta_ref** results);
  Result<> AwaitTurn(const manta_task_spec& spec);
  Result<uint32_t> InternOptions(const manta_task_options& options);
  Result<> PutBegin(size_t size, manta_ref* const* nested, size_t num_nested, const manta_patience* patience, void** data, ObjectRecord** out);
  ObjectRecord* Import(const ObjectId& id);
  Result<> Cancel(ObjectRecord* object, bool force, bool recursive);
  // Whether the calling thread runs a task that was cancelled.
  bool IsCancelled();
  Result<> Get(ObjectRecord* const* objects, size_t count, int64_t timeout_ns, manta_bytes* values);
  Result<> Wait(ObjectRecord* const* objects, size_t count, size_t num_returns, int64_t timeout_ns,
                uint8_t* ready);
  Result<std::unique_ptr<ReadyQueue>> MakeReadyQueue() { return ReadyQueue::Create(owner_.get(), ready_watch_.get()); }
  void AwaitReady(ReadyQueue* queue, ObjectRecord* object, uint64_t tag);
  // What the program does with streams (worker/result_stream.h).
  StreamHandle* MakeStream(uint32_t most_ahead);
  ObjectRecord* PeekStream(ResultStream* stream);
  bool AdvanceStream(ResultStream* stream);
  void FreeStream(StreamHandle* handle);

  // ---- Actors
  // A detached actor gets this process's steward for its creator.
  Result<ActorRecord*> CreateActor(const manta_task_spec& constructor, const manta_actor_options& options);
  // With this process as its creator, whatever the options say, which are checked. Sets *existed if there was one of that name.
  Result<ActorRecord*> CreateActorHere(const manta_task_spec& constructor, TargetOptions shape,
                                       const manta_actor_options& options, bool* existed);
  ActorLinks& actors() { return *actors_; }
  ClusterQuestions& questions() { return *questions_; }
  KeyValues& key_values() { return *key_values_; }
  PlacementGroups& placement_groups() { return *placement_groups_; }

  // ---- Worker
  // Which actor this worker hosts; nil for none.
  ActorId hosted_actor();
  // What the front-end calls what this worker was started with; as long as this lives.
  const char* environment_name() const;
  // Bit i: this worker has GPU i, or a share of it.
  uint64_t gpus() const { return executor_ == nullptr ? 0 : executor_->gpus(); }
  // The placement group that this worker runs in, and whether what it submits runs there, too.
  model::BundleRef bundle();
  bool captures();
  // Runs tasks until told to stop; the calling thread becomes the one that executes them.
  void ExecuteTasks();

  const wire::WelcomeT& welcome() const { return welcome_; }
  // Among the runtimes of this process, from 1 on; never used again.
  uint64_t serial() const { return serial_; }
  // Of a worker, before it executes anything. Default: they may.
  void set_children_in_place(bool may) { children_in_place_ = may; }
  void set_stop_task(void (*stop)()) { executor_->set_stop_task(stop); }
  bool is_driver() const { return is_driver_; }
  bool actor_was_restarted() const { return executor_ != nullptr && executor_->actor_was_restarted(); }
  Owner& owner() { return *owner_; }

 private:
  class Port;
  class Peers;
  // Around fork(), on the thread that calls it.
  static void BeforeFork();
  static void AfterForkInParent();
  static void AfterForkInChild();

  void KillWorkers(const std::vector<ProcessId>& workers, const char* reason);
  // `program`: of a driver.
  Runtime(int socket, Handshake handshake, NodeMemory memory, bool is_driver, std::string program, Console console);

  void OnFrame(const wire::Frame& frame);
  void SayWhatWaits(const wire::DemandUnmet& unmet);  // if it is news
  void ShowOutput(const wire::WorkerOutput& output);
  void OnClosed();
  // Whoever waits for something of the cluster gets `error`.
  void FailAll(const Error& error);
  int64_t OnTick(int64_t now);
  void StopIfUnused();
  void OnRelayed(const wire::Relayed& message);
  void OnLeaseGranted(const wire::LeaseGranted& message);
  // What happened under the owner's lock may have left something for the daemon.
  void Flush() {
    if (__builtin_expect(owner_->has_freed(), 0)) SendFreed();
    control_->Flush();
  }
  void SendFreed();
  // `deadline` of the waiting Get (CLOCK_MONOTONIC), negative: none.
  void RunInPlace(ObjectRecord* object, int64_t deadline);
  bool OwnsAll(ObjectRecord* const* objects, size_t count) const;
  void FetchPending(ObjectRecord* const* objects, size_t count);
  void OnProcessGone(ProcessId process, const char* what, const wire::Cause* cause);
  CpuLending::Hooks LendingHooks();
  void NameWhoLends(Waiting::Request* request) const;
  void AskForPayloadSpace(uint32_t record, uint32_t generation, uint64_t bytes);
  void OnPayloadSpace(uint32_t record, uint32_t generation, const Result<shm::SharedHandle>& space);
  void FillTask(const manta_task_spec& spec, TaskRecord* task);
  void FillHoldings(const manta_task_spec& spec, TaskRecord* task);
  bool MayBegin(const manta_task_spec& spec) const;  // a stream; [lock]
  void KeepMemoryInUse();
  uint32_t Intern(InternedOptions interned);
  Result<> ReadPlace(const manta_task_options& options, InternedOptions* interned);
  // These options in the group that this worker passes on to what it submits.
  Result<uint32_t> CapturedOptions(uint32_t number);

  const uint64_t serial_;
  const bool is_driver_;
  bool children_in_place_ = true;
  const wire::WelcomeT welcome_;
  const Console console_;
  NodeMemory memory_;
  std::unique_ptr<ControlClient> control_;
  std::unique_ptr<TaskRecorder> recorder_;
  std::unique_ptr<Port> port_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<Owner> owner_;
  std::unique_ptr<References> references_;
  std::unique_ptr<SharedObjects> shared_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<ActorLinks> actors_;
  std::unique_ptr<Steward> steward_;
  std::unique_ptr<ClusterQuestions> questions_;
  std::unique_ptr<KeyValues> key_values_;
  std::unique_ptr<PlacementGroups> placement_groups_;
  std::unique_ptr<CpuLending> lending_;  // of a worker
  std::unique_ptr<Waiting> waiting_;
  std::unique_ptr<ReadyWatch> ready_watch_;
  std::unique_ptr<Executor> executor_;
  // Guarded by the owner's lock:
  std::vector<std::unique_ptr<InternedOptions>> options_;  // by number; they never move
  std::unordered_map<std::string, uint32_t> option_numbers_;
  uint32_t spread_turn_ = 0;  // of the next task or actor that is spread
  std::map<std::pair<uint32_t, PlacementGroupId>, uint32_t> captured_options_;  // the same options, in a group that is passed on
  std::atomic<uint32_t> waits_{0};  // whether user threads poll, so that the service thread need not
  uint32_t waits_seen_ = 0;         // service thread
  int64_t refused_at_ = 0;          // service thread: when it last said that a demand cannot be met
  std::string said_;                // service thread: what it last said of a demand that waits, and when
  int64_t said_at_ = 0;
  int64_t results_at_ = 0;          // service thread: when it found the last, or nothing outstanding
  std::string why_cluster_ends_;        // service thread: as its daemon has said; empty: nothing
  bool is_retiring_ = false;            // service thread: ends when it owns no objects any more
  std::atomic<bool> outlives_actor_{false};  // ends when no other process holds its objects any more
  std::atomic<bool> closed_{false};
  std::atomic<bool> shut_down_{false};  // closed_ for that reason
  std::atomic<uint32_t> calls_{0};  // see Call
  std::atomic<uint32_t> streams_{0};  // handles
  std::mutex payload_mutex_;        // held while a payload is written into the arena; outside of the owner's lock
};

}  // namespace manta::worker
