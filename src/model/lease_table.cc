#include "model/lease_table.h"

#include <algorithm>
#include <cassert>
#include <tuple>

#include "base/invariants.h"

namespace manta::model {

using State = PoolWorker::State;

namespace {

PoolLimits LimitsOf(const LeaseOptions& options) {
  return {options.max_starting, options.max_workers, options.idle_workers_kept,
          options.idle_worker_ttl};
}

// How many requests fit into all of these, at most `limit`.
uint32_t TimesIn(const std::vector<FreeResources>& free, const ResourceSet& request, uint32_t limit) {
  uint32_t times = 0;
  for (const FreeResources& one : free) times += one.Times(request, limit - times);
  return times;
}

constexpr Invariants Require{"lease table"};

}  // namespace

LeaseTable::LeaseTable(LeaseOptions options)
    : options_(std::move(options)), pool_(LimitsOf(options_)), next_lease_(options_.first_lease) {
  node_.total = options_.total;
  node_.left = {options_.total, GpuUnits(options_.total.Get(kGpu))};
}

LeaseTable::~LeaseTable() = default;

// ---- Owners and demands

void LeaseTable::AddOwner(ProcessId owner, JobId job) {
  const auto [entry, added] = owners_.try_emplace(owner);
  if (!added) return;
  JobRecord& record = jobs_[job];
  ++record.owners;
  entry->second.id = owner;
  entry->second.job_id = job;
  entry->second.job = &record;
}

void LeaseTable::RemoveOwner(Nanoseconds now, ProcessId id) {
  const auto found = owners_.find(id);
  if (found == owners_.end()) return;
  OwnerRecord& owner = found->second;
  for (auto& [key, demand] : owner.demands) {
    demand.wanted = 0;
    Refresh(now, &demand);
  }
  // The workers may run tasks whose results nobody would take. They stay charged until they are
  // dead.
  for (const LeaseId lease : std::set<LeaseId>(owner.leases)) {
    PoolWorker* worker = leases_.at(lease).worker;
    actions_.push_back(StopWorker{worker->id, true});
    EndLease(now, lease, false);
    pool_.MakeStopping(worker);
  }
  while (!owner.demands.empty()) ForgetIfDone(&owner.demands.begin()->second);
  if (--owner.job->owners == 0) jobs_.erase(owner.job_id);
  owners_.erase(found);
  Schedule(now);
}

Result<> LeaseTable::SetDemand(Nanoseconds now, const Demand& demand) {
  const auto found = owners_.find(demand.owner);
  if (found == owners_.end()) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "process " + Hex(demand.owner.value) + " declares a demand, but is no owner");
  }
  for (const ResourceSet* set : {&demand.resources, &demand.placement}) {
    if (Result<> checked = GpuUnits::CheckRequest(set->Get(kGpu)); !checked) return checked;
  }
  OwnerRecord& owner = found->second;
  const auto [entry, added] = owner.demands.try_emplace(demand.key);
  DemandRecord& record = entry->second;
  if (added) {
    record.key = demand.key;
    record.owner = &owner;
    record.line = LineOf(demand);
  }
  const Shape& shape = record.line->shape();
  if (shape.executable != demand.executable || shape.dedicated != demand.dedicated ||
      shape.resources != demand.resources || shape.placement != demand.placement || shape.bundle != demand.bundle || shape.nodes != demand.nodes) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "demand " + std::to_string(demand.key) + " of process " +
                         Hex(demand.owner.value) +
                         " changed its executable, resources or kind; use another key");
  }
  record.wanted = demand.wanted;
  Refresh(now, &record);
  ForgetIfDone(&record);
  Schedule(now);
  return {};
}

WaitingLine* LeaseTable::LineOf(const Demand& demand) {
  const Shape shape{demand.executable, demand.dedicated, demand.resources, demand.placement, demand.bundle, demand.nodes};
  std::unique_ptr<WaitingLine>& line = lines_[shape];
  if (line == nullptr) {
    line = std::make_unique<WaitingLine>(shape, options_.total, options_.labels);
    if (demand.bundle) {
      line->group = GroupOf(demand.bundle.group);
      ++line->group->lines;
    }
  }
  ++line->demands;
  return line.get();
}

void LeaseTable::ReleaseLine(WaitingLine* line) {
  if (--line->demands > 0) return;
  BundleGroup* const group = line->group;
  lines_.erase(Shape(line->shape()));
  if (group == nullptr) return;
  --group->lines;
  ForgetIfUnused(group);
}

