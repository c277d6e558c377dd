// The node daemon's book of leases: who may push tasks to which worker, and when that ends. Pure:
// inputs in, actions out, time as an argument; the simulator and the daemon run this same class.
//
// An owner (a driver, or a worker whose task submits tasks) declares per scheduling key how many
// leases it wants: a level, not a stream of requests, so that a repeated or reordered declaration
// does no harm. The table grants while resources and workers last.
//
// Rules
//  - Resources are charged from grant to return (or to the death of the worker, which is what
//    counts for a worker that is stopped by force). A blocked worker lends its CPU, and only that;
//    when it resumes it takes it back at once, even if the free amount turns negative: resuming
//    goes before granting, and as many of the newest leases of tasks are revoked as were granted with what was lent.
//  - GPUs are units: a lease gets certain ones (model/gpu_units.h), and what it needs must be there in
//    that form. A worker that had GPUs is stopped when its lease ends, since what it allocated on
//    them would stay, and CUDA never looks for others; unless its tasks left others running.
//  - Fairness: a free resource goes to the owner whose job holds the fewest leases, then to the
//    owner that holds the fewest, then to the one that waits longest. Leases that hold nothing
//    which they could give back (dedicated ones, blocked ones that have lent all) do not count.
//  - Quantum: when an owner has waited for a quantum and someone else holds more than it does (in
//    the order of fairness, so much that a lease less would still be no less than the waiting one
//    has), one lease of the holder with the most leases (the oldest that holds something the
//    waiting one lacks; holders with equally many take turns) is revoked. The holder stops pushing, takes back what has not started, and
//    returns the lease after the running task; what it held is kept for the waiting one, and the
//    holder does not ask for it back before another quantum. A lease is revoked at most once. For a
//    demand that does not fit beside the dedicated leases nothing is revoked and nothing is kept. Dedicated leases (actors) are never revoked. Keys of one owner take
//    turns likewise.
//  - Bundles are parts of the node that are reserved for a placement group, with GPUs of their own. A demand that names the group is
//    served from its bundles only, any other from the rest. Reservations wait in order, and are served before all demands, all bundles of
//    one or none. While one waits that fits beside what nobody can take back, what is free is kept for it and leases are revoked for it
//    at once: it is rare, explicit, and waited for, and the holder asks again after a quantum.
//  - Workers belong to one executable. If a grantable demand finds no idle worker of its
//    executable, one is started; at most `max_starting` at a time and `max_workers` in all (not
//    counting those that are stopping), and what the demand needs is kept for it meanwhile. Idle
//    workers beyond `idle_workers_kept` per executable (none of one with an environment) are stopped after
//    `idle_worker_ttl`, unless they are owners with leases or demands of their own; when the worker limit is held by idle
//    workers of another executable, those are stopped first.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "model/bundles.h"
#include "model/free_resources.h"
#include "model/gpu_units.h"
#include "model/lease_records.h"
#include "model/node_constraint.h"
#include "model/resources.h"
#include "model/time.h"
#include "model/waiting_line.h"
#include "model/worker_pool.h"

