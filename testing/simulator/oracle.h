// What must hold in every simulated run, kept apart from the state machines under test: a second
// book.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "model/lease_table.h"
#include "model/resources.h"
#include "testing/simulator/config.h"

namespace manta::simulator {

// How a get ends.
enum class Outcome : uint8_t {
  kValue,
  kTaskError,
  kWorkerCrashed,
  kActorDied,
  kOwnerDied,
  kObjectLost,
};
const char* Name(Outcome outcome);

class Oracle {
 public:
  explicit Oracle(const Config& config) : config_(config) {}

  // The first violation is kept. Empty: none.
  void Fail(Nanoseconds now, const std::string& what);
  const std::string& violation() const { return violation_; }

  // ---- Tasks and objects

  void OnRun(Nanoseconds now, uint64_t task, uint32_t retries);
  // At the owner, as it turns from pending to ready.
  void OnResolved(Nanoseconds now, ObjectId object, Outcome outcome);
  void OnGet(Nanoseconds now, ObjectId object, Outcome outcome);
  // Something was killed: from now on references may be lost.
  void OnDeath() { somebody_died_ = true; }
  bool somebody_died() const { return somebody_died_; }

  // ---- Leases, as a node's daemon sees them

  void OnNode(uint32_t node, const model::ResourceSet& total);
  void OnNodeGone(uint32_t node) { nodes_.erase(node); }
  void OnDemand(uint32_t node, const model::Demand& demand, JobId job);
  void OnGrant(Nanoseconds now, uint32_t node, const model::GrantLease& grant);
  void OnRevoke(Nanoseconds now, uint32_t node, LeaseId lease);
  void OnBlocked(uint32_t node, ProcessId worker, bool blocked);
  // Returned. If the worker is stopped for that, before AfterReturn, then what a dedicated lease or
  // one with GPUs held is free when the worker is gone.
  void OnReturn(Nanoseconds now, uint32_t node, LeaseId lease);
  void OnStop(uint32_t node, ProcessId worker);
  void AfterReturn(uint32_t node);
  void OnWorkerGone(uint32_t node, ProcessId worker);
  // Its leases end; their workers keep what they hold until they are gone.
  void OnOwnerGone(uint32_t node, ProcessId owner);
  // From time to time: somebody waits while another has plenty?
  void CheckWaiting(Nanoseconds now, uint32_t node, const model::LeaseTable& table);

  // ---- At the end

  void CheckFairness(Nanoseconds end);
  void CheckNodeAtRest(Nanoseconds now, uint32_t node, const model::LeaseTable& table);

  uint64_t runs() const { return total_runs_; }
  uint64_t grants() const { return total_grants_; }
  uint64_t revocations() const { return total_revocations_; }

 private:
  struct Lease {
    ProcessId owner;
    uint32_t key;
    bool revoked = false;
    bool ended = false;  // but the worker is not gone yet
    Nanoseconds revoked_at = 0;
  };
  struct Returned {
    ProcessId worker;
    LeaseId id;
    Lease lease;
  };
  struct Node {
    model::ResourceSet total;
    std::map<std::pair<ProcessId, uint32_t>, model::Demand> demands;
    std::map<LeaseId, Lease> leases;
    std::map<ProcessId, LeaseId> by_worker;
    std::set<ProcessId> blocked;
    std::set<ProcessId> gone;
    std::optional<Returned> returned;
  };

  model::ResourceSet Held(const Node& node, ProcessId worker, const Lease& lease) const;
  model::ResourceSet Free(const Node& node) const;
  void CountShare(Nanoseconds now);
  bool IsPlenty(const Node& node, const model::UnmetDemand& unmet) const;

  const Config config_;
  std::string violation_;
  bool somebody_died_ = false;
  std::map<uint64_t, uint32_t> runs_;
  std::map<ObjectId, Outcome> resolved_;
  std::map<uint32_t, Node> nodes_;
  std::map<ProcessId, JobId> jobs_;
  // Fairness: lease time by owner, from when all have work.
  Nanoseconds share_from_ = 0;
  std::map<ProcessId, Nanoseconds> shares_;
  std::map<ProcessId, uint32_t> holding_;
  uint64_t total_runs_ = 0, total_grants_ = 0, total_revocations_ = 0;
};

}  // namespace manta::simulator