// Brings `missing`, the line and the quantum up to date with wanted and held.
void LeaseTable::Refresh(Nanoseconds now, DemandRecord* demand) {
  const uint32_t wanted = demand->wanted;
  const uint32_t missing = wanted > demand->held ? wanted - demand->held : 0;
  if (missing == demand->missing) return;
  const bool was_waiting = demand->waiting();
  if (was_waiting) LeaveLine(demand);
  demand->missing = missing;
  if (missing == 0) {
    Disarm(demand);
    DropWhatIsKept(demand);
    return;
  }
  if (!was_waiting) {
    demand->age = {now, ++arrivals_};
  }
  EnterLine(demand);
  // One that had all it needed may need more now.
  if (!was_waiting || demand->parked) Arm(demand, demand->age.since + options_.quantum);
}

void LeaseTable::EnterLine(DemandRecord* demand) {
  OwnerRecord& owner = *demand->owner;
  WaitingLine* line = demand->line;
  if (line->waiting++ == 0) {
    line->active_index = active_lines_.size();
    active_lines_.push_back(line);
  }
  demand->in_line = demand->missing;
  line->missing += demand->in_line;
  owner.waiting.emplace(demand->age, demand);
  if (owner.waiting.size() == 1) ListWaiting(&owner);
  if (!demand->earmark.empty()) earmarked_.emplace(demand->age, demand);
}

void LeaseTable::LeaveLine(DemandRecord* demand) {
  OwnerRecord& owner = *demand->owner;
  WaitingLine* line = demand->line;
  line->missing -= std::exchange(demand->in_line, 0);
  if (--line->waiting == 0) {
    active_lines_[line->active_index] = active_lines_.back();
    active_lines_[line->active_index]->active_index = line->active_index;
    active_lines_.pop_back();
  }
  if (owner.waiting.size() == 1) UnlistWaiting(&owner);
  owner.waiting.erase(demand->age);
  earmarked_.erase(demand->age);
}

void LeaseTable::ListWaiting(OwnerRecord* owner) {
  if (owner->waiting.empty()) return;
  JobRecord& job = *owner->job;
  if (job.waiting.empty()) waiting_jobs_.insert({job.counted, owner->job_id, &job});
  job.waiting.insert({owner->counted, owner->id, owner});
}

void LeaseTable::UnlistWaiting(OwnerRecord* owner) {
  if (owner->waiting.empty()) return;
  JobRecord& job = *owner->job;
  job.waiting.erase({owner->counted, owner->id, owner});
  if (job.waiting.empty()) waiting_jobs_.erase({job.counted, owner->job_id, &job});
}

// For a demand that does not wait any more: what comes back goes to others.
void LeaseTable::DropWhatIsKept(DemandRecord* demand) {
  for (const LeaseId lease : demand->promised) leases_.at(lease).promised_to = nullptr;
  demand->promised.clear();
  demand->earmark = {};
  SetCovered(demand, 0);
}

// The owner may use the key for something else from now on.
void LeaseTable::ForgetIfDone(DemandRecord* demand) {
  if (demand->wanted > 0 || demand->held > 0) return;
  assert(!demand->waiting());
  ReleaseLine(demand->line);
  demand->owner->demands.erase(demand->key);
}

// ---- Workers

void LeaseTable::WorkerReady(Nanoseconds now, ProcessId worker, ExecutableId executable) {
  pool_.Add(now, worker, executable);
  Schedule(now);
}

void LeaseTable::WorkerStartFailed(Nanoseconds now, ExecutableId executable) {
  pool_.StartFailed(executable);
  Schedule(now);
}

void LeaseTable::WorkerGone(Nanoseconds now, ProcessId id) {
  PoolWorker* worker = pool_.Find(id);
  if (worker == nullptr) return;
  if (worker->state == State::kLeased) {
    const LeaseRecord& lease = leases_.at(worker->lease);
    actions_.push_back(LeaseLost{lease.id, lease.owner->id, id});
    EndLease(now, lease.id, true);
  }
  Release(worker, ResourceSet(worker->charged));
  pool_.Remove(worker);
  Schedule(now);
}

void LeaseTable::WorkerRetires(Nanoseconds now, ProcessId id) {
  PoolWorker* worker = pool_.Find(id);
  if (worker == nullptr) return;
  if (worker->state == State::kLeased) {
    // Its owner does not want another one, and will say so.
    DemandRecord* demand = leases_.at(worker->lease).demand;
    if (demand->wanted > 0) --demand->wanted;
    EndLease(now, worker->lease, false);
    pool_.MakeStopping(worker);
  }
  if (worker->state == State::kStopping) Release(worker, ResourceSet(worker->charged));
  Schedule(now);
}

void LeaseTable::WorkerRetiresAfterLease(Nanoseconds now, ProcessId id) {
  PoolWorker* worker = pool_.Find(id);
  if (worker == nullptr || worker->retires) return;
  worker->retires = true;
  if (worker->state == State::kIdle) {  // its lease was returned before this was heard
    Retire(worker);
  } else if (worker->state == State::kLeased) {
    LeaseRecord& lease = leases_.at(worker->lease);
    if (!lease.revoked && !lease.dedicated()) Revoke(&lease);
  }
  Schedule(now);
}