namespace manta::model {

struct LeaseOptions {
  ResourceSet total;
  NodeLabels labels = {};
  Nanoseconds quantum = 10'000'000;
  uint32_t max_starting = 2;
  uint32_t max_workers = 1024;
  uint32_t idle_workers_kept = 2;
  Nanoseconds idle_worker_ttl = 1'000'000'000;
  uint64_t first_lease = 1;  // so that the leases of a cluster have different numbers
};

struct Demand {
  ProcessId owner;
  uint32_t key = 0;  // the owner's number for (executable, resources, dedicated)
  ExecutableId executable;
  ResourceSet resources;   // charged while the lease is held
  ResourceSet placement;   // must fit when granting, e.g. 1 CPU for an actor that holds none;
                           // usually = resources
  bool dedicated = false;  // an actor's worker: never revoked, never reused
  uint32_t wanted = 0;     // total leases of this key that the owner wants to hold
  BundleRef bundle = {};
  NodeConstraint nodes = {};  // if this one will not do, the demand waits
};

struct GrantLease {
  LeaseId lease;
  ProcessId owner;
  uint32_t key;
  ProcessId worker;
  GpuShares gpus = {};
  bool operator==(const GrantLease&) const = default;
};
struct RevokeLease {
  LeaseId lease;
  ProcessId owner;
  bool operator==(const RevokeLease&) const = default;
};
struct StartWorkers {
  ExecutableId executable;
  uint32_t count;
  bool operator==(const StartWorkers&) const = default;
};
// Idle and not needed (force = false), or running for an owner that died, or dedicated and returned
// (force = true). It gets no leases any more.
struct StopWorker {
  ProcessId worker;
  bool force;
  bool keeps_objects = false;  // not force: not before others have let go of the objects that it owns
  bool operator==(const StopWorker&) const = default;
};
// The worker of a lease died; the owner decides about retries.
struct LeaseLost {
  LeaseId lease;
  ProcessId owner;
  ProcessId worker;
  bool operator==(const LeaseLost&) const = default;
};
// What Reserve asked for is there.
struct BundlesReserved {
  PlacementGroupId group;
  bool operator==(const BundlesReserved&) const = default;
};
using LeaseAction = std::variant<GrantLease, RevokeLease, StartWorkers, StopWorker, LeaseLost, BundlesReserved>;

struct UnmetDemand {
  ProcessId owner;
  uint32_t key;
  uint32_t missing;         // leases wanted and not held
  Nanoseconds since;
  bool infeasible;          // more than this node has at all, though it would do
};

class LeaseTable {
 public:
  // Requires a total that GpuUnits::CheckTotal allows.
  explicit LeaseTable(LeaseOptions options);
  ~LeaseTable();
  LeaseTable(const LeaseTable&) = delete;
  LeaseTable& operator=(const LeaseTable&) = delete;

  // Owners. Drivers and workers are both owners; a worker must be added by WorkerReady too.
  // Removing an owner ends its demands and leases; the workers that it leased are stopped by force,
  // since they may run its tasks.
  void AddOwner(ProcessId owner, JobId job);
  void RemoveOwner(Nanoseconds now, ProcessId owner);

  // Error INVALID_ARGUMENT for an unknown owner, or if the key's executable, resources or kind
  // changed, or for an amount of GPUs that nobody can have (GpuUnits::CheckRequest).
  Result<> SetDemand(Nanoseconds now, const Demand& demand);

  void WorkerReady(Nanoseconds now, ProcessId worker, ExecutableId executable);
  // A start that came to nothing (the zygote failed): allows another try.
  void WorkerStartFailed(Nanoseconds now, ExecutableId executable);
  // Emits LeaseLost if it was leased. Unknown workers are ignored.
  void WorkerGone(Nanoseconds now, ProcessId worker);
  // Its actor has ended for good: its lease too, without a word to the owner. The process gets no other, and is charged nothing.
  void WorkerRetires(Nanoseconds now, ProcessId worker);
  // Its lease is revoked, and once that is returned and it has no tasks of its own under way it is stopped.
  void WorkerRetiresAfterLease(Nanoseconds now, ProcessId worker);
  void WorkerBlocked(Nanoseconds now, ProcessId worker);
  void WorkerResumed(Nanoseconds now, ProcessId worker);

  // The owner gives the lease back; stale ids are ignored. The worker of a dedicated one is stopped by force, unless it is `unused`: its
  // owner has sent it nothing.
  void ReturnLease(Nanoseconds now, LeaseId lease, bool unused = false);

