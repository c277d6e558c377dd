// Placement groups in the lease table: parts of the node that are reserved, and what is granted from them.
#include <algorithm>
#include <cassert>
#include <map>
#include <utility>

#include "base/invariants.h"
#include "model/lease_table.h"

namespace manta::model {
namespace {

constexpr Invariants Require{"lease table"};

}  // namespace

// ---- Groups

BundleGroup* LeaseTable::GroupOf(PlacementGroupId id) {
  std::unique_ptr<BundleGroup>& group = groups_[id];
  if (group == nullptr) {
    group = std::make_unique<BundleGroup>();
    group->id = id;
  }
  return group.get();
}

void LeaseTable::ForgetIfUnused(BundleGroup* group) {
  if (group->lines == 0 && group->bundles.empty()) groups_.erase(PlacementGroupId(group->id));
}

ResourcePool* LeaseTable::PoolWithRoom(const WaitingLine& line) {
  ResourcePool* found = nullptr;
  ForEachPool(node_, line, [&](ResourcePool& pool) {
    if (!pool.FreeIn(round_).Contains(line.request())) return false;
    found = &pool;
    return true;
  });
  return found;
}

void LeaseTable::Keep(const WaitingLine& line, ResourceSet amount) {
  ForEachPool(node_, line, [&](ResourcePool& pool) {
    amount.Subtract(pool.FreeIn(round_).Keep(amount));
    return amount.empty();
  });
}

bool LeaseTable::Serves(const ResourcePool* pool, const WaitingLine& line) const {
  bool found = false;
  ForEachPool(node_, line, [&](const ResourcePool& one) { return found = &one == pool; });
  return found;
}

uint32_t LeaseTable::RoomInBundles(const BundleRef& ref, const ResourceSet& request, bool now) const {
  const auto group = groups_.find(ref.group);
  if (group == groups_.end()) return 0;
  uint64_t room = 0;
  for (const auto& [index, bundle] : group->second->bundles) {
    if (!bundle->open || (ref.index >= 0 && index != static_cast<uint32_t>(ref.index))) continue;
    if (now) {
      room += bundle->pool.left.Times(request, UINT32_MAX);
    } else {
      room += bundle->pool.total.Contains(request);
    }
  }
  return static_cast<uint32_t>(std::min<uint64_t>(room, UINT32_MAX));
}

// ---- Reservations

void LeaseTable::Reserve(Nanoseconds now, PlacementGroupId group, std::vector<BundleRequest> bundles) {
  Reservation reservation{group, std::move(bundles), {}};
  for (const BundleRequest& bundle : reservation.bundles) reservation.sum.Add(bundle.resources);
  reservations_.push_back(std::move(reservation));
  Schedule(now);
}

// In their order. What is free is kept for one that waits, and for none that has to wait for what nobody can take back: such a one waits
// without being in the way.
void LeaseTable::ServeReservations() {
  ResourceSet most = node_.total;
  most.Subtract(node_.bound);
  for (auto at = reservations_.begin(); at != reservations_.end();) {
    if (!most.Contains(at->sum)) {
      ++at;
      continue;
    }
    most.Subtract(at->sum);
    if (TryReserve(*at)) {
      actions_.push_back(BundlesReserved{at->group});
      at = reservations_.erase(at);
      continue;
    }
    RevokeFor(*at);
    (void)node_.FreeIn(round_).Keep(at->sum);
    ++at;
  }
}

bool LeaseTable::TryReserve(const Reservation& reservation) {
  FreeResources& free = node_.FreeIn(round_);
  if (!free.amounts.Contains(reservation.sum)) return false;
  FreeResources rest = free;
  std::vector<GpuShares> gpus;
  gpus.reserve(reservation.bundles.size());
  for (const BundleRequest& bundle : reservation.bundles) {
    if (!rest.Contains(bundle.resources)) return false;
    gpus.push_back(rest.Take(bundle.resources));
  }
  BundleGroup* group = GroupOf(reservation.group);
  for (size_t i = 0; i < reservation.bundles.size(); ++i) {
    const auto& [index, resources] = reservation.bundles[i];
    auto bundle = std::make_unique<Bundle>();
    bundle->pool.total = resources;
    bundle->pool.left = {resources, GpuUnits::Of(node_.left.gpus, gpus[i])};
    node_.left.gpus.Take(gpus[i]);
    const bool is_new = group->bundles.emplace(index, std::move(bundle)).second;
    assert(is_new);
    (void)is_new;
  }
  node_.left.amounts.Subtract(reservation.sum);
  node_.bound.Add(reservation.sum);
  free = std::move(rest);
  return true;
}

// Leases end until the reservation fits, those that were granted first.
void LeaseTable::RevokeFor(const Reservation& reservation) {
  FreeResources attainable = node_.FreeIn(round_);
  const auto add = [&](const PoolWorker& worker) {
    attainable.amounts.Add(worker.charged);
    attainable.gpus.Give(worker.gpus);
  };
  const auto fits = [&] {
    if (!attainable.amounts.Contains(reservation.sum)) return false;
    FreeResources rest = attainable;
    for (const BundleRequest& bundle : reservation.bundles) {
      if (!rest.Contains(bundle.resources)) return false;
      (void)rest.Take(bundle.resources);
    }
    return true;
  };
  for (const auto& [id, lease] : leases_) {
    if (lease.revoked && lease.worker->pool == &node_) add(*lease.worker);
  }
  if (fits()) return;
  for (auto& [id, lease] : leases_) {
    if (!lease.kept() || lease.worker->pool != &node_) continue;
    const auto& wanted = reservation.sum.amounts();
    const bool helps = std::any_of(wanted.begin(), wanted.end(), [&, &lease = lease](const auto& amount) {
      return lease.worker->charged.Get(amount.first) > 0 &&
             (attainable.amounts.Get(amount.first) < amount.second || amount.first == kGpu);
    });
    if (!helps) continue;
    Revoke(&lease);
    add(*lease.worker);
    if (fits()) return;
  }
}

void LeaseTable::OpenBundles(Nanoseconds now, PlacementGroupId id) {
  const auto group = groups_.find(id);
  if (group == groups_.end()) return;
  for (auto& [index, bundle] : group->second->bundles) bundle->open = true;
  holdings_changed_ = true;  // demands that nothing could be done for have what they wait for
  Schedule(now);
}

// Nobody is told of it any more.
void LeaseTable::ForgetReservation(PlacementGroupId id) {
  reservations_.remove_if([&](const Reservation& reservation) { return reservation.group == id; });
  std::erase(actions_, LeaseAction(BundlesReserved{id}));
}

void LeaseTable::ReturnBundles(Nanoseconds now, PlacementGroupId id) {
  ForgetReservation(id);
  if (const auto found = groups_.find(id); found != groups_.end()) {
    std::erase_if(found->second->bundles, [&](const auto& entry) {
      if (entry.second->open) return false;
      CloseBundle(*entry.second);
      return true;
    });
    ForgetIfUnused(found->second.get());
  }
  Schedule(now);
}

std::vector<ProcessId> LeaseTable::RemoveGroup(Nanoseconds now, PlacementGroupId id) {
  std::vector<ProcessId> doomed;
  ForgetReservation(id);
  if (const auto found = groups_.find(id); found != groups_.end()) {
    std::map<const ResourcePool*, Bundle*> pools;
    for (const auto& [index, bundle] : found->second->bundles) pools.emplace(&bundle->pool, bundle.get());
    // What they are charged becomes the node's.
    for (const auto& [process, known] : pool_.workers()) {
      if (!pools.contains(known.pool)) continue;
      PoolWorker* worker = pool_.Find(process);
      worker->pool = &node_;
      if (IsBound(*worker)) node_.bound.Add(worker->charged);
      if (worker->state != PoolWorker::State::kLeased) continue;
      worker->doomed = true;
      doomed.push_back(process);
    }
    for (const auto& [pool, bundle] : pools) CloseBundle(*bundle);
    found->second->bundles.clear();
    ForgetIfUnused(found->second.get());
    holdings_changed_ = true;
  }
  std::sort(doomed.begin(), doomed.end());
  Schedule(now);
  return doomed;
}

// What is left of it is free again.
void LeaseTable::CloseBundle(const Bundle& bundle) {
  node_.left.amounts.Add(bundle.pool.left.amounts);
  node_.left.gpus.Give(bundle.pool.left.gpus.FreeShares());
  node_.bound.Subtract(bundle.pool.total);
}

// ---- What others see

std::string LeaseTable::ReasonOfReservation(PlacementGroupId group) const {
  const auto found = std::find_if(reservations_.begin(), reservations_.end(), [&](const Reservation& one) { return one.group == group; });
  if (found == reservations_.end()) return "";
  const std::string needs = "needs " + found->sum.ToString();
  ResourceSet lacking;
  for (const auto& [name, amount] : found->sum.amounts()) {
    if (node_.left.amounts.Get(name) < amount) lacking.Set(name, amount);
  }
  if (lacking.empty()) return needs + "; what is free is kept for groups that wait longer, or is parts of several GPUs";
  return needs + " but " + available().ToString(lacking) + " of " + node_.total.ToString(lacking) +
         " is free; tasks, actors and other groups hold the rest";
}

// ---- Invariants

void LeaseTable::CheckPools() const {
  std::map<const ResourcePool*, ResourceSet> charged, bound;
  for (const auto& [id, worker] : pool_.workers()) {
    if (worker.charged.empty()) continue;
    charged[worker.pool].Add(worker.charged);
    if (worker.state == PoolWorker::State::kLeased && leases_.at(worker.lease).dedicated()) bound[worker.pool].Add(worker.charged);
  }
  const auto check = [&](const ResourcePool& pool) {
    ResourceSet left = pool.total;
    left.Subtract(charged[&pool]);
    Require(bound[&pool] == pool.bound, "what dedicated leases and bundles hold is not what is bound");
    Require(left.Get(kGpu) == pool.left.gpus.free(), "the GPUs do not add up");
    Require(left == pool.left.amounts, "what is charged and what is available do not make the total");
    charged.erase(&pool);
  };
  for (const auto& [id, group] : groups_) {
    Require(group->lines > 0 || !group->bundles.empty(), "a group without lines and bundles is remembered");
    for (const auto& [index, bundle] : group->bundles) {
      check(bundle->pool);
      charged[&node_].Add(bundle->pool.total);
      bound[&node_].Add(bundle->pool.total);
    }
  }
  check(node_);
  Require(charged.empty(), "a worker is charged to what is not there");
}

}  // namespace manta::model