void LeaseTable::Retire(PoolWorker* worker) {
  pool_.MakeStopping(worker);
  retired_.push_back(worker->id);
}

// Those that own tasks under way stay for them.
void LeaseTable::StopRetired() {
  std::erase_if(retired_, [&](ProcessId id) {
    const PoolWorker* worker = pool_.Find(id);
    if (worker != nullptr && IsBusyOwner(id)) return false;
    if (worker != nullptr) actions_.push_back(StopWorker{id, false, true});
    return true;
  });
}

void LeaseTable::WorkerBlocked(Nanoseconds now, ProcessId id) {
  PoolWorker* worker = pool_.Find(id);
  if (worker == nullptr || worker->state != State::kLeased || worker->blocked) return;
  const LeaseRecord& lease = leases_.at(worker->lease);
  Uncount(lease);
  worker->blocked = true;
  Release(worker, worker->charged.Only(kCpu));
  Count(lease);
  Schedule(now);
}

void LeaseTable::WorkerResumed(Nanoseconds now, ProcessId id) {
  PoolWorker* worker = pool_.Find(id);
  if (worker == nullptr || worker->state != State::kLeased || !worker->blocked) return;
  const LeaseRecord& lease = leases_.at(worker->lease);
  Uncount(lease);
  worker->blocked = false;
  // At once, whether it is free or not: resuming goes before granting.
  Charge(worker, lease.demand->line->shape().resources.Only(kCpu));
  Count(lease);
  RevokeExcess(*worker);
  Schedule(now);
}

// More CPUs of its pool are in use than there are, now that `resumed` has its own again: the newest leases end with the tasks that they run.
void LeaseTable::RevokeExcess(const PoolWorker& resumed) {
  int64_t excess = -resumed.pool->left.amounts.Get(kCpu);
  if (excess <= 0) return;
  const auto cpus = [&](const LeaseRecord& lease) {
    return lease.worker != &resumed && lease.worker->pool == resumed.pool ? lease.worker->charged.Get(kCpu) : 0;
  };
  for (const auto& [id, lease] : leases_) {
    if (lease.revoked) excess -= cpus(lease);
  }
  for (const auto& [id, worker] : pool_.workers()) {
    // Charged still, but about to be dead.
    if (worker.state == PoolWorker::State::kStopping && worker.pool == resumed.pool) excess -= worker.charged.Get(kCpu);
  }
  for (auto entry = leases_.rbegin(); entry != leases_.rend() && excess > 0; ++entry) {
    LeaseRecord& lease = entry->second;
    if (!lease.kept() || cpus(lease) == 0) continue;
    excess -= cpus(lease);
    Revoke(&lease);
  }
}

void LeaseTable::ReturnLease(Nanoseconds now, LeaseId id, bool unused) {
  const auto found = leases_.find(id);
  if (found == leases_.end()) return;
  PoolWorker* worker = found->second.worker;
  if (found->second.dedicated() && !unused) {
    // Charged until it is dead: what it holds, e.g. memory of a GPU, is not free before.
    actions_.push_back(StopWorker{worker->id, true});
    EndLease(now, id, false);
    pool_.MakeStopping(worker);
  } else {
    if (worker->doomed) {
      EndLease(now, id, false);
      pool_.MakeStopping(worker);
      return Schedule(now);
    }
    const bool ends = worker->retires || (!worker->gpus.empty() && !IsBusyOwner(worker->id));
    EndLease(now, id, true);
    Release(worker, ResourceSet(worker->charged));
    if (ends) {
      // Not charged meanwhile: how long others hold what it owns has no limit.
      Retire(worker);
    } else {
      pool_.MakeIdle(now, worker);
    }
  }
  Schedule(now);
}

// ---- Granting

// Grants all that can be granted, and starts workers for what lacks nothing else. Resources for
// which a worker is starting and those that came back for the sake of a demand are kept from the
// others.
void LeaseTable::Schedule(Nanoseconds now) {
  ++round_;
  pool_.BeginRound();
  if (!reservations_.empty()) ServeReservations();
  if (!retired_.empty()) StopRetired();
  ServeEarmarked(now);
  ServeLines(now);
  for (const auto& [executable, count] : pool_.TakeStarts()) {
    actions_.push_back(StartWorkers{executable, count});
  }
}

