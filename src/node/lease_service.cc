#include "node/lease_service.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "base/kill_point.h"
#include "contracts/fields.h"
#include "contracts/worker_environment.h"
#include "model/resources.h"
#include "node/decode_amounts.h"

namespace manta::node {
namespace {

constexpr size_t kHoldersShown = 3;
// Many kinds of tasks that wait say no more than some: so many to one owner at a time, and then none for a while.
constexpr uint32_t kMostReports = 10;
constexpr Nanoseconds kReportPause = 10 * kSecond;

constexpr uint32_t kMaxWanted = 1'000'000;
constexpr Nanoseconds kGrantRetry = kSecond;
constexpr char kGroupIsGone[] = "its placement group was removed, or its job is over";

}  // namespace

LeaseService::LeaseService(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, Executables& executables,
                           WorkerPool& workers, ChannelAllocator& channels, ControlArena& arena,
                           NodeRecorder& recorder, const model::LeaseOptions& options)
    : log_(log),
      processes_(processes),
      executables_(executables),
      workers_(workers),
      channels_(channels),
      arena_(arena),
      recorder_(recorder),
      table_(options),
      tick_(loop, [this] {
        table_.Tick(EventLoop::Now());
        Pump();
      }),
      unmet_(loop, [this] { CheckUnmet(); }),
      retry_timer_(loop, [this] { RetryGrants(); }),
      silence_(loop, [this] { LookForSilence(); }) {}

void LeaseService::AddOwner(const Process& process) { table_.AddOwner(process.id, process.job); }

void LeaseService::WorkerReady(const Process& worker) {
  table_.WorkerReady(EventLoop::Now(), worker.id, worker.executable);
  Pump();
}

void LeaseService::WorkerStartFailed(ExecutableId executable) {
  table_.WorkerStartFailed(EventLoop::Now(), executable);
  Pump();
}

void LeaseService::GiveUp(const DemandKey& key, const std::string& reason) {
  const auto found = demands_.find(key);
  if (found == demands_.end()) return;
  Refuse(ProcessId{key.first}, key.second, reason);
  found->second.demand.wanted = 0;
  (void)table_.SetDemand(EventLoop::Now(), found->second.demand);
  reported_.erase(key);
}

void LeaseService::StartsGivenUp(ExecutableId executable, uint32_t starts,
                                 const std::string& reason) {
  for (auto& [key, info] : demands_) {
    if (info.demand.executable != executable || info.demand.wanted == 0) continue;
    if (info.held > 0) continue;  // gets on with the workers that it has
    GiveUp(key, reason);
  }
  ExecutableGone(executable, starts);
}

void LeaseService::ExecutableGone(ExecutableId executable, uint32_t starts) {
  for (uint32_t i = 0; i < starts; ++i) table_.WorkerStartFailed(EventLoop::Now(), executable);
  Pump();
}

void LeaseService::Refuse(ProcessId owner, uint32_t key, const std::string& reason, bool group_removed) {
  wire::DemandUnmetT unmet;
  unmet.group_removed = group_removed;
  unmet.key = key;
  unmet.reason = reason;
  unmet.infeasible = true;
  processes_.Send(owner, std::move(unmet));
}

Result<ExecutableId> LeaseService::ExecutableFor(JobId job, const wire::SetDemand& message) {
  const std::string environment = message.environment() != nullptr ? message.environment()->str() : "";
  Result<ExecutableId> id = executables_.For(job, environment);
  if (!id || workers_.ProgramOf(*id) != nullptr) return id;
  const Program* const program = workers_.ProgramOf(Executables::OfJob(job));
  if (program == nullptr) return id;
  if (!contracts::WorkerEnvironment::OfText(environment).python) {
    workers_.AddExecutable(*id, Program(*program));
  } else if (!program->python.empty()) {
    workers_.AddExecutable(*id, program->ForPython());
  } else {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the driver has found no Python to run it: put python3, with the package manta, into its PATH, or name an "
                     "interpreter by MANTA_PYTHON or manta::Config::python");
  }
  return id;
}

