#include "testing/simulator/oracle.h"

#include <algorithm>

namespace manta::simulator {

const char* Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kValue:
      return "value";
    case Outcome::kTaskError:
      return "task error";
    case Outcome::kWorkerCrashed:
      return "worker crashed";
    case Outcome::kActorDied:
      return "actor died";
    case Outcome::kOwnerDied:
      return "owner died";
    case Outcome::kObjectLost:
      return "object lost";
  }
  return "?";
}

void Oracle::Fail(Nanoseconds now, const std::string& what) {
  if (!violation_.empty()) return;
  violation_ = "at " + std::to_string(now / kMicrosecond) + " us: " + what;
}

// ---- Tasks and objects

void Oracle::OnRun(Nanoseconds now, uint64_t task, uint32_t retries) {
  ++total_runs_;
  const uint32_t runs = ++runs_[task];
  if (runs <= 1 + retries) return;
  Fail(now, "task " + std::to_string(task) + " runs for the " + std::to_string(runs) +
                "th time, with " + std::to_string(retries) + " retries");
}

void Oracle::OnResolved(Nanoseconds now, ObjectId object, Outcome outcome) {
  if (!resolved_.emplace(object, outcome).second) Fail(now, Hex(object) + " is resolved twice");
}

void Oracle::OnGet(Nanoseconds now, ObjectId object, Outcome outcome) {
  const bool blames_a_death = outcome != Outcome::kValue && outcome != Outcome::kTaskError;
  if (blames_a_death && !somebody_died_) {
    Fail(now, "a get of " + Hex(object) + " ends with " + Name(outcome) + ", but nobody died");
  }
  const auto resolved = resolved_.find(object);
  if (outcome == Outcome::kValue &&
      (resolved == resolved_.end() || resolved->second != Outcome::kValue)) {
    Fail(now, "a get of " + Hex(object) + " has a value that its owner has not");
  }
}

// ---- Leases

void Oracle::OnNode(uint32_t node, const model::ResourceSet& total) { nodes_[node].total = total; }

void Oracle::OnDemand(uint32_t node, const model::Demand& demand, JobId job) {
  nodes_.at(node).demands[{demand.owner, demand.key}] = demand;
  jobs_[demand.owner] = job;
}

model::ResourceSet Oracle::Held(const Node& node, ProcessId worker, const Lease& lease) const {
  const auto demand = node.demands.find({lease.owner, lease.key});
  model::ResourceSet held = demand->second.resources;
  if (node.blocked.contains(worker)) held.Set(model::kCpu, 0);
  return held;
}

model::ResourceSet Oracle::Free(const Node& node) const {
  model::ResourceSet free = node.total;
  for (const auto& [worker, id] : node.by_worker) {
    free.Subtract(Held(node, worker, node.leases.at(id)));
  }
  return free;
}

void Oracle::OnGrant(Nanoseconds now, uint32_t index, const model::GrantLease& grant) {
  ++total_grants_;
  Node& node = nodes_.at(index);
  // Granted and lost in one step: a table that is told of an owner's end first does not know yet that it has been a worker, too.
  if (node.gone.contains(grant.worker)) return;
  const model::Demand& demand = node.demands.at({grant.owner, grant.key});
  if (node.by_worker.contains(grant.worker)) {
    Fail(now, "worker " + Hex(grant.worker.value) + " is leased twice");
  }
  // Only who resumes may take what is not there.
  const model::ResourceSet free = Free(node);
  if (!free.Contains(demand.resources)) {
    Fail(now, "granted " + demand.resources.ToString() + " of " + free.ToString());
  }
  node.leases[grant.lease] = {grant.owner, grant.key};
  node.by_worker[grant.worker] = grant.lease;
  node.blocked.erase(grant.worker);
  CountShare(now);
  ++holding_[grant.owner];
}

void Oracle::OnRevoke(Nanoseconds now, uint32_t index, LeaseId id) {
  ++total_revocations_;
  Node& node = nodes_.at(index);
  const auto found = node.leases.find(id);
  if (found == node.leases.end()) return Fail(now, "revoked an unknown lease");
  Lease& lease = found->second;
  if (lease.revoked) Fail(now, "lease " + Hex(id.value) + " is revoked twice");
  if (node.demands.at({lease.owner, lease.key}).dedicated) Fail(now, "revoked an actor's lease");
  lease.revoked = true;
  lease.revoked_at = now;
}

void Oracle::OnBlocked(uint32_t index, ProcessId worker, bool blocked) {
  Node& node = nodes_.at(index);
  const auto lease = node.by_worker.find(worker);
  if (lease == node.by_worker.end() || node.leases.at(lease->second).ended) return;
  if (blocked) {
    node.blocked.insert(worker);
  } else {
    node.blocked.erase(worker);
  }
}