void LeaseTable::ServeEarmarked(Nanoseconds now) {
  if (earmarked_.empty()) return;
  std::vector<DemandRecord*> demands;
  for (const auto& [age, demand] : earmarked_) demands.push_back(demand);
  for (DemandRecord* demand : demands) {
    if (!InReach(*demand->line)) continue;
    Outcome outcome = Outcome::kPassedOver;
    do {
      ResourcePool* pool = PoolWithRoom(*demand->line);
      if (pool == nullptr) break;
      outcome = Serve(now, demand, pool);
    } while (outcome == Outcome::kGranted && !demand->earmark.empty());
    // What does not suffice yet is kept. Those that wait longer come first, so that two of them
    // cannot hold what the other one needs.
    if (outcome != Outcome::kReserved) Keep(*demand->line, demand->earmark);
  }
}

void LeaseTable::ServeLines(Nanoseconds now) {
  while (DemandRecord* demand = BestDemand()) {
    WaitingLine* line = demand->line;
    if (Serve(now, demand, PoolWithRoom(*line)) == Outcome::kPassedOver) {
      line->passed_over = true;
      // Neither for any other of its executable.
      const ExecutableId executable = line->shape().executable;
      if (pool_.AnyIdle(executable, [](ProcessId) { return true; })) continue;
      for (WaitingLine* other : active_lines_) {
        if (other->shape().executable == executable) other->passed_over = true;
      }
    }
    if (line->reserved >= line->missing) line->passed_over = true;
  }
}

bool LeaseTable::FindLinesThatFit() {
  const int64_t cpus = node_.FreeIn(round_).amounts.Get(kCpu);
  bool any = false;
  for (WaitingLine* line : active_lines_) {
    if (line->round != round_) {
      line->round = round_;
      line->reserved = 0;
      line->passed_over = !line->feasible();
    }
    // Most lines are of the node, and most of those lack a CPU.
    const bool may_fit = !line->passed_over && (line->group != nullptr || line->cpus() <= cpus || line->cpus() == 0);
    line->fits = may_fit && PoolWithRoom(*line) != nullptr;
    any = any || line->fits;
  }
  return any;
}

// The first in the order of fairness that fits: the job with the fewest leases, in it the owner with the fewest, of that the demand that
// waits longest; so too among jobs and owners that have equally many.
DemandRecord* LeaseTable::BestDemand() {
  if (!FindLinesThatFit()) return nullptr;
  DemandRecord* best = nullptr;
  const auto counts = [](const DemandRecord& demand) { return std::pair(demand.owner->job->counted, demand.owner->counted); };
  for (const auto& job : waiting_jobs_) {
    if (best != nullptr && job.counted > counts(*best).first) break;
    for (const auto& owner : job.record->waiting) {
      if (best != nullptr && std::pair(job.counted, owner.counted) > counts(*best)) break;
      for (const auto& [age, demand] : owner.record->waiting) {
        if (best != nullptr && counts(*demand) == counts(*best) && age > best->age) break;
        if (!demand->line->fits) continue;
        best = demand;
        break;
      }
    }
  }
  return best;
}

LeaseTable::Outcome LeaseTable::Serve(Nanoseconds now, DemandRecord* demand, ResourcePool* pool) {
  WaitingLine* line = demand->line;
  const ResourceSet& resources = line->shape().resources;
  const ExecutableId executable = line->shape().executable;
  if (pool_.HasIdle(executable, demand->owner->id)) {
    Grant(now, demand, pool, pool->free.Take(resources));
    return Outcome::kGranted;
  }
  WorkerPool::Cover cover = pool_.CoverByStart(executable);
  if (cover == WorkerPool::Cover::kWorkerLimit && StopIdle(executable)) {
    cover = pool_.CoverByStart(executable);
  }
  if (cover != WorkerPool::Cover::kStarting) return Outcome::kPassedOver;
  (void)pool->free.Take(resources);
  ++line->reserved;
  return Outcome::kReserved;
}

void LeaseTable::Grant(Nanoseconds now, DemandRecord* demand, ResourcePool* pool, GpuShares gpus) {
  OwnerRecord& owner = *demand->owner;
  const Shape& shape = demand->line->shape();
  const LeaseId id{next_lease_++};
  PoolWorker* worker = pool_.Lease(shape.executable, id, owner.id);
  LeaseRecord& lease = leases_[id];
  lease = {.id = id, .owner = &owner, .demand = demand, .worker = worker};
  owner.leases.insert(id);
  worker->pool = pool;
  pool->left.gpus.Take(gpus);
  worker->gpus = gpus;
  actions_.push_back(GrantLease{id, owner.id, demand->key, worker->id, std::move(gpus)});

  LeaveLine(demand);
  Disarm(demand);
  --demand->missing;
  ++demand->held;
  Charge(worker, shape.resources);
  Count(lease);
  if (demand->missing == 0) {
    DropWhatIsKept(demand);
    return;
  }
  demand->earmark.Subtract(AtMost(shape.resources, demand->earmark));
  SetCovered(demand, demand->covered - std::min(demand->covered, 1u));
  // The wait for the next one begins.
  demand->age = {now, ++arrivals_};
  EnterLine(demand);
  Arm(demand, now + options_.quantum);
}