void LeaseService::SetDemand(const Process& owner, const wire::SetDemand& message) {
  const Nanoseconds now = EventLoop::Now();
  Result<model::ResourceSet> resources = DecodeAmounts(message.resources());
  Result<model::ResourceSet> placement =
      message.placement() != nullptr ? DecodeAmounts(message.placement()) : resources;
  for (const auto* set : {&resources, &placement}) {
    if (!*set) return Refuse(owner.id, message.key(), set->error().message);
  }
  Result<ExecutableId> executable = ExecutableFor(owner.job, message);
  if (!executable) return Refuse(owner.id, message.key(), executable.error().message);
  Result<model::NodeConstraint> constraint = model::NodeConstraint::Parse(contracts::Text(message.nodes()));
  if (!constraint) return Refuse(owner.id, message.key(), constraint.error().message);
  const model::BundleRef bundle{{ProcessId{message.group_creator()}, message.group_serial()}, message.bundle()};
  if (bundle && message.wanted() > 0 && groups_.is_gone && groups_.is_gone(bundle.group)) {
    return Refuse(owner.id, message.key(), kGroupIsGone, true);
  }
  const DemandKey demand_key{owner.id.value, message.key()};
  const bool is_new = !demands_.contains(demand_key);
  DemandInfo& info = demands_[demand_key];
  model::Demand demand;
  demand.owner = owner.id;
  demand.key = message.key();
  demand.executable = *executable;
  demand.resources = *resources;
  demand.placement = *placement;
  demand.dedicated = message.dedicated();
  demand.wanted = std::min(message.wanted(), kMaxWanted);
  demand.bundle = bundle;
  demand.nodes = std::move(constraint).value();
  if (Result<> set = table_.SetDemand(now, demand); !set) {
    if (is_new) demands_.erase(demand_key);
    return Refuse(owner.id, message.key(), set.error().message);
  }
  const bool is_elsewhere = !demand.nodes.IsMetBy(table_.labels());
  const Nanoseconds patience = demand.nodes.fails_now() ? kAtOnce : kUnmetAfter;
  recorder_.Demand(owner.id, demand.key, demand.wanted, demand.dedicated);
  info.demand = std::move(demand);
  info.actor = {ProcessId{message.actor_creator()}, message.actor_serial()};
  info.captures = message.captures();
  if (message.actor_name() != nullptr) info.actor_name = message.actor_name()->str();
  retry_.erase(demand_key);
  const bool wants = info.demand.wanted > 0;
  if (!wants) reported_.erase(demand_key);
  if (!wants && info.held == 0) demands_.erase(demand_key);
  Pump();
  // What is more than the node has at all is told at once. Not of a node that would not do anyway: one that does may still join.
  const bool feasible =
      bundle || is_elsewhere || (table_.total().Contains(*resources) && table_.total().Contains(*placement));
  if (wants) CheckUnmetAt(is_new && !feasible ? now : now + patience);
}

void LeaseService::ReturnLease(ProcessId owner, LeaseId lease, bool unused) {
  const auto found = leases_.find(lease.value);
  if (found == leases_.end() || found->second.owner != owner) return;
  recorder_.LeaseReturned(lease, found->second.worker);
  if (Process* worker = unused ? processes_.Find(found->second.worker) : nullptr) {
    // It was to run an actor, and may run anything again.
    worker->dedicated = false;
    worker->name.clear();
  }
  Forget(lease);
  table_.ReturnLease(EventLoop::Now(), lease, unused);
  Pump();
}

void LeaseService::ActorEnded(ProcessId worker, const std::string& reason) {
  if (const auto held = by_worker_.find(worker); held != by_worker_.end()) {
    const Lease lease = leases_.at(held->second.value);
    recorder_.LeaseReturned(lease.id, worker);
    Forget(lease.id);
    wire::ActorEndedT ended;
    ended.lease = lease.id.value;
    ended.reason = reason;
    processes_.Send(lease.owner, std::move(ended));
  }
  table_.WorkerRetires(EventLoop::Now(), worker);
  Pump();
}

void LeaseService::WorkerRetiresAfterLease(ProcessId worker) {
  table_.WorkerRetiresAfterLease(EventLoop::Now(), worker);
  Pump();
}