void Oracle::OnReturn(Nanoseconds now, uint32_t index, LeaseId id) {
  Node& node = nodes_.at(index);
  const auto found = node.leases.find(id);
  if (found == node.leases.end() || found->second.ended) return;
  CountShare(now);
  --holding_[found->second.owner];
  if (config_.fairness && found->second.revoked &&
      now - found->second.revoked_at > 2 * config_.duration + 10 * config_.delay) {
    Fail(now, "a revoked lease came back after more than a task");
  }
  const auto worker = std::find_if(node.by_worker.begin(), node.by_worker.end(),
                                   [id](const auto& entry) { return entry.second == id; });
  // An actor's process stays charged until it is dead.
  if (node.demands.at({found->second.owner, found->second.key}).dedicated) {
    node.returned = {worker->first, id, found->second};
  }
  node.by_worker.erase(worker);
  node.leases.erase(found);
}

void Oracle::OnStop(uint32_t index, ProcessId worker) {
  Node& node = nodes_.at(index);
  if (!node.returned || node.returned->worker != worker) return;
  node.by_worker[worker] = node.returned->id;
  Lease& lease = node.leases[node.returned->id] = node.returned->lease;
  lease.ended = true;
}

void Oracle::AfterReturn(uint32_t index) { nodes_.at(index).returned.reset(); }

void Oracle::OnWorkerGone(uint32_t index, ProcessId worker) {
  Node& node = nodes_.at(index);
  node.gone.insert(worker);
  const auto lease = node.by_worker.find(worker);
  if (lease == node.by_worker.end()) return;
  node.leases.erase(lease->second);
  node.by_worker.erase(lease);
  node.blocked.erase(worker);
}

void Oracle::OnOwnerGone(uint32_t index, ProcessId owner) {
  Node& node = nodes_.at(index);
  for (auto& [id, lease] : node.leases) {
    if (lease.owner == owner) lease.ended = true;
  }
}

void Oracle::CheckWaiting(Nanoseconds now, uint32_t index, const model::LeaseTable& table) {
  const auto node = nodes_.find(index);
  if (node == nodes_.end()) return;
  // A revocation that is under way may be for anybody who waits.
  for (const auto& [id, lease] : node->second.leases) {
    if (lease.revoked && !lease.ended) return;
  }
  // Workers of other executables may have to start before, a few at a time.
  const Nanoseconds longest = 3 * config_.quantum + 10 * kMillisecond;
  for (const model::UnmetDemand& unmet : table.Unmet()) {
    if (unmet.infeasible || now - unmet.since <= longest) continue;
    if (!IsPlenty(node->second, unmet)) continue;
    Fail(now, "owner " + Hex(unmet.owner.value) + " has waited for " +
                  std::to_string((now - unmet.since) / kMicrosecond) +
                  " us, while another owner holds more than one lease of the same kind: " +
                  table.ReasonOf(unmet));
  }
}

// Whether the demand lacks resources, its job holds nothing, and an owner of another job holds two
// leases or more of the very kind.
bool Oracle::IsPlenty(const Node& node, const model::UnmetDemand& unmet) const {
  const model::Demand& demand = node.demands.at({unmet.owner, unmet.key});
  if (Free(node).Contains(demand.resources)) return false;
  std::map<ProcessId, uint32_t> same;
  for (const auto& [worker, id] : node.by_worker) {
    const Lease& lease = node.leases.at(id);
    if (lease.ended) continue;
    if (jobs_.at(lease.owner) == jobs_.at(unmet.owner)) return false;
    const model::Demand& other = node.demands.at({lease.owner, lease.key});
    if (other.dedicated || node.blocked.contains(worker)) continue;
    if (other.resources == demand.resources) ++same[lease.owner];
  }
  return std::any_of(same.begin(), same.end(), [](const auto& entry) { return entry.second > 1; });
}

// ---- At the end

void Oracle::CountShare(Nanoseconds now) {
  for (const auto& [owner, leases] : holding_) shares_[owner] += leases * (now - share_from_);
  share_from_ = now;
}

void Oracle::CheckFairness(Nanoseconds end) {
  CountShare(end);
  Nanoseconds least = model::kNever, most = 0;
  for (const auto& [owner, share] : shares_) {
    least = std::min(least, share);
    most = std::max(most, share);
  }
  // Leases are indivisible, and one changes hands a quantum and a task at a time.
  const double bound = 1.35;
  if (shares_.size() < config_.drivers || most > bound * least) {
    std::string text;
    for (const auto& [owner, share] : shares_) text += " " + std::to_string(share / kMicrosecond);
    Fail(end, "unfair shares of lease time (us):" + text);
  }
}

void Oracle::CheckNodeAtRest(Nanoseconds now, uint32_t index, const model::LeaseTable& table) {
  if (!table.Unmet().empty()) Fail(now, "a demand is left: " + table.ReasonOf(table.Unmet()[0]));
  if (table.available() != table.total()) {
    Fail(now, "all is over, but of " + table.total().ToString() + " only " +
                  table.available().ToString() + " is free");
  }
  for (const auto& [worker, lease] : nodes_.at(index).by_worker) {
    Fail(now, "lease " + Hex(lease.value) + " of worker " + Hex(worker.value) + " is left");
  }
}

}  // namespace manta::simulator