// Makes room for a worker of this executable. Returns whether it could.
bool LeaseTable::StopIdle(ExecutableId wanted) {
  for (PoolWorker* worker : pool_.IdleWorkers(wanted)) {
    if (IsBusyOwner(worker->id)) continue;
    pool_.MakeStopping(worker);
    actions_.push_back(StopWorker{worker->id, false, true});
    return true;
  }
  return false;
}

// An idle worker whose tasks left others running: their results would be lost with it.
bool LeaseTable::IsBusyOwner(ProcessId process) const {
  const auto found = owners_.find(process);
  return found != owners_.end() && !(found->second.leases.empty() && found->second.waiting.empty());
}

// ---- Leases and counts

// `freed`: what the lease was charged is free from now on.
void LeaseTable::EndLease(Nanoseconds now, LeaseId id, bool freed) {
  const auto found = leases_.find(id);
  LeaseRecord& lease = found->second;
  Uncount(lease);
  DemandRecord* demand = lease.demand;
  lease.owner->leases.erase(id);
  --demand->held;
  if (lease.promised_to != nullptr) {
    lease.promised_to->promised.erase(id);
    if (freed) AddEarmark(lease.promised_to, lease.worker->charged);
  }
  if (lease.dedicated()) lease.worker->pool->bound.Subtract(lease.worker->charged);
  const bool revoked = lease.revoked;
  leases_.erase(found);
  Refresh(now, demand);
  // The one that got it keeps it for a quantum, too, before this one may ask for it back.
  if (revoked && demand->waiting()) Arm(demand, now + options_.quantum);
  ForgetIfDone(demand);
}

void LeaseTable::Charge(PoolWorker* worker, const ResourceSet& amount) {
  worker->charged.Add(amount);
  worker->pool->left.amounts.Subtract(amount);
  if (IsBound(*worker)) worker->pool->bound.Add(amount);
}

void LeaseTable::Release(PoolWorker* worker, const ResourceSet& amount) {
  if (worker->pool == nullptr) return;  // never leased
  worker->pool->left.amounts.Add(amount);
  if (amount.Get(kGpu) > 0) worker->pool->left.gpus.Give(std::exchange(worker->gpus, {}));
  if (IsBound(*worker)) worker->pool->bound.Subtract(amount);
  worker->charged.Subtract(ResourceSet(amount));
}

bool LeaseTable::IsBound(const PoolWorker& worker) const {
  const auto lease = leases_.find(worker.lease);
  return lease != leases_.end() && lease->second.dedicated();
}

bool LeaseTable::InReach(const WaitingLine& line) const {
  bool found = false;
  ForEachPool(node_, line, [&](const ResourcePool& pool) { return found = pool.InReach(line.request()); });
  return found;
}

void LeaseTable::Count(const LeaseRecord& lease) {
  if (lease.kept()) ++lease.demand->kept;
  ChangeCounts(lease.owner, lease.counted(), lease.kept());
}

void LeaseTable::Uncount(const LeaseRecord& lease) {
  if (lease.kept()) --lease.demand->kept;
  ChangeCounts(lease.owner, -static_cast<int>(lease.counted()), -static_cast<int>(lease.kept()));
}

void LeaseTable::ChangeCounts(OwnerRecord* owner, int counted, int kept) {
  holdings_changed_ = true;
  JobRecord& job = *owner->job;
  if (kept != 0) {
    Unlist(owner);
    owner->kept += kept;
    job.kept += kept;
    List(owner);
  }
  if (counted == 0) return;
  UnlistWaiting(owner);
  if (!job.waiting.empty()) waiting_jobs_.erase({job.counted, owner->job_id, &job});
  owner->counted += counted;
  job.counted += counted;
  if (!job.waiting.empty()) waiting_jobs_.insert({job.counted, owner->job_id, &job});
  ListWaiting(owner);
}

void LeaseTable::List(OwnerRecord* owner) {
  JobRecord& job = *owner->job;
  if (owner->kept > 0) job.holders.insert({owner->kept, owner->last_revocation, owner->id});
  if (job.kept > 0) holding_jobs_.insert({job.kept, job.last_revocation, owner->job_id});
}

void LeaseTable::Unlist(OwnerRecord* owner) {
  JobRecord& job = *owner->job;
  job.holders.erase({owner->kept, owner->last_revocation, owner->id});
  holding_jobs_.erase({job.kept, job.last_revocation, owner->job_id});
}

// ---- Quanta

void LeaseTable::Tick(Nanoseconds now) {
  for (PoolWorker* worker : pool_.Expired(now)) {
    if (IsBusyOwner(worker->id)) {
      pool_.Touch(now, worker);
      continue;
    }
    pool_.MakeStopping(worker);
    actions_.push_back(StopWorker{worker->id, false, true});
  }
  ReconsiderParked(now);
  while (!due_.empty() && due_.begin()->first.first <= now) Reclaim(now, due_.begin()->second);
  Schedule(now);
}