void LeaseService::SetBlocked(ProcessId worker, bool blocked) {
  const auto lease = by_worker_.find(worker);
  if (lease == by_worker_.end()) return;
  Lease& held = leases_.at(lease->second.value);
  if (std::exchange(held.blocked, blocked) == blocked) return;
  wire::LeaseBlockedT message;
  message.lease = lease->second.value;
  message.blocked = blocked;
  processes_.Send(held.owner, std::move(message));
  if (recall_ && !held.dedicated) recall_(held.owner, worker, blocked || held.revoked);
  if (blocked) {
    table_.WorkerBlocked(EventLoop::Now(), worker);
  } else {
    table_.WorkerResumed(EventLoop::Now(), worker);
  }
  Pump();
}

std::set<ProcessId> LeaseService::ProcessGone(
    ProcessId process, const wire::CauseT& cause,
    const std::function<SlotList(ProcessId)>& slots_for) {
  const Nanoseconds now = EventLoop::Now();
  cause_ = &cause;
  slots_for_ = &slots_for;
  told_.clear();
  // What it held ends with it; its workers are stopped by the table.
  std::vector<LeaseId> held;
  for (const auto& [id, lease] : leases_) {
    if (lease.owner == process) held.push_back(lease.id);
  }
  for (LeaseId lease : held) Forget(lease);
  const DemandKey first{process.value, 0};
  const DemandKey last{process.value, UINT32_MAX};
  demands_.erase(demands_.lower_bound(first), demands_.upper_bound(last));
  reported_.erase(reported_.lower_bound(first), reported_.upper_bound(last));
  retry_.erase(retry_.lower_bound(first), retry_.upper_bound(last));
  silent_.erase(process);
  table_.WorkerGone(now, process);
  table_.RemoveOwner(now, process);
  Pump();
  cause_ = nullptr;
  slots_for_ = nullptr;
  return std::exchange(told_, {});
}

const LeaseService::Lease* LeaseService::LeaseOf(ProcessId worker) const {
  const auto lease = by_worker_.find(worker);
  return lease == by_worker_.end() ? nullptr : &leases_.at(lease->second.value);
}

void LeaseService::Forget(LeaseId id) {
  const auto found = leases_.find(id.value);
  if (found == leases_.end()) return;
  const Lease& lease = found->second;
  by_worker_.erase(lease.worker);
  const auto demand = demands_.find({lease.owner.value, lease.key});
  if (demand != demands_.end()) {
    if (demand->second.held > 0) --demand->second.held;
    if (demand->second.held == 0 && demand->second.demand.wanted == 0) demands_.erase(demand);
  }
  leases_.erase(found);
}

// ---- Actions of the table ------------------------------------------------------------------------------

void LeaseService::Pump() {
  if (pumping_) return;  // an action led to another input: the loop below sees what comes of it
  pumping_ = true;
  for (;;) {
    const std::vector<model::LeaseAction> actions = table_.TakeActions();
    if (actions.empty()) break;
    for (const auto& action : actions) {
      std::visit([this](const auto& one) { Do(one); }, action);
    }
  }
  pumping_ = false;
  const Nanoseconds deadline = table_.NextDeadline();
  if (deadline == INT64_MAX) {
    tick_.Cancel();
  } else {
    tick_.ExpireAt(deadline);
  }
}

