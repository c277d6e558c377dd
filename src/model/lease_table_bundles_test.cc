// Placement groups in the lease table.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "model/lease_table.h"

namespace manta::model {
namespace {

constexpr Nanoseconds kMs = 1'000'000;
constexpr Nanoseconds kQuantum = 10 * kMs;
constexpr ExecutableId kPython{1};
constexpr PlacementGroupId kGroup{MakeProcessId(1, 1), 1}, kOther{MakeProcessId(1, 1), 2};

constexpr ProcessId Owner(uint32_t serial) { return MakeProcessId(1, serial); }
constexpr ProcessId Worker(uint32_t serial) { return MakeProcessId(1, 1000 + serial); }

ResourceSet Amounts(double cpus, double gpus = 0) {
  ResourceSet set;
  set.Set(kCpu, ToFixedPoint(kCpu, cpus).value());
  set.Set(kGpu, ToFixedPoint(kGpu, gpus).value());
  return set;
}

// A node with workers enough. Each input is followed by a check of the table's invariants.
class BundlesTest : public testing::Test {
 protected:
  BundlesTest() { Restart(Amounts(4, 2)); }

  void Restart(const ResourceSet& total, int workers = 8) {
    table = std::make_unique<LeaseTable>(LeaseOptions{.total = total, .quantum = kQuantum});
    for (uint32_t owner : {1, 2}) table->AddOwner(Owner(owner), JobId{owner});
    for (int i = 0; i < workers; ++i) table->WorkerReady(now, Worker(++last_worker), kPython);
    Take();
  }

  void Take() {
    table->CheckInvariants();
    for (LeaseAction& action : table->TakeActions()) {
      if (const auto* grant = std::get_if<GrantLease>(&action)) grants.push_back(*grant);
      if (const auto* revoke = std::get_if<RevokeLease>(&action)) revoked.push_back(revoke->lease);
      if (const auto* there = std::get_if<BundlesReserved>(&action)) reserved.push_back(there->group);
      if (const auto* lost = std::get_if<LeaseLost>(&action)) this->lost.push_back(lost->lease);
    }
  }
  void Reserve(PlacementGroupId group, std::vector<ResourceSet> bundles) {
    std::vector<BundleRequest> requests;
    for (const ResourceSet& bundle : bundles) requests.push_back({static_cast<uint32_t>(requests.size()), bundle});
    table->Reserve(now, group, std::move(requests));
    Take();
  }
  // Reserved and open at once.
  void Make(PlacementGroupId group, std::vector<ResourceSet> bundles) {
    Reserve(group, std::move(bundles));
    ASSERT_EQ(Reserved(), std::vector<PlacementGroupId>{group});
    table->OpenBundles(now, group);
    Take();
  }
  void Want(uint32_t owner, uint32_t key, uint32_t wanted, const ResourceSet& resources, BundleRef bundle = {}, bool actor = false) {
    const Result<> set = table->SetDemand(now, {Owner(owner), key, kPython, resources, resources, actor, wanted, bundle});
    ASSERT_TRUE(set) << set.error().message;
    Take();
  }
  void Return(LeaseId lease) {
    table->ReturnLease(now, lease);
    Take();
  }
  void Wait(Nanoseconds time) {
    now += time;
    table->Tick(now);
    Take();
  }
  std::vector<PlacementGroupId> Reserved() { return std::exchange(reserved, {}); }
  std::vector<GrantLease> Grants() { return std::exchange(grants, {}); }