Nanoseconds LeaseTable::NextDeadline() const {
  Nanoseconds next = pool_.NextExpiry();
  if (!due_.empty()) next = std::min(next, due_.begin()->first.first);
  if (holdings_changed_ && !parked_.empty()) {
    next = std::min(next, parked_looked_at_ + options_.quantum);
  }
  return next;
}

void LeaseTable::Arm(DemandRecord* demand, Nanoseconds due) {
  Disarm(demand);
  if (!demand->line->feasible()) return;
  demand->due = due;
  due_.emplace(std::pair(due, demand->age.arrival), demand);
}

void LeaseTable::Disarm(DemandRecord* demand) {
  if (demand->parked) {
    parked_.erase(demand->age.arrival);
    demand->parked = false;
  } else if (demand->due != kNever) {
    due_.erase({demand->due, demand->age.arrival});
    demand->due = kNever;
  }
}

void LeaseTable::Park(DemandRecord* demand) {
  Disarm(demand);
  demand->parked = true;
  parked_.emplace(demand->age.arrival, demand);
}

// Nothing could be done for the parked ones. That may be different when somebody has got or lost a
// lease; but a node where one owner keeps its leases for hours must not wake up a hundred times a
// second to find that out.
void LeaseTable::ReconsiderParked(Nanoseconds now) {
  if (parked_.empty()) {
    parked_looked_at_ = now;
    return;
  }
  if (!holdings_changed_ || parked_looked_at_ + options_.quantum > now) return;
  holdings_changed_ = false;
  parked_looked_at_ = now;
  while (!parked_.empty()) Arm(parked_.begin()->second, now);
}

void LeaseTable::Reclaim(Nanoseconds now, DemandRecord* demand) {
  LeaseRecord* victim = FindVictim(demand);
  if (victim == nullptr) {
    Park(demand);
    return;
  }
  Revoke(victim);
  victim->promised_to = demand;
  demand->promised.insert(victim->id);
  // A worker that starts while the last task runs costs no time.
  pool_.StartAhead(demand->line->shape().executable);
  SetCovered(demand, TimesIn(Attainable(*demand), demand->line->request(), demand->missing));
  Arm(demand, now + options_.quantum);
}

// What is free for this demand, now or when the leases revoked for its sake are back.
std::vector<FreeResources> LeaseTable::Attainable(const DemandRecord& demand) const {
  std::vector<FreeResources> free;
  std::vector<const ResourcePool*> pools;
  ForEachPool(node_, *demand.line, [&](const ResourcePool& pool) {
    pools.push_back(&pool);
    free.push_back(pool.left);
    return false;
  });
  for (const auto& [age, other] : earmarked_) {
    if (age >= demand.age) break;
    if (other->line->group != demand.line->group) continue;
    ResourceSet kept = other->earmark;
    for (FreeResources& one : free) kept.Subtract(one.Keep(kept));
  }
  for (const LeaseId id : demand.promised) {
    const PoolWorker& worker = *leases_.at(id).worker;
    const auto found = std::find(pools.begin(), pools.end(), worker.pool);
    if (found == pools.end()) continue;
    FreeResources& one = free[static_cast<size_t>(found - pools.begin())];
    one.amounts.Add(worker.charged);
    one.gpus.Give(worker.gpus);
  }
  return free;
}

// The lease to revoke so that `demand` comes a step nearer to its next one; nullptr: nothing is to
// be done.
LeaseRecord* LeaseTable::FindVictim(DemandRecord* demand) {
  if (!InReach(*demand->line)) {
    SetCovered(demand, 0);
    return nullptr;
  }
  const ResourceSet& request = demand->line->request();
  const std::vector<FreeResources> free = Attainable(*demand);
  std::vector<std::string_view> lacking;
  const uint32_t covered = TimesIn(free, request, demand->missing);
  if (covered == demand->missing) {
    // Only a worker may be missing. Any lease that ends makes room for one.
    const bool needs_room = demand->promised.empty() &&
                            pool_.LimitBlocks(demand->line->shape().executable);
    SetCovered(demand, needs_room ? 0 : covered);
    if (!needs_room) return nullptr;
  } else {
    SetCovered(demand, covered);
    for (const auto& [name, amount] : request.amounts()) {
      ResourceSet alone;
      alone.Set(name, amount);
      if (TimesIn(free, alone, covered + 1) <= covered) lacking.push_back(name);
    }
  }
  LeaseRecord* victim = FindVictimOfOthers(*demand, lacking);
  return victim != nullptr ? victim : FindVictimOfSame(*demand, lacking);
}