void LeaseService::Do(const model::GrantLease& grant) {
  Process* owner = processes_.Find(grant.owner);
  Process* worker = processes_.Find(grant.worker);
  const DemandKey demand_key{grant.owner.value, grant.key};
  const auto demand = demands_.find(demand_key);
  if (owner == nullptr || worker == nullptr || !owner->page || !worker->page ||
      demand == demands_.end()) {
    table_.ReturnLease(EventLoop::Now(), grant.lease, true);
    return;
  }
  const bool dedicated = demand->second.demand.dedicated;
  const Result<uint64_t> channel = channels_.Open({owner->id, *owner->page},
                                                  {worker->id, *worker->page}, dedicated);
  if (!channel) {
    log_.warn("lease not granted owner={} reason=\"{}\"", SerialOf(owner->id),
              channel.error().message);
    wire::DemandUnmetT unmet;
    unmet.key = grant.key;
    unmet.reason = channel.error().message;
    processes_.Send(owner->id, std::move(unmet));
    // Granting would fail again at once: the table forgets the demand for a while.
    model::Demand none = demand->second.demand;
    none.wanted = 0;
    (void)table_.SetDemand(EventLoop::Now(), none);
    table_.ReturnLease(EventLoop::Now(), grant.lease, true);
    retry_.insert(demand_key);
    if (!retry_timer_.armed()) retry_timer_.ExpireAfter(kGrantRetry);
    return;
  }
  shm::ProcessPage& page = arena_.page(*worker->page);
  page.gpus.store(model::MaskOf(grant.gpus), std::memory_order_relaxed);
  page.actor_creator.store(demand->second.actor.creator.value, std::memory_order_relaxed);
  page.actor_serial.store(demand->second.actor.serial, std::memory_order_relaxed);
  const model::BundleRef& bundle = demand->second.demand.bundle;
  page.group_creator.store(bundle.group.creator.value, std::memory_order_relaxed);
  page.group_serial.store(bundle.group.serial, std::memory_order_relaxed);
  page.bundle.store(bundle.index, std::memory_order_relaxed);
  page.captures.store(bundle && demand->second.captures, std::memory_order_relaxed);
  ++demand->second.held;
  reported_.erase(demand_key);
  worker->dedicated = dedicated;
  if (!demand->second.actor_name.empty()) worker->name = demand->second.actor_name;
  Lease& lease = leases_[grant.lease.value];
  lease = {grant.lease, grant.owner, grant.worker, grant.key, dedicated, false, EventLoop::Now()};
  by_worker_[grant.worker] = grant.lease;

  recorder_.LeaseGranted(grant.lease, grant.owner, grant.worker, dedicated);
  MANTA_KILL_POINT("daemon.lease_granted");
  wire::LeaseGrantedT granted;
  granted.key = grant.key;
  granted.lease = grant.lease.value;
  granted.worker = grant.worker.value;
  granted.worker_page = *worker->page;
  granted.channel = channel.value();
  granted.pid = worker->pid;
  granted.dedicated = dedicated;
  processes_.Send(owner->id, std::move(granted));
}

void LeaseService::Do(const model::RevokeLease& revoke) {
  const auto found = leases_.find(revoke.lease.value);
  if (found != leases_.end()) {
    found->second.revoked = true;
    found->second.revoked_at = EventLoop::Now();
    if (!silence_.armed()) silence_.ExpireAfter(kSilenceLook);
    recorder_.LeaseRevoked(revoke.lease, found->second.worker);
  }
  wire::LeaseRevokedT message;
  message.lease = revoke.lease.value;
  processes_.Send(revoke.owner, std::move(message));
  if (recall_ && found != leases_.end()) recall_(revoke.owner, found->second.worker, true);
}

void LeaseService::Do(const model::StartWorkers& start) {
  if (workers_.ProgramOf(start.executable) != nullptr) return workers_.Start(start.executable, start.count);
  // Its job is over, and a worker of it that is not dead yet wants others. None will come; were they counted as starting for ever, no other
  // job could start any before long.
  const Nanoseconds now = EventLoop::Now();
  for (auto& [key, info] : demands_) {
    if (info.demand.executable != start.executable || info.demand.wanted == 0) continue;
    info.demand.wanted = 0;
    (void)table_.SetDemand(now, info.demand);
  }
  for (uint32_t i = 0; i < start.count; ++i) table_.WorkerStartFailed(now, start.executable);
}

void LeaseService::Do(const model::StopWorker& stop) {
  // What its creator's death must not end. It stays charged until it is dead, and nobody holds its lease any more.
  const Process* worker = processes_.Find(stop.worker);
  if (worker != nullptr && worker->detached && cause_ != nullptr) return;
  if (stop.keeps_objects) return workers_.Retire(stop.worker, "it is not needed any more");
  workers_.Stop(stop.worker, stop.force, stop.force ? "its owner is gone or gave it up" : "it is not needed");
}

void LeaseService::Do(const model::LeaseLost& lost) {
  const auto found = leases_.find(lost.lease.value);
  if (found == leases_.end()) return;
  recorder_.LeaseLost(lost.lease, lost.worker);
  Forget(lost.lease);
  wire::LeaseLostT message;
  message.lease = lost.lease.value;
  message.worker = lost.worker.value;
  message.cause = std::make_unique<wire::CauseT>();
  if (cause_ != nullptr) *message.cause = *cause_;
  if (slots_for_ != nullptr) {
    for (const auto& [slot, generation] : (*slots_for_)(lost.owner)) {
      message.slots.push_back(slot);
      message.generations.push_back(generation);
    }
  }
  if (processes_.Send(lost.owner, std::move(message))) told_.insert(lost.owner);
}