  // Placement groups, in lease_table_bundles.cc.
  // Reserves all these bundles of a group, once they fit: then BundlesReserved. At most one call for a group waits at a time; a bundle has
  // another index than those that the group has here. Nothing is granted from them before OpenBundles.
  void Reserve(Nanoseconds now, PlacementGroupId group, std::vector<BundleRequest> bundles);
  void OpenBundles(Nanoseconds now, PlacementGroupId group);
  // Gives back what waits or is reserved, but not open.
  void ReturnBundles(Nanoseconds now, PlacementGroupId group);
  // The group has no bundle here any more. Returns the workers that are leased from it: the caller kills them, and they are charged to the
  // node until they are dead.
  std::vector<ProcessId> RemoveGroup(Nanoseconds now, PlacementGroupId group);
  // `now`: how many leases of this shape its open bundles have room for; else how many of these were large enough for one, if empty.
  uint32_t RoomInBundles(const BundleRef& bundle, const ResourceSet& request, bool now) const;
  // "needs {CPU: 2} but {CPU: 1} of {CPU: 4} is free"; "" if no such reservation waits.
  std::string ReasonOfReservation(PlacementGroupId group) const;

  // Quanta and idle workers. Call at the latest at NextDeadline().
  void Tick(Nanoseconds now);
  Nanoseconds NextDeadline() const;  // INT64_MAX: none

  // What is to be done, in order; empties the list.
  std::vector<LeaseAction> TakeActions();

  const ResourceSet& total() const;
  const NodeLabels& labels() const { return options_.labels; }
  ResourceSet available() const;  // negative amounts shown as zero
  // Those that wait longest first.
  std::vector<UnmetDemand> Unmet() const;
  // "needs {CPU: 4} but the node has {CPU: 2} in total". Of one that Unmet has just named.
  std::string ReasonOf(const UnmetDemand& unmet) const;

  // Aborts the program with a message if an invariant is broken: what is charged equals what is
  // held, every worker is in one state, nothing grantable waits after an input.
  void CheckInvariants() const;

 private:
  // What the next lease of a line's front demand came to.
  enum class Outcome : uint8_t { kGranted, kReserved, kPassedOver };

  // Demands and their lines.
  WaitingLine* LineOf(const Demand& demand);
  void ReleaseLine(WaitingLine* line);
  void Refresh(Nanoseconds now, DemandRecord* demand);
  void EnterLine(DemandRecord* demand);
  void LeaveLine(DemandRecord* demand);
  void DropWhatIsKept(DemandRecord* demand);
  void ForgetIfDone(DemandRecord* demand);

  // Granting.
  void Schedule(Nanoseconds now);
  void ServeReservations();
  void Retire(PoolWorker* worker);
  void StopRetired();
  bool TryReserve(const Reservation& reservation);
  void RevokeFor(const Reservation& reservation);
  void ServeEarmarked(Nanoseconds now);
  void ServeLines(Nanoseconds now);
  bool FindLinesThatFit();
  DemandRecord* BestDemand();
  Outcome Serve(Nanoseconds now, DemandRecord* demand, ResourcePool* pool);
  void Grant(Nanoseconds now, DemandRecord* demand, ResourcePool* pool, GpuShares gpus);
  bool StopIdle(ExecutableId wanted);
  bool IsBusyOwner(ProcessId process) const;

  // Pools.
  // That it may be served from, until `use` returns true. `node`: node_.
  template <class Node, class Use>
  static void ForEachPool(Node& node, const WaitingLine& line, Use use) {
    if (line.group == nullptr) {
      use(node);
      return;
    }
    const int32_t index = line.shape().bundle.index;
    if (index >= 0) {
      const auto found = line.group->bundles.find(static_cast<uint32_t>(index));
      if (found != line.group->bundles.end() && found->second->open) use(found->second->pool);
      return;
    }
    for (const auto& [number, bundle] : line.group->bundles) {
      if (bundle->open && use(bundle->pool)) return;
    }
  }
  ResourcePool* PoolWithRoom(const WaitingLine& line);       // in this round; nullptr: none
  void Keep(const WaitingLine& line, ResourceSet amount);    // in this round
  bool Serves(const ResourcePool* pool, const WaitingLine& line) const;
  BundleGroup* GroupOf(PlacementGroupId id);                 // made at its first mention
  void ForgetIfUnused(BundleGroup* group);
  void CloseBundle(const Bundle& bundle);
  void ForgetReservation(PlacementGroupId id);