LeaseRecord* LeaseTable::FindVictimOfOthers(const DemandRecord& demand,
                                            const std::vector<std::string_view>& lacking) {
  for (auto job = holding_jobs_.rbegin(); job != holding_jobs_.rend(); ++job) {
    const auto& holders = jobs_.at(job->id).holders;
    for (auto holder = holders.rbegin(); holder != holders.rend(); ++holder) {
      if (holder->id == demand.owner->id) continue;
      const OwnerRecord& owner = owners_.at(holder->id);
      if (!MayRevoke(owner, demand)) break;  // neither of those with fewer leases
      if (LeaseRecord* lease = OldestUseful(owner, demand, lacking)) return lease;
    }
  }
  return nullptr;
}

// An owner that waits with one key and holds leases with another.
LeaseRecord* LeaseTable::FindVictimOfSame(const DemandRecord& demand,
                                          const std::vector<std::string_view>& lacking) {
  const OwnerRecord& owner = *demand.owner;
  if (owner.demands.size() == 1) return nullptr;
  const uint32_t has = demand.held + demand.covered;
  LeaseRecord* best = nullptr;
  for (const LeaseId id : owner.leases) {
    LeaseRecord& lease = leases_.at(id);
    if (lease.demand == &demand || lease.demand->kept < has + 1) continue;
    if (best != nullptr && lease.demand->kept <= best->demand->kept) continue;
    if (lease.kept() && Helps(lease, demand, lacking)) best = &lease;
  }
  return best;
}

// Whether `holder` has more than the waiting owner, so much that with one lease less it still does
// not come before it. The waiting owner counts with what is on its way.
bool LeaseTable::MayRevoke(const OwnerRecord& holder, const DemandRecord& demand) const {
  const OwnerRecord& owner = *demand.owner;
  const uint32_t owner_has = owner.kept + owner.covered;
  if (holder.job == owner.job) return holder.kept >= owner_has + 1;
  const uint32_t job_has = owner.job->kept + owner.job->covered;
  return std::tuple(holder.job->kept, holder.kept) >= std::tuple(job_has + 1, owner_has + 1);
}

LeaseRecord* LeaseTable::OldestUseful(const OwnerRecord& holder, const DemandRecord& demand,
                                      const std::vector<std::string_view>& lacking) {
  for (const LeaseId id : holder.leases) {
    LeaseRecord& lease = leases_.at(id);
    if (lease.kept() && Helps(lease, demand, lacking)) return &lease;
  }
  return nullptr;
}

// It is charged something that is lacking, where the demand is served from. Nothing lacks but a worker: any lease.
bool LeaseTable::Helps(const LeaseRecord& lease, const DemandRecord& demand, const std::vector<std::string_view>& lacking) const {
  if (lacking.empty()) return true;
  const auto charged = [&](std::string_view name) { return lease.worker->charged.Get(name) > 0; };
  return Serves(lease.worker->pool, *demand.line) && std::any_of(lacking.begin(), lacking.end(), charged);
}

void LeaseTable::Revoke(LeaseRecord* lease) {
  assert(!lease->revoked && !lease->dedicated());
  Uncount(*lease);
  lease->revoked = true;
  Count(*lease);
  Unlist(lease->owner);
  lease->owner->last_revocation = lease->owner->job->last_revocation = ++revocations_;
  List(lease->owner);
  actions_.push_back(RevokeLease{lease->id, lease->owner->id});
}

void LeaseTable::SetCovered(DemandRecord* demand, uint32_t covered) {
  const uint32_t before = std::exchange(demand->covered, covered);
  demand->owner->covered += covered - before;
  demand->owner->job->covered += covered - before;
}

void LeaseTable::AddEarmark(DemandRecord* demand, const ResourceSet& freed) {
  LeaveLine(demand);
  demand->earmark.Add(AtMost(demand->line->request(), freed));
  EnterLine(demand);
}

// ---- What others see

std::vector<LeaseAction> LeaseTable::TakeActions() { return std::exchange(actions_, {}); }

const ResourceSet& LeaseTable::total() const { return options_.total; }

ResourceSet LeaseTable::available() const { return AtMost(node_.left.amounts, node_.left.amounts); }

// ---- Invariants

void LeaseTable::CheckInvariants() const {
  const char* broken = pool_.BrokenInvariant();
  Require(broken == nullptr, broken);
  CheckLeases();
  CheckDemands();
  CheckCounts();
}