void LeaseService::Do(const model::BundlesReserved& reserved) {
  if (groups_.reserved) groups_.reserved(reserved.group);
}

// ---- Placement groups ----------------------------------------------------------------------------------

void LeaseService::Reserve(PlacementGroupId group, std::vector<model::BundleRequest> bundles) {
  table_.Reserve(EventLoop::Now(), group, std::move(bundles));
  Pump();
}

void LeaseService::OpenBundles(PlacementGroupId group) {
  table_.OpenBundles(EventLoop::Now(), group);
  Pump();
}

void LeaseService::ReturnBundles(PlacementGroupId group) {
  table_.ReturnBundles(EventLoop::Now(), group);
  Pump();
}

void LeaseService::RemoveGroup(PlacementGroupId group, const std::string& reason) {
  // First: what is told of its workers' end asks for others.
  std::vector<DemandKey> refused;
  for (auto& [key, info] : demands_) {
    if (info.demand.bundle.group != group || info.demand.wanted == 0) continue;
    if (info.demand.dedicated && info.held > 0) continue;  // its owner is told by the actor's death
    refused.push_back(key);
    info.demand.wanted = 0;
    (void)table_.SetDemand(EventLoop::Now(), info.demand);
  }
  for (const DemandKey& key : refused) {
    Refuse(ProcessId{key.first}, key.second, reason, true);
    reported_.erase(key);
    retry_.erase(key);
    if (const auto demand = demands_.find(key); demand != demands_.end() && demand->second.held == 0) demands_.erase(demand);
  }
  for (const ProcessId worker : table_.RemoveGroup(EventLoop::Now(), group)) {
    if (Process* process = processes_.Find(worker)) process->group_removed = process->ends_for_good = true;
    workers_.Stop(worker, true, reason);
  }
  Pump();
}

void LeaseService::RetryGrants() {
  const std::set<DemandKey> again = std::exchange(retry_, {});
  for (const DemandKey& key : again) {
    const auto found = demands_.find(key);
    if (found != demands_.end()) (void)table_.SetDemand(EventLoop::Now(), found->second.demand);
  }
  Pump();
}

// ---- Holders that do not run ---------------------------------------------------------------------------

// It runs no task, and is parked, which it is only while it sees nothing in any ring: a push would have woken it.
bool LeaseService::IsIdle(ProcessId worker) const {
  const Process* process = processes_.Find(worker);
  if (process == nullptr || !process->page) return false;
  const shm::ProcessPage& page = arena_.page(*process->page);
  return page.doorbell.parked.load(std::memory_order_acquire) != 0 && (page.activity.load(std::memory_order_relaxed) & shm::kIdle) != 0;
}

void LeaseService::LookForSilence() {
  const Nanoseconds now = EventLoop::Now();
  std::vector<std::pair<ProcessId, LeaseId>> overdue;
  bool any_revoked = false;
  for (auto& [id, lease] : leases_) {
    // An owner on the other node is its daemon's business: the ring here is that daemon's.
    if (!lease.revoked || lease.dedicated || NodeIndexOf(lease.owner) != NodeIndexOf(lease.worker)) continue;
    any_revoked = true;
    const bool was_idle = std::exchange(lease.seen_idle, IsIdle(lease.worker));
    if (was_idle && lease.seen_idle && now - lease.revoked_at >= kPatienceWithHolders) overdue.emplace_back(lease.owner, lease.id);
  }
  for (const auto& [owner, lease] : overdue) {
    log_.warn("lease ended without its holder, which does not answer owner={} lease={}", processes_.Describe(owner), lease.value);
    Silence(owner);
    ReturnLease(owner, lease);
  }
  if (any_revoked) silence_.ExpireAfter(kSilenceLook);
}

void LeaseService::Silence(ProcessId owner) {
  if (!silent_.insert(owner).second) return;
  for (auto at = demands_.lower_bound({owner.value, 0}); at != demands_.end() && at->first.first == owner.value; ++at) {
    model::Demand none = at->second.demand;
    none.wanted = 0;
    (void)table_.SetDemand(EventLoop::Now(), none);
  }
}