  // Leases and what they count for.
  void EndLease(Nanoseconds now, LeaseId id, bool freed);
  void Charge(PoolWorker* worker, const ResourceSet& amount);
  void Release(PoolWorker* worker, const ResourceSet& amount);
  bool IsBound(const PoolWorker& worker) const;
  // Whether the request fits beside the dedicated leases, which nobody can take back.
  bool InReach(const WaitingLine& line) const;
  void Count(const LeaseRecord& lease);
  void Uncount(const LeaseRecord& lease);
  void ChangeCounts(OwnerRecord* owner, int counted, int kept);
  void ListWaiting(OwnerRecord* owner);  // among those that wait, if it does
  void UnlistWaiting(OwnerRecord* owner);
  void List(OwnerRecord* owner);    // among the holders
  void Unlist(OwnerRecord* owner);

  // Quanta.
  void Arm(DemandRecord* demand, Nanoseconds due);
  void Disarm(DemandRecord* demand);
  void Park(DemandRecord* demand);
  void ReconsiderParked(Nanoseconds now);
  void Reclaim(Nanoseconds now, DemandRecord* demand);
  // Per pool.
  std::vector<FreeResources> Attainable(const DemandRecord& demand) const;
  LeaseRecord* FindVictim(DemandRecord* demand);
  LeaseRecord* FindVictimOfOthers(const DemandRecord& demand,
                                  const std::vector<std::string_view>& lacking);
  LeaseRecord* FindVictimOfSame(const DemandRecord& demand,
                                const std::vector<std::string_view>& lacking);
  bool MayRevoke(const OwnerRecord& holder, const DemandRecord& demand) const;
  LeaseRecord* OldestUseful(const OwnerRecord& holder, const DemandRecord& demand,
                            const std::vector<std::string_view>& lacking);
  bool Helps(const LeaseRecord& lease, const DemandRecord& demand, const std::vector<std::string_view>& lacking) const;
  void RevokeExcess(const PoolWorker& resumed);
  void Revoke(LeaseRecord* lease);
  void SetCovered(DemandRecord* demand, uint32_t covered);
  void AddEarmark(DemandRecord* demand, const ResourceSet& freed);

  std::string ReasonOf(const DemandRecord& demand) const;
  std::string ReasonInGroup(const DemandRecord& demand) const;
  void CheckLeases() const;
  void CheckPools() const;
  void CheckDemands() const;
  void CheckCounts() const;

  const LeaseOptions options_;
  ResourcePool node_;
  std::unordered_map<PlacementGroupId, std::unique_ptr<BundleGroup>> groups_;
  std::list<Reservation> reservations_;  // in their order
  std::vector<ProcessId> retired_;       // that are to be stopped
  WorkerPool pool_;
  std::map<LeaseId, LeaseRecord> leases_;  // in the order of granting
  std::unordered_map<ProcessId, OwnerRecord> owners_;
  std::map<JobId, JobRecord> jobs_;
  std::map<Shape, std::unique_ptr<WaitingLine>, ShapeLess> lines_;
  std::vector<WaitingLine*> active_lines_;  // those where somebody waits
  std::set<Waiter<JobId, JobRecord>> waiting_jobs_;
  // Demands for which revoked leases came back, the one that waits longest first.
  std::map<Age, DemandRecord*> earmarked_;
  // Waiting demands by the end of their quantum; and those for which nothing could be done at its
  // end, until holdings change. Keyed by (time,) arrival.
  std::map<std::pair<Nanoseconds, uint64_t>, DemandRecord*> due_;
  std::map<uint64_t, DemandRecord*> parked_;
  bool holdings_changed_ = false;
  Nanoseconds parked_looked_at_ = 0;
  // Jobs by the leases that they hold and could give back.
  std::set<Holder<JobId>> holding_jobs_;
  uint64_t next_lease_;
  uint64_t arrivals_ = 0;
  uint64_t revocations_ = 0;
  uint64_t round_ = 0;
  std::vector<LeaseAction> actions_;
};

}  // namespace manta::model
