// Leases as processes meet them: messages in, messages out, around the pure model::LeaseTable.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/lease_table.h"
#include "node/channel_allocator.h"
#include "node/control_arena.h"
#include "node/event_loop.h"
#include "node/executables.h"
#include "node/node_recorder.h"
#include "node/object_table.h"
#include "node/process_table.h"
#include "node/worker_pool.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class LeaseService {
 public:
  // A demand that holds nothing is reported after the first of these, then each time the second has passed.
  static constexpr Nanoseconds kUnmetAfter = 5 * kSecond;
  static constexpr Nanoseconds kUnmetAgain = 30 * kSecond;
  // What has to be granted at once has so long, in which leases that nobody uses come back.
  static constexpr Nanoseconds kAtOnce = 200 * kMillisecond;

  struct Lease {
    LeaseId id;
    ProcessId owner;
    ProcessId worker;
    uint32_t key = 0;
    bool dedicated = false;
    bool revoked = false;
    Nanoseconds since = 0;
    Nanoseconds revoked_at = 0;
    bool blocked = false;
    bool seen_idle = false;  // since it was revoked, at the last look
  };
  // A holder whose idle worker has not come back so long after the lease was revoked does not run (it is stopped, in a debugger): the lease
  // ends without it, and it gets no other before it says something.
  static constexpr Nanoseconds kPatienceWithHolders = 2 * kSecond;
  static constexpr Nanoseconds kSilenceLook = 500 * kMillisecond;

  LeaseService(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, Executables& executables, WorkerPool& workers,
               ChannelAllocator& channels, ControlArena& arena, NodeRecorder& recorder,
               const model::LeaseOptions& options);

  // Drivers and workers may both own tasks.
  void AddOwner(const Process& process);
  void WorkerReady(const Process& worker);
  void WorkerStartFailed(ExecutableId executable);
  // No worker can be started for a while: refuses the demands that hold nothing. `starts` will not come.
  void StartsGivenUp(ExecutableId executable, uint32_t starts, const std::string& reason);
  // Its job is over, and so are its starts.
  void ExecutableGone(ExecutableId executable, uint32_t starts);

  // Told what an owner takes back by itself on its own node: `on` while a leased worker is blocked or its lease revoked.
  using Recall = std::function<void(ProcessId owner, ProcessId worker, bool on)>;
  void set_recall(Recall recall) { recall_ = std::move(recall); }

  // What the other nodes have in total, and of the labels that the constraint is about, for messages about what cannot be met; "" when
  // there are none.
  using OtherNodes = std::function<std::string(const model::NodeConstraint& constraint)>;
  void set_other_nodes(OtherNodes other_nodes) { other_nodes_ = std::move(other_nodes); }

  struct PlacementGroupHooks {
    std::function<void(PlacementGroupId)> reserved;  // what Reserve asked for is there
    std::function<bool(PlacementGroupId)> is_gone;   // removed, or never was: who asks for it is refused
  };
  void set_placement_groups(PlacementGroupHooks hooks) { groups_ = std::move(hooks); }
  // See LeaseTable.
  void Reserve(PlacementGroupId group, std::vector<model::BundleRequest> bundles);
  void OpenBundles(PlacementGroupId group);
  void ReturnBundles(PlacementGroupId group);
  // Kills what runs in it, and refuses the demands that name it.
  void RemoveGroup(PlacementGroupId group, const std::string& reason);

  void SetDemand(const Process& owner, const wire::SetDemand& message);
  // The owner does not get what it wants, for good, and ends what waits for it.
  void Refuse(ProcessId owner, uint32_t key, const std::string& reason, bool group_removed = false);
  // `unused`: as in model::LeaseTable.
  void ReturnLease(ProcessId owner, LeaseId lease, bool unused = false);
  // A leased worker has run its last task.
  void WorkerRetiresAfterLease(ProcessId worker);
  // While the task of a leased worker waits, its CPU is lent.
  void SetBlocked(ProcessId worker, bool blocked);
  // Any frame of the process has come.
  void Heard(ProcessId owner) {
    if (__builtin_expect(!silent_.empty(), 0)) Speaks(owner);
  }
  // Its actor has ended for good, and the process stays for the objects that it owns. Tells who holds the lease.
  void ActorEnded(ProcessId worker, const std::string& reason);

  // It is dead or has left. `slots_for` says which objects a holder may have missed. Returns who has been told by LeaseLost.
  std::set<ProcessId> ProcessGone(ProcessId process, const wire::CauseT& cause,
                                  const std::function<SlotList(ProcessId)>& slots_for);

  const Lease* LeaseOf(ProcessId worker) const;
  const std::map<uint64_t, Lease>& leases() const { return leases_; }
  const model::LeaseTable& table() const { return table_; }
  struct DemandInfo {
    model::Demand demand;
    std::string actor_name;
    ActorId actor;  // dedicated demands
    bool captures = false;
    uint32_t held = 0;
  };
  using DemandKey = std::pair<uint64_t, uint32_t>;  // owner, key
  const std::map<DemandKey, DemandInfo>& demands() const { return demands_; }

 private:
  struct Reported {
    Nanoseconds at = 0;
  };

  void Pump();
  void Do(const model::GrantLease& grant);
  void Do(const model::RevokeLease& revoke);
  void Do(const model::StartWorkers& start);
  void Do(const model::StopWorker& stop);
  void Do(const model::LeaseLost& lost);
  void Do(const model::BundlesReserved& reserved);
  Result<ExecutableId> ExecutableFor(JobId job, const wire::SetDemand& message);
  void GiveUp(const DemandKey& key, const std::string& reason);
  void Forget(LeaseId lease);
  std::string Holders() const;
  void CheckUnmetAt(Nanoseconds when);
  void CheckUnmet();
  void RetryGrants();
  void LookForSilence();
  bool IsIdle(ProcessId worker) const;
  void Silence(ProcessId owner);
  void Speaks(ProcessId owner);

  spdlog::logger& log_;
  ProcessTable& processes_;
  Executables& executables_;
  WorkerPool& workers_;
  ChannelAllocator& channels_;
  ControlArena& arena_;
  NodeRecorder& recorder_;
  model::LeaseTable table_;
  std::map<DemandKey, DemandInfo> demands_;
  std::map<uint64_t, Lease> leases_;
  std::unordered_map<ProcessId, LeaseId> by_worker_;
  std::map<DemandKey, Nanoseconds> reported_;
  std::set<DemandKey> retry_;  // granted, but no channel could be made
  Recall recall_;
  OtherNodes other_nodes_;
  PlacementGroupHooks groups_;
  bool pumping_ = false;
  // Set during ProcessGone, for the LeaseLost actions that come of it.
  const wire::CauseT* cause_ = nullptr;
  const std::function<SlotList(ProcessId)>* slots_for_ = nullptr;
  std::set<ProcessId> told_;
  Timer tick_;
  Timer unmet_;
  Nanoseconds unmet_at_ = INT64_MAX;
  Timer retry_timer_;
  std::set<ProcessId> silent_;  // owners whose demands count for nothing meanwhile
  Timer silence_;
};

}  // namespace manta::node