void LeaseService::Speaks(ProcessId owner) {
  if (silent_.erase(owner) == 0) return;
  for (auto at = demands_.lower_bound({owner.value, 0}); at != demands_.end() && at->first.first == owner.value; ++at) {
    (void)table_.SetDemand(EventLoop::Now(), at->second.demand);
  }
  Pump();
}

// ---- What waits ----------------------------------------------------------------------------------------

void LeaseService::CheckUnmetAt(Nanoseconds when) {
  if (unmet_.armed() && unmet_at_ <= when) return;
  unmet_at_ = when;
  unmet_.ExpireAt(when);
}

// Whose leases there are: " (of driver 2 (train, pid 7): 2)".
std::string LeaseService::Holders() const {
  std::map<ProcessId, uint32_t> counts;
  for (const auto& [id, lease] : leases_) ++counts[lease.owner];
  std::string text;
  size_t shown = 0;
  for (const auto& [owner, count] : counts) {
    if (++shown > kHoldersShown) {
      text += ", ...";
      break;
    }
    text += (text.empty() ? " (of " : ", of ") + processes_.Describe(owner) + ": " + std::to_string(count);
  }
  return text.empty() ? text : text + ")";
}

void LeaseService::CheckUnmet() {
  const Nanoseconds now = EventLoop::Now();
  Nanoseconds next = INT64_MAX;
  // For each owner how many, and the last one that is told.
  std::map<ProcessId, std::pair<uint32_t, std::optional<wire::DemandUnmetT>>> reports;
  std::vector<std::pair<DemandKey, std::string>> given_up;
  for (const model::UnmetDemand& unmet : table_.Unmet()) {
    const DemandKey key{unmet.owner.value, unmet.key};
    const auto demand = demands_.find(key);
    if (demand == demands_.end()) continue;
    if (demand->second.demand.nodes.fails_now() && demand->second.held == 0 && !unmet.infeasible) {
      const bool has_room = table_.available().Contains(demand->second.demand.placement);  // but no worker yet
      if (now - unmet.since >= kAtOnce && !has_room) {
        given_up.emplace_back(key, "has to run at once: " + table_.ReasonOf(unmet) + Holders());
        continue;
      }
      next = std::min(next, has_room ? now + kAtOnce : unmet.since + kAtOnce);
    }
    // Who holds some leases and wants more is busy, or stuck: it knows by itself, and is told often enough to say so in time.
    const Nanoseconds again = demand->second.held > 0 ? kUnmetAfter : kUnmetAgain;
    const auto reported = reported_.find(key);
    Nanoseconds due = unmet.infeasible ? now : unmet.since + kUnmetAfter;
    if (reported != reported_.end()) due = reported->second + again;
    if (due > now) {
      next = std::min(next, due);
      continue;
    }
    reported_[key] = now;
    next = std::min(next, now + again);
    auto& [count, last] = reports[unmet.owner];
    if (!unmet.infeasible && ++count > kMostReports) continue;
    wire::DemandUnmetT message;
    message.key = unmet.key;
    message.reason = table_.ReasonOf(unmet) + (unmet.infeasible ? "" : Holders());
    if (other_nodes_) message.reason += other_nodes_(demand->second.demand.nodes);
    message.infeasible = unmet.infeasible;
    message.waited_ms = static_cast<uint32_t>((now - unmet.since) / kMillisecond);
    if (unmet.infeasible || count < kMostReports) {
      processes_.Send(unmet.owner, std::move(message));
    } else {
      last = std::move(message);
    }
  }
  for (auto& [owner, report] : reports) {
    auto& [count, last] = report;
    if (!last) continue;
    next = std::max(next, now + kReportPause);
    if (count > kMostReports) last->reason += "; so do tasks of " + std::to_string(count - kMostReports) + " more kinds";
    processes_.Send(owner, std::move(*last));
  }
  if (next != INT64_MAX) CheckUnmetAt(next);
  for (const auto& [key, reason] : given_up) GiveUp(key, reason);
  if (!given_up.empty()) Pump();
}

}  // namespace manta::node