void LeaseTable::CheckLeases() const {
  size_t leased = 0;
  for (const auto& [id, worker] : pool_.workers()) {
    int64_t gpus = 0;
    for (const GpuShare& share : worker.gpus) gpus += share.amount;
    Require(gpus == worker.charged.Get(kGpu), "a worker has other GPUs than it is charged for");
    if (worker.state != State::kLeased) continue;
    ++leased;
    const auto lease = leases_.find(worker.lease);
    Require(lease != leases_.end(), "a worker is leased by an unknown lease");
    Require(lease->second.worker == &worker, "a lease names another worker");
    ResourceSet charged = lease->second.demand->line->shape().resources;
    if (worker.blocked) charged.Set(kCpu, 0);
    Require(worker.charged == charged, "a worker is charged something else than its lease says");
    Require(worker.doomed || Serves(worker.pool, *lease->second.demand->line), "a lease is charged where its demand is not served");
  }
  Require(leased == leases_.size(), "a lease has no worker");
  CheckPools();
}

void LeaseTable::CheckDemands() const {
  size_t waiting = 0, earmarked = 0, timed = 0, held = 0;
  std::map<const WaitingLine*, uint32_t> declared;
  for (const auto& [id, owner] : owners_) {
    for (const auto& [key, demand] : owner.demands) {
      ++declared[demand.line];
      const uint32_t wanted = demand.wanted;
      held += demand.held;
      Require(demand.missing == (wanted > demand.held ? wanted - demand.held : 0),
              "a demand does not know what it is missing");
      Require(demand.waiting() == owner.waiting.contains(demand.age), "a waiting demand is not listed");
      Require(demand.in_line == demand.missing, "a line does not know what a demand is missing");
      if (!demand.waiting()) {
        Require(demand.promised.empty() && demand.earmark.empty() && demand.covered == 0,
                "something is kept for a demand that does not wait");
        continue;
      }
      ++waiting;
      earmarked += !demand.earmark.empty();
      timed += demand.parked || demand.due != kNever;
      Require(!demand.line->feasible() || demand.parked || demand.due != kNever,
              "nobody looks after a waiting demand");
    }
  }
  Require(held == leases_.size(), "demands and leases disagree");
  Require(earmarked == earmarked_.size(), "the list of earmarks is wrong");
  Require(timed == due_.size() + parked_.size(), "the list of quanta is wrong");
  for (const auto& [shape, line] : lines_) {
    Require(line->demands > 0 && line->demands == declared[line.get()], "a line miscounts its demands");
  }
  for (const WaitingLine* line : active_lines_) {
    Require(line->waiting > 0, "an empty line counts as active");
    const auto serves_others = [this](ProcessId worker) {
      const auto owner = owners_.find(worker);
      return owner == owners_.end() || owner->second.waiting.empty();
    };
    bool room = false;
    ForEachPool(node_, *line, [&](const ResourcePool& pool) { return room = pool.left.Contains(line->request()); });
    const bool grantable = line->feasible() && room && pool_.AnyIdle(line->shape().executable, serves_others);
    // With earmarks, reservations or starting workers, what is free may be kept for others.
    Require(!grantable || !earmarked_.empty() || !reservations_.empty() || pool_.starting() > 0,
            "a demand waits that could be granted");
  }
  Require((waiting == 0) == active_lines_.empty(), "waiting demands and lines disagree");
}

void LeaseTable::CheckCounts() const {
  std::map<JobId, JobRecord> jobs;
  for (const auto& [id, owner] : owners_) {
    uint32_t counted = 0, kept = 0, covered = 0;
    for (const LeaseId lease_id : owner.leases) {
      const LeaseRecord& lease = leases_.at(lease_id);
      Require(lease.owner == &owner, "an owner lists the lease of another");
      counted += lease.counted();
      kept += lease.kept();
      if (lease.promised_to != nullptr) {
        Require(lease.revoked && lease.promised_to->promised.contains(lease_id),
                "a promise is unknown to whom it was made");
      }
    }
    for (const auto& [key, demand] : owner.demands) covered += demand.covered;
    Require(counted == owner.counted && kept == owner.kept && covered == owner.covered,
            "the counts of an owner are wrong");
    Require(owner.job->waiting.contains({owner.counted, id}) == !owner.waiting.empty(),
            "an owner that waits stands in the wrong place");
    JobRecord& job = jobs[owner.job_id];
    ++job.owners;
    job.counted += counted;
    job.kept += kept;
    job.covered += covered;
    Require(owner.job->holders.contains({kept, owner.last_revocation, id}) == (kept > 0),
            "the list of a job's holders is wrong");
  }
  Require(jobs.size() == jobs_.size(), "a job without owners");
  for (const auto& [id, job] : jobs_) {
    const JobRecord& real = jobs[id];
    Require(job.owners == real.owners && job.counted == real.counted && job.kept == real.kept &&
                job.covered == real.covered,
            "the counts of a job are wrong");
    Require(waiting_jobs_.contains({job.counted, id}) == !job.waiting.empty(), "a job that waits stands in the wrong place");
    Require(holding_jobs_.contains({job.kept, job.last_revocation, id}) == (job.kept > 0),
            "the list of holding jobs is wrong");
  }
}

}  // namespace manta::model