  Nanoseconds now = 0;
  uint32_t last_worker = 0;
  std::unique_ptr<LeaseTable> table;
  std::vector<GrantLease> grants;
  std::vector<LeaseId> revoked, lost;
  std::vector<PlacementGroupId> reserved;
};

using Groups = std::vector<PlacementGroupId>;

TEST_F(BundlesTest, ReservesAllOrNothing) {
  Reserve(kGroup, {Amounts(2), Amounts(1, 1)});
  EXPECT_EQ(Reserved(), Groups{kGroup});
  EXPECT_EQ(table->available(), Amounts(1, 1));
  Reserve(kOther, {Amounts(1), Amounts(1)});
  EXPECT_TRUE(Reserved().empty());
  EXPECT_EQ(table->available(), Amounts(1, 1)) << "not a part of it";
  EXPECT_EQ(table->ReasonOfReservation(kOther),
            "needs {CPU: 2} but {CPU: 1} of {CPU: 4} is free; tasks, actors and other groups hold the rest");
  table->RemoveGroup(now, kGroup);
  Take();
  EXPECT_EQ(Reserved(), Groups{kOther});
  EXPECT_EQ(table->available(), Amounts(2, 2));
}

TEST_F(BundlesTest, OnlyDemandsThatNameTheGroupAreServedFromIt) {
  Make(kGroup, {Amounts(3)});
  Want(1, 0, 9, Amounts(1));
  EXPECT_EQ(Grants().size(), 1u) << "of the node's rest";
  Want(1, 1, 9, Amounts(1), {kGroup, -1});
  EXPECT_EQ(Grants().size(), 3u);
  Want(2, 0, 1, Amounts(1), {kOther, -1});
  EXPECT_TRUE(Grants().empty()) << "a group that is not there";
  EXPECT_FALSE(table->Unmet().back().infeasible);
}

TEST_F(BundlesTest, NothingIsGrantedBeforeTheGroupIsOpen) {
  Want(1, 0, 1, Amounts(1), {kGroup, -1});
  Reserve(kGroup, {Amounts(1)});
  EXPECT_TRUE(Grants().empty());
  table->OpenBundles(now, kGroup);
  Take();
  EXPECT_EQ(Grants().size(), 1u);
}

TEST_F(BundlesTest, AnIndexMeansThatBundle) {
  Make(kGroup, {Amounts(1), Amounts(2)});
  Want(1, 0, 9, Amounts(1), {kGroup, 1});
  EXPECT_EQ(Grants().size(), 2u);
  Want(1, 1, 9, Amounts(1), {kGroup, 0});
  EXPECT_EQ(Grants().size(), 1u);
  EXPECT_EQ(table->ReasonOf(table->Unmet().back()),
            "needs {CPU: 1} in bundle 0 of its placement group but {CPU: 0} of {CPU: 1} is free there");
  Want(1, 2, 1, Amounts(2), {kGroup, 0});
  EXPECT_TRUE(Grants().empty());
  EXPECT_EQ(table->RoomInBundles({kGroup, -1}, Amounts(1), true), 0u);
  EXPECT_EQ(table->RoomInBundles({kGroup, -1}, Amounts(2), false), 1u);
}

TEST_F(BundlesTest, ATaskThatNeedsNothingRunsInAFullBundle) {
  Make(kGroup, {Amounts(1)});
  Want(1, 0, 1, Amounts(1), {kGroup, 0});
  Want(1, 1, 1, {}, {kGroup, -1});
  EXPECT_EQ(Grants().size(), 2u);
}

TEST_F(BundlesTest, EachBundleHasCertainGpus) {
  Make(kGroup, {Amounts(1, 1), Amounts(1, 1)});
  Want(1, 0, 1, Amounts(1, 1), {kGroup, 1});
  Want(1, 1, 1, Amounts(1, 1), {kGroup, 0});
  std::vector<GrantLease> granted = Grants();
  ASSERT_EQ(granted.size(), 2u);
  EXPECT_EQ(granted[0].gpus, (GpuShares{{1, kResourceUnit}}));
  EXPECT_EQ(granted[1].gpus, (GpuShares{{0, kResourceUnit}}));
}

TEST_F(BundlesTest, TasksOfABundleShareItsGpu) {
  Make(kGroup, {Amounts(2, 0.5)});
  Want(1, 0, 2, Amounts(1, 0.25), {kGroup, 0});
  for (const GrantLease& grant : Grants()) EXPECT_EQ(grant.gpus, (GpuShares{{0, kResourceUnit / 4}}));
  Want(2, 0, 1, Amounts(1, 0.5));
  EXPECT_EQ(Grants().front().gpus, (GpuShares{{0, kResourceUnit / 2}})) << "the other half is the node's";
}

TEST_F(BundlesTest, LeasesAreRevokedForAReservationAtOnce) {
  Want(1, 0, 9, Amounts(1));
  const std::vector<GrantLease> held = Grants();
  ASSERT_EQ(held.size(), 4u);
  Reserve(kGroup, {Amounts(1), Amounts(1)});
  ASSERT_EQ(revoked, (std::vector<LeaseId>{held[0].lease, held[1].lease})) << "the oldest, and no more than it needs";
  Return(held[0].lease);
  EXPECT_TRUE(Grants().empty()) << "what is free is kept for the group";
  Return(held[1].lease);
  EXPECT_EQ(Reserved(), Groups{kGroup});
}

TEST_F(BundlesTest, AReservationIsNotStarvedByAStreamOfTasks) {
  Want(1, 0, 9, Amounts(1));
  Reserve(kGroup, {Amounts(4)});
  for (int i = 0; i < 20 && reserved.empty(); ++i) {
    for (const LeaseId lease : std::exchange(revoked, {})) Return(lease);
    Wait(kMs);
  }
  EXPECT_EQ(Reserved(), Groups{kGroup});
}

TEST_F(BundlesTest, OneThatActorsLeaveNoRoomForIsNotInTheWay) {
  Want(1, 1, 1, Amounts(1), {}, true);
  Grants();
  Reserve(kGroup, {Amounts(4)});
  Want(2, 0, 9, Amounts(1));
  EXPECT_EQ(Grants().size(), 3u);
  EXPECT_TRUE(revoked.empty());
  Reserve(kOther, {Amounts(0, 1)});
  EXPECT_EQ(Reserved(), Groups{kOther}) << "a later one passes";
}

TEST_F(BundlesTest, ReservationsAreServedInTheirOrder) {
  Make({Owner(1), 7}, {Amounts(3)});
  Reserve(kGroup, {Amounts(2)});
  Reserve(kOther, {Amounts(2)});
  EXPECT_TRUE(Reserved().empty());
  table->RemoveGroup(now, {Owner(1), 7});
  Take();
  EXPECT_EQ(Reserved(), (Groups{kGroup, kOther}));
}

TEST_F(BundlesTest, WhatIsGivenBackIsFree) {
  Reserve(kGroup, {Amounts(3)});
  Reserve(kOther, {Amounts(3)});
  table->ReturnBundles(now, kOther);
  Take();
  EXPECT_EQ(table->ReasonOfReservation(kOther), "");
  table->ReturnBundles(now, kGroup);
  Take();
  EXPECT_EQ(table->available(), table->total());
}

TEST_F(BundlesTest, AKilledWorkerLeavesItsBundleToTheGroup) {
  Make(kGroup, {Amounts(2)});
  Want(1, 0, 2, Amounts(1), {kGroup, 0});
  const std::vector<GrantLease> held = Grants();
  table->WorkerGone(now, held[0].worker);
  Take();
  EXPECT_EQ(table->available(), Amounts(2, 2)) << "nothing of it is the node's";
  EXPECT_EQ(Grants().size(), 1u) << "the next task of the group has it";
}

TEST_F(BundlesTest, ARemovedGroupIsTheNodesWhenItsWorkersAreDead) {
  Make(kGroup, {Amounts(2, 1)});
  Want(1, 0, 1, Amounts(1, 1), {kGroup, 0});
  Want(1, 1, 1, Amounts(1), {kGroup, 0}, true);
  const std::vector<GrantLease> held = Grants();
  ASSERT_EQ(held.size(), 2u);
  std::vector<ProcessId> doomed = table->RemoveGroup(now, kGroup);
  Take();
  EXPECT_EQ(doomed.size(), 2u);
  EXPECT_EQ(table->available(), Amounts(2, 1)) << "what they hold is not free before they are dead";
  Return(held[0].lease);
  Want(2, 0, 9, Amounts(1));
  for (const GrantLease& grant : Grants()) EXPECT_NE(grant.worker, held[0].worker) << "which is being killed";
  for (const ProcessId worker : doomed) {
    table->WorkerGone(now, worker);
    Take();
  }
  Want(1, 0, 0, Amounts(1, 1), {kGroup, 0});
  Want(1, 1, 0, Amounts(1), {kGroup, 0}, true);
  EXPECT_EQ(table->available(), Amounts(0, 2));
  EXPECT_EQ(lost.size(), 1u) << "the owner has returned the other one";
}

TEST_F(BundlesTest, FairnessHoldsWithinAGroup) {
  Make(kGroup, {Amounts(2), Amounts(2)});
  Want(1, 0, 9, Amounts(1), {kGroup, -1});
  const std::vector<GrantLease> held = Grants();
  ASSERT_EQ(held.size(), 4u);
  Want(2, 0, 1, Amounts(1), {kGroup, -1});
  Wait(kQuantum);
  ASSERT_EQ(revoked.size(), 1u);
  Return(revoked[0]);
  ASSERT_EQ(grants.size(), 1u);
  EXPECT_EQ(grants[0].owner, Owner(2));
}

TEST_F(BundlesTest, ADemandOfTheNodeTakesNothingFromAGroup) {
  Make(kGroup, {Amounts(4)});
  Want(1, 0, 9, Amounts(1), {kGroup, -1});
  Grants();
  Want(2, 0, 1, Amounts(1));
  for (int i = 0; i < 5; ++i) Wait(kQuantum);
  EXPECT_TRUE(revoked.empty());
}

TEST_F(BundlesTest, ABlockedWorkerLendsItsCpuToItsGroup) {
  Make(kGroup, {Amounts(1)});
  Want(1, 0, 1, Amounts(1), {kGroup, 0});
  const GrantLease parent = Grants().front();
  table->WorkerBlocked(now, parent.worker);
  Take();
  Want(2, 0, 9, Amounts(1), {kGroup, -1});
  EXPECT_EQ(Grants().size(), 1u);
  EXPECT_EQ(table->available(), Amounts(3, 2));
  table->WorkerResumed(now, parent.worker);
  Take();
  EXPECT_EQ(table->RoomInBundles({kGroup, -1}, Amounts(1), true), 0u);
}

}  // namespace
}  // namespace manta::model
