// The worker processes of a node as the lease table sees them: starting, idle, leased or stopping.
// Knows nothing of owners and resources.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "model/bundles.h"
#include "model/gpu_units.h"
#include "model/resources.h"
#include "model/time.h"

namespace manta::model {

struct PoolLimits {
  uint32_t max_starting = 0;
  uint32_t max_workers = 0;
  uint32_t idle_kept = 0;
  Nanoseconds idle_ttl = 0;
};

struct PoolWorker {
  enum class State : uint8_t { kIdle, kLeased, kStopping };

  ProcessId id;
  ExecutableId executable;
  State state = State::kIdle;
  LeaseId lease;                // kLeased
  bool blocked = false;         // kLeased: has lent its CPU
  ResourceSet charged;          // kLeased, and kStopping until it is dead
  GpuShares gpus;               // the ones that it is charged for
  ResourcePool* pool = nullptr; // where that comes from; nullptr before its first lease
  bool doomed = false;          // it is being killed, and not leased again
  bool retires = false;         // kLeased: it is not leased again
  Nanoseconds idle_since = 0;   // kIdle
};

class WorkerPool {
 public:
  explicit WorkerPool(PoolLimits limits) : limits_(limits) {}

  // nullptr: unknown. Pointers stay valid until Remove.
  PoolWorker* Find(ProcessId worker);
  const std::unordered_map<ProcessId, PoolWorker>& workers() const { return workers_; }

  // A new, idle worker; one start of its executable is over. Known workers are ignored.
  void Add(Nanoseconds now, ProcessId worker, ExecutableId executable);
  void StartFailed(ExecutableId executable);
  void Remove(PoolWorker* worker);

  // None is leased to itself: what a task passes to its owner and what it passes to its own process follow different rules.
  bool HasIdle(ExecutableId executable, ProcessId other_than) const {
    return AnyIdle(executable, [other_than](ProcessId worker) { return worker != other_than; });
  }
  template <class IsIt>
  bool AnyIdle(ExecutableId executable, IsIt is_it) const {
    const auto found = executables_.find(executable);
    if (found == executables_.end()) return false;
    for (const auto& [since, worker] : found->second.idle) {
      if (is_it(worker)) return true;
    }
    return false;
  }
  // The worker that idles for the shortest time: its caches are warm. Requires HasIdle.
  PoolWorker* Lease(ExecutableId executable, LeaseId lease, ProcessId other_than);
  void MakeIdle(Nanoseconds now, PoolWorker* worker);  // it was leased
  void MakeStopping(PoolWorker* worker);               // it was idle or leased

  // A round of granting. In each round every start in progress answers for one demand that could be
  // granted now.
  enum class Cover : uint8_t {
    kStarting,      // a worker for this demand is on its way
    kMustWait,      // enough workers are starting
    kWorkerLimit,   // there may be no more workers
  };
  void BeginRound() { ++round_; }
  Cover CoverByStart(ExecutableId executable);
  // Starts a worker if none is idle or starting and the limits allow.
  void StartAhead(ExecutableId executable);
  // The starts decided since the last call.
  std::vector<std::pair<ExecutableId, uint32_t>> TakeStarts();

  // Whether only the limit of workers keeps the executable from another one.
  bool LimitBlocks(ExecutableId executable) const;

  // Idle workers, the one that idles longest first, that are not of `other_than`.
  std::vector<PoolWorker*> IdleWorkers(ExecutableId other_than);
  // Idle workers beyond those kept, whose time is over.
  std::vector<PoolWorker*> Expired(Nanoseconds now);
  // Keeps an expired worker for another turn.
  void Touch(Nanoseconds now, PoolWorker* worker);
  Nanoseconds NextExpiry() const;

  uint32_t starting() const { return starting_; }
  uint32_t stopping() const { return stopping_; }
  uint32_t starting(ExecutableId executable) const;
  // What counts against the limit. Those that are stopping do not: a worker that others still need
  // (it owns objects) takes its time, and nobody must wait for that.
  uint32_t counted() const { return static_cast<uint32_t>(workers_.size()) + starting_ - stopping_; }

  // nullptr, or which invariant is broken.
  const char* BrokenInvariant() const;

 private:
  struct Executable {
    std::set<std::pair<Nanoseconds, ProcessId>> idle;
    uint32_t workers = 0;
    uint32_t starting = 0;
    uint64_t round = 0;     // to which `covered` belongs
    uint32_t covered = 0;   // starts that answer for a demand in this round
    uint32_t to_start = 0;  // decided, not yet told
  };

  // A job may have hundreds of environments.
  uint32_t Kept(ExecutableId id) const { return HasEnvironment(id) ? 0 : limits_.idle_kept; }
  void Start(ExecutableId id, Executable* executable);
  void StartIsOver(ExecutableId id);
  void LeaveIdle(PoolWorker* worker);
  void ForgetIfUnused(ExecutableId id);

  const PoolLimits limits_;
  std::unordered_map<ProcessId, PoolWorker> workers_;
  std::map<ExecutableId, Executable> executables_;
  std::vector<ExecutableId> starts_;  // those with to_start > 0, in the order of decision
  uint32_t starting_ = 0;
  uint32_t stopping_ = 0;
  uint64_t round_ = 0;
};

}  // namespace manta::model
