#include "model/lease_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>

namespace manta::model {
namespace {

constexpr Nanoseconds kMs = 1'000'000;
constexpr Nanoseconds kQuantum = 10 * kMs;
constexpr ExecutableId kPython{1}, kNative{2};

constexpr ProcessId Owner(uint32_t serial) { return MakeProcessId(1, serial); }
constexpr ProcessId Worker(uint32_t serial) { return MakeProcessId(1, 1000 + serial); }

ResourceSet Cpus(double count) {
  ResourceSet set;
  set.Set(kCpu, ToFixedPoint(kCpu, count).value());
  return set;
}

ResourceSet CpusAndGpus(double cpus, double gpus) {
  ResourceSet set = Cpus(cpus);
  set.Set(kGpu, ToFixedPoint(kGpu, gpus).value());
  return set;
}

// A node whose starts succeed when the test says so. Each input is followed by a check of the
// table's invariants.
class LeaseTableTest : public testing::Test {
 protected:
  LeaseTableTest() { Restart({.total = CpusAndGpus(2, 1), .quantum = kQuantum}); }

  void Restart(LeaseOptions options) {
    table_ = std::make_unique<LeaseTable>(options);
    actions_.clear();
  }

  LeaseTable& table() { return *table_; }

  void Take() {
    table_->CheckInvariants();
    for (LeaseAction& action : table_->TakeActions()) actions_.push_back(std::move(action));
  }

  void Idle(int count, ExecutableId executable = kPython) {
    for (int i = 0; i < count; ++i) table_->WorkerReady(now_, Worker(++workers_), executable);
    Take();
  }

  void Want(ProcessId owner, uint32_t wanted, const ResourceSet& resources = Cpus(1),
            uint32_t key = 0, ExecutableId executable = kPython) {
    Declare({owner, key, executable, resources, resources, false, wanted});
  }

  void WantActor(ProcessId owner, uint32_t key) {
    Declare({owner, key, kPython, {}, Cpus(1), true, 1});
  }

  void Declare(const Demand& demand) {
    const Result<> result = table_->SetDemand(now_, demand);
    ASSERT_TRUE(result) << result.error().message;
    Take();
  }

  void Wait(Nanoseconds time) {
    now_ += time;
    table_->Tick(now_);
    Take();
  }

  void Return(LeaseId lease, bool unused = false) {
    table_->ReturnLease(now_, lease, unused);
    Take();
  }

  // The actions of one kind since the last call for this kind.
  template <class Action>
  std::vector<Action> Taken() {
    std::vector<Action> taken;
    std::erase_if(actions_, [&](const LeaseAction& action) {
      if (const Action* match = std::get_if<Action>(&action)) taken.push_back(*match);
      return std::holds_alternative<Action>(action);
    });
    return taken;
  }

  std::vector<ProcessId> Grantees() {
    std::vector<ProcessId> owners;
    for (const GrantLease& grant : Taken<GrantLease>()) owners.push_back(grant.owner);
    return owners;
  }

  GrantLease OneGrant() {
    const std::vector<GrantLease> grants = Taken<GrantLease>();
    EXPECT_EQ(grants.size(), 1u);
    return grants.empty() ? GrantLease{} : grants.front();
  }

  Nanoseconds now_ = 0;
  uint32_t workers_ = 0;
  std::unique_ptr<LeaseTable> table_;
  std::vector<LeaseAction> actions_;
};

using Owners = std::vector<ProcessId>;

// ---- GPUs

TEST_F(LeaseTableTest, AGrantNamesItsGpus) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Declare({Owner(1), 0, kPython, CpusAndGpus(1, 0.5), CpusAndGpus(1, 0.5), false, 1});
  EXPECT_EQ(OneGrant().gpus, (GpuShares{{0, kResourceUnit / 2}}));
}

TEST_F(LeaseTableTest, AWorkerThatHadGpusEndsWithItsLease) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Declare({Owner(1), 0, kPython, CpusAndGpus(1, 1), CpusAndGpus(1, 1), false, 1});
  const GrantLease grant = OneGrant();
  Declare({Owner(1), 0, kPython, CpusAndGpus(1, 1), CpusAndGpus(1, 1), false, 0});
  Return(grant.lease);
  EXPECT_EQ(Taken<StopWorker>(), (std::vector<StopWorker>{{grant.worker, false, true}}));
  EXPECT_EQ(table().available(), table().total());
  Declare({Owner(1), 0, kPython, CpusAndGpus(1, 1), CpusAndGpus(1, 1), false, 1});
  EXPECT_TRUE(Taken<GrantLease>().empty()) << "it is not used again";
  EXPECT_EQ(Taken<StartWorkers>().size(), 1u);
}

TEST_F(LeaseTableTest, RefusesMoreThanOneGpuThatAreNoWholeNumber) {
  table().AddOwner(Owner(1), JobId{1});
  EXPECT_FALSE(table().SetDemand(
      0, {Owner(1), 0, kPython, CpusAndGpus(1, 1.5), CpusAndGpus(1, 1.5), false, 1}));
}

// ---- Granting

TEST_F(LeaseTableTest, GrantsAsManyAsResourcesAllow) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(3);
  Want(Owner(1), 5);
  EXPECT_EQ(Grantees(), Owners({Owner(1), Owner(1)}));
  EXPECT_EQ(table().available(), CpusAndGpus(0, 1));
}

TEST_F(LeaseTableTest, ADemandIsALevelThatMayBeRepeated) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(2);
  Want(Owner(1), 1);
  Want(Owner(1), 1);
  EXPECT_EQ(Grantees().size(), 1u);
  Want(Owner(1), 2);
  EXPECT_EQ(Grantees().size(), 1u);
}

TEST_F(LeaseTableTest, AReturnedLeaseGoesToWhoeverWaits) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{1});
  Idle(2);
  Want(Owner(1), 2);
  const GrantLease first = Taken<GrantLease>().front();
  Want(Owner(2), 1);
  EXPECT_TRUE(Grantees().empty());
  Want(Owner(1), 1);
  Return(first.lease);
  const GrantLease next = OneGrant();
  EXPECT_EQ(next.owner, Owner(2));
  EXPECT_EQ(next.worker, first.worker);
}

TEST_F(LeaseTableTest, StaleReturnsAreIgnored) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Want(Owner(1), 1);
  const LeaseId lease = OneGrant().lease;
  Want(Owner(1), 0);
  Return(lease);
  Return(lease);
  Return(LeaseId{77});
  EXPECT_EQ(table().available(), table().total());
}

TEST_F(LeaseTableTest, SmallDemandsPassAGreatOneForAQuantumOnly) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(3);
  Want(Owner(1), 9);
  Want(Owner(2), 1, Cpus(2));
  std::vector<GrantLease> held = Taken<GrantLease>();
  Return(held[0].lease);
  ASSERT_EQ(Grantees(), Owners({Owner(1)})) << "half of what it needs is no use to owner 2 yet";

  Wait(kQuantum);
  ASSERT_EQ(Taken<RevokeLease>().size(), 1u);
  Return(held[1].lease);
  EXPECT_TRUE(Grantees().empty()) << "what came back for its sake is kept for owner 2";
  Wait(kQuantum);
  const std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  Return(revoked[0].lease);
  EXPECT_EQ(Grantees(), Owners({Owner(2)}));
}

TEST_F(LeaseTableTest, TwoGreatDemandsDoNotHoldWhatTheOtherNeeds) {
  for (uint32_t owner : {1, 2, 3}) table().AddOwner(Owner(owner), JobId{owner});
  Idle(3);
  Want(Owner(1), 2);
  Want(Owner(2), 1, Cpus(2));
  Want(Owner(3), 1, Cpus(2));
  Taken<GrantLease>();
  Wait(kQuantum);
  Want(Owner(1), 0);
  for (const RevokeLease& revoked : Taken<RevokeLease>()) Return(revoked.lease);
  EXPECT_EQ(Grantees(), Owners({Owner(2)}));
}

TEST_F(LeaseTableTest, AnActorWithoutResourcesNeedsAPlace) {
  Restart({.total = Cpus(1), .quantum = kQuantum});
  table().AddOwner(Owner(1), JobId{1});
  Idle(4);
  WantActor(Owner(1), 1);
  WantActor(Owner(1), 2);
  EXPECT_EQ(Grantees().size(), 2u) << "each of them had a CPU to be placed on";
  Want(Owner(1), 1, Cpus(1), 3);
  const LeaseId task = OneGrant().lease;
  WantActor(Owner(1), 4);
  EXPECT_TRUE(Grantees().empty()) << "a worker idles, but no CPU is free";
  Want(Owner(1), 0, Cpus(1), 3);
  Return(task);
  EXPECT_EQ(OneGrant().key, 4u);
}

// ---- Fairness

TEST_F(LeaseTableTest, TheOwnerWithFewestLeasesComesFirst) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{1});
  Want(Owner(1), 2);
  Want(Owner(2), 2);
  Idle(2);
  EXPECT_EQ(Grantees(), Owners({Owner(1), Owner(2)}));
}

TEST_F(LeaseTableTest, TheJobWithFewestLeasesComesFirst) {
  Restart({.total = Cpus(4), .quantum = kQuantum});
  for (uint32_t owner : {1, 2, 3}) table().AddOwner(Owner(owner), JobId{1});
  table().AddOwner(Owner(4), JobId{2});
  for (uint32_t owner : {1, 2, 3, 4}) Want(Owner(owner), 4);
  Idle(4);
  EXPECT_EQ(Grantees(), Owners({Owner(1), Owner(4), Owner(2), Owner(4)}));
}

TEST_F(LeaseTableTest, AJobDoesNotInheritTheWaitOfADemandThatWasGivenUp) {
  Restart({.total = Cpus(1), .quantum = 1000 * kQuantum});
  for (uint32_t owner : {1, 2}) table().AddOwner(Owner(owner), JobId{1});
  table().AddOwner(Owner(3), JobId{2});
  table().AddOwner(Owner(4), JobId{3});
  Idle(1);
  Want(Owner(4), 1);
  const LeaseId held = OneGrant().lease;
  for (uint32_t owner : {1, 3, 2}) {
    Wait(kMs);
    Want(Owner(owner), 1);
  }
  Want(Owner(1), 0);
  Want(Owner(4), 0);
  Return(held);
  EXPECT_EQ(Grantees(), Owners({Owner(3)})) << "owner 2 of the other job came later";
}

TEST_F(LeaseTableTest, AmongEqualsTheLongestWaitDecides) {
  Restart({.total = Cpus(1), .quantum = kQuantum});
  for (uint32_t owner : {1, 2, 3}) table().AddOwner(Owner(owner), JobId{1});
  Idle(1);
  Want(Owner(1), 1);
  const LeaseId held = OneGrant().lease;
  Wait(kMs);
  Want(Owner(3), 1);
  Wait(kMs);
  Want(Owner(2), 1);
  Want(Owner(1), 0);
  Return(held);
  EXPECT_EQ(Grantees(), Owners({Owner(3)}));
}

TEST_F(LeaseTableTest, ALeaseIsRevokedAfterAQuantum) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(2);
  Want(Owner(1), 2);
  const std::vector<GrantLease> held = Taken<GrantLease>();
  Wait(kMs);
  Want(Owner(2), 1);
  EXPECT_EQ(table().NextDeadline(), now_ + kQuantum);
  Wait(kQuantum - 1);
  EXPECT_TRUE(Taken<RevokeLease>().empty());
  Wait(1);
  const std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_EQ(revoked[0], (RevokeLease{held[0].lease, Owner(1)})) << "the oldest";
  EXPECT_TRUE(Grantees().empty()) << "the holder finishes its task first";
  Return(revoked[0].lease);
  EXPECT_EQ(Grantees(), Owners({Owner(2)}));
}

TEST_F(LeaseTableTest, ALeaseIsRevokedOnceAndOneIsEnough) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(2);
  Want(Owner(1), 2);
  Want(Owner(2), 1);
  for (int i = 0; i < 10; ++i) Wait(kQuantum);
  EXPECT_EQ(Taken<RevokeLease>().size(), 1u) << "what owner 2 needs is on its way";
}

TEST_F(LeaseTableTest, EqualSharesAreNotTraded) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Want(Owner(1), 2);
  Want(Owner(2), 2);
  Idle(2);
  for (int i = 0; i < 10; ++i) Wait(kQuantum);
  EXPECT_TRUE(Taken<RevokeLease>().empty());
}

TEST_F(LeaseTableTest, ATableWhereNothingChangesNeedsNoTicks) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(2);
  Want(Owner(1), 100);
  for (int i = 0; i < 3; ++i) Wait(kQuantum);
  EXPECT_EQ(table().NextDeadline(), kNever);
}

TEST_F(LeaseTableTest, ActorsAreNeverRevoked) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(2);
  Declare({Owner(1), 1, kPython, Cpus(2), Cpus(2), true, 1});
  Want(Owner(2), 1);
  for (int i = 0; i < 5; ++i) Wait(kQuantum);
  EXPECT_TRUE(Taken<RevokeLease>().empty());
}

TEST_F(LeaseTableTest, NothingIsRevokedForADemandThatActorsLeaveNoRoomFor) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(2);
  Declare({Owner(2), 1, kPython, Cpus(1), Cpus(1), true, 1});
  Want(Owner(1), 1);
  Want(Owner(2), 1, Cpus(2));
  for (int i = 0; i < 5; ++i) Wait(kQuantum);
  EXPECT_TRUE(Taken<RevokeLease>().empty());
}

TEST_F(LeaseTableTest, WhatIsKeptForADemandIsFreedWhenAnActorTakesItsRoom) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(3);
  Declare({Owner(2), 1, kPython, Cpus(1), Cpus(1), true, 1});
  const GrantLease actor = OneGrant();
  table().WorkerBlocked(now_, actor.worker);
  Want(Owner(1), 2);
  const std::vector<GrantLease> held = Taken<GrantLease>();
  Want(Owner(2), 1, Cpus(2));
  Wait(kQuantum);
  for (const RevokeLease& revoked : Taken<RevokeLease>()) Return(revoked.lease);
  ASSERT_TRUE(Grantees().empty()) << "one CPU is kept for the one that needs two";

  table().WorkerResumed(now_, actor.worker);
  Take();
  for (const GrantLease& grant : held) Return(grant.lease);
  EXPECT_EQ(Grantees(), Owners({Owner(1)})) << "owner 2 would keep it for as long as the actor lives";
}

TEST_F(LeaseTableTest, OddLeasesChangeHandsEvenly) {
  Restart({.total = Cpus(3), .quantum = kQuantum});
  for (uint32_t owner : {1, 2}) table().AddOwner(Owner(owner), JobId{owner});
  Idle(3);
  std::map<ProcessId, int> held;
  Want(Owner(1), 9);
  Wait(kMs);
  Want(Owner(2), 9);
  std::map<ProcessId, Nanoseconds> shares;
  for (Nanoseconds end = now_ + 100 * kQuantum; now_ < end; Wait(kMs)) {
    // Who is asked to gives the lease back a millisecond later.
    for (const RevokeLease& revoked : Taken<RevokeLease>()) {
      Wait(kMs);
      --held[revoked.owner];
      Return(revoked.lease);
    }
    for (const GrantLease& grant : Taken<GrantLease>()) ++held[grant.owner];
    for (const auto& [owner, leases] : held) shares[owner] += leases;
  }
  EXPECT_LT(std::abs(shares[Owner(1)] - shares[Owner(2)]), shares[Owner(1)] / 10);
}

TEST_F(LeaseTableTest, EqualHoldersTakeTurnsAtGivingUp) {
  for (const bool one_job : {false, true}) {
    Restart({.total = Cpus(5), .quantum = kQuantum});
    for (uint32_t owner : {1, 2, 3}) table().AddOwner(Owner(owner), JobId{one_job ? 1 : owner});
    for (uint32_t owner : {1, 2, 3}) Want(Owner(owner), 9);
    Idle(5);
    std::map<ProcessId, int> gave_up;
    for (int i = 0; i < 30; ++i) {
      Wait(kQuantum);
      for (const RevokeLease& revoked : Taken<RevokeLease>()) {
        ++gave_up[revoked.owner];
        Return(revoked.lease);
      }
    }
    for (uint32_t owner : {1, 2, 3}) EXPECT_EQ(gave_up[Owner(owner)], 20) << "owner " << owner;
  }
}

TEST_F(LeaseTableTest, OnlyALeaseThatHelpsIsRevoked) {
  for (uint32_t owner : {1, 2, 3}) table().AddOwner(Owner(owner), JobId{owner});
  Idle(3);
  Want(Owner(1), 2);
  Want(Owner(2), 1, CpusAndGpus(0, 1));
  const LeaseId gpu = Taken<GrantLease>().back().lease;
  Want(Owner(3), 1, CpusAndGpus(0, 1));
  Wait(kQuantum);
  const std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_EQ(revoked[0].lease, gpu) << "owner 1 holds more, but no GPU";
}

TEST_F(LeaseTableTest, AnOwnersKeysTakeTurns) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(2);
  Want(Owner(1), 100, Cpus(1), 1);
  Want(Owner(1), 1, Cpus(0.5), 2);
  Wait(kQuantum);
  const std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  Taken<GrantLease>();
  Return(revoked[0].lease);
  EXPECT_EQ(OneGrant().key, 2u);
}

TEST_F(LeaseTableTest, EqualSharesOfAnOwnersKeysAreNotTraded) {
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 1, Cpus(1), 1);
  Want(Owner(1), 1, Cpus(1), 2);
  Idle(2);
  Want(Owner(1), 9, Cpus(1), 1);
  Want(Owner(1), 9, Cpus(1), 2);
  for (int i = 0; i < 10; ++i) Wait(kQuantum);
  EXPECT_TRUE(Taken<RevokeLease>().empty());
}

TEST_F(LeaseTableTest, AWorkerStartsWhileTheRevokedLeaseEnds) {
  for (const bool idles : {false, true}) {
    Restart({.total = Cpus(2), .quantum = kQuantum});
    for (uint32_t owner : {1, 2}) table().AddOwner(Owner(owner), JobId{owner});
    Idle(2);
    if (idles) Idle(1, kNative);
    Want(Owner(1), 2);
    Want(Owner(2), 1, Cpus(1), 0, kNative);
    EXPECT_TRUE(Taken<StartWorkers>().empty()) << "there is no room for it";
    Wait(kQuantum);
    EXPECT_EQ(Taken<RevokeLease>().size(), 1u);
    EXPECT_EQ(Taken<StartWorkers>(), idles ? std::vector<StartWorkers>() : std::vector({StartWorkers{kNative, 1}}));
  }
}

TEST_F(LeaseTableTest, OneWorkerStartsAheadAtATime) {
  Restart({.total = Cpus(4), .quantum = kQuantum});
  for (uint32_t owner : {1, 2}) table().AddOwner(Owner(owner), JobId{owner});
  Idle(4);
  Want(Owner(1), 4);
  Want(Owner(2), 2, Cpus(1), 0, kNative);
  for (int i = 0; i < 2; ++i) Wait(kQuantum);
  EXPECT_EQ(Taken<RevokeLease>().size(), 2u);
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kNative, 1}}));
}

// ---- Blocking

TEST_F(LeaseTableTest, ABlockedWorkerLendsItsCpuOnly) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{1});
  Idle(3);
  Want(Owner(1), 1, CpusAndGpus(2, 1));
  const GrantLease parent = OneGrant();
  Want(Owner(2), 1, Cpus(2));
  table().WorkerBlocked(now_, parent.worker);
  Take();
  EXPECT_EQ(Grantees(), Owners({Owner(2)}));
  EXPECT_EQ(table().available().Get(kGpu), 0);
}

TEST_F(LeaseTableTest, BlockingTwiceLendsOnce) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Want(Owner(1), 1);
  const GrantLease lease = OneGrant();
  for (int i = 0; i < 2; ++i) table().WorkerBlocked(now_, lease.worker);
  Take();
  EXPECT_EQ(table().available(), table().total());
  for (int i = 0; i < 2; ++i) table().WorkerResumed(now_, lease.worker);
  Take();
  EXPECT_EQ(table().available().Get(kCpu), kResourceUnit);
}

TEST_F(LeaseTableTest, ResumingGoesBeforeGranting) {
  Restart({.total = Cpus(1), .quantum = kQuantum});
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{1});
  Idle(2);
  Want(Owner(1), 1);
  const GrantLease parent = OneGrant();
  Want(Owner(2), 2);
  table().WorkerBlocked(now_, parent.worker);
  Take();
  const GrantLease child = OneGrant();
  table().WorkerResumed(now_, parent.worker);
  Take();
  EXPECT_TRUE(table().available().empty());
  Return(child.lease);
  EXPECT_TRUE(Grantees().empty()) << "the resumed worker has the only CPU";
  Want(Owner(1), 0);
  Return(parent.lease);
  EXPECT_EQ(Grantees().size(), 1u);
}

TEST_F(LeaseTableTest, CpusOfAWorkerThatIsBeingKilledAreAboutToComeBack) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{1});
  Idle(3);
  Want(Owner(1), 1);
  const GrantLease parent = OneGrant();
  Declare({Owner(1), 1, kPython, Cpus(1), Cpus(1), true, 1});
  const GrantLease actor = OneGrant();
  table().WorkerBlocked(now_, parent.worker);
  Want(Owner(2), 1);
  Take();
  OneGrant();
  Return(actor.lease);
  table().WorkerResumed(now_, parent.worker);
  Take();
  EXPECT_TRUE(Taken<RevokeLease>().empty()) << "two CPUs are enough once the actor is dead";
}

TEST_F(LeaseTableTest, WhatRunsOnCpusThatCameBackEndsWithItsTask) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{1});
  Idle(4);
  Want(Owner(1), 2);
  const std::vector<GrantLease> parents = Taken<GrantLease>();
  ASSERT_EQ(parents.size(), 2u);
  for (const GrantLease& parent : parents) table().WorkerBlocked(now_, parent.worker);
  Take();
  Want(Owner(2), 2);
  const std::vector<GrantLease> children = Taken<GrantLease>();
  ASSERT_EQ(children.size(), 2u);
  ASSERT_EQ(table().available().Get(kCpu), 0);
  table().WorkerResumed(now_, parents[0].worker);
  Take();
  std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u) << "one CPU too many is in use";
  EXPECT_EQ(revoked[0].lease, children[1].lease) << "the newest";
  table().WorkerBlocked(now_, parents[0].worker);
  table().WorkerResumed(now_, parents[0].worker);
  Take();
  EXPECT_TRUE(Taken<RevokeLease>().empty()) << "it comes back already";
  table().WorkerResumed(now_, parents[1].worker);
  Take();
  revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_EQ(revoked[0].lease, children[0].lease);
}

TEST_F(LeaseTableTest, AJobIsNotRichWhileItsTasksWait) {
  // Both tasks of job 1 wait for children; job 2 took the CPUs that they lent. The children must
  // get theirs.
  for (uint32_t owner : {1, 2}) table().AddOwner(Owner(owner), JobId{owner});
  Idle(4);
  Want(Owner(1), 2);
  const std::vector<GrantLease> parents = Taken<GrantLease>();
  Want(Owner(2), 10);
  for (const GrantLease& parent : parents) table().WorkerBlocked(now_, parent.worker);
  Take();
  ASSERT_EQ(Grantees(), Owners({Owner(2), Owner(2)}));
  for (const GrantLease& parent : parents) {
    table().AddOwner(parent.worker, JobId{1});
    Want(parent.worker, 1);
  }
  Wait(kQuantum);
  const std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  Return(revoked[0].lease);
  EXPECT_EQ(Grantees(), Owners({parents[0].worker}));
}

// ---- Workers

TEST_F(LeaseTableTest, AWorkerIsStartedForAGrantableDemand) {
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 1);
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 1}}));
  Want(Owner(1), 1);
  EXPECT_TRUE(Taken<StartWorkers>().empty()) << "it is on its way";
  Idle(1);
  EXPECT_EQ(OneGrant().worker, Worker(1));
}

TEST_F(LeaseTableTest, FewWorkersStartAtATime) {
  Restart({.total = Cpus(8), .max_starting = 2});
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 5);
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 2}}));
  Idle(1);
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 1}}));
}

TEST_F(LeaseTableTest, NoMoreWorkersStartThanResourcesAllow) {
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 5, Cpus(2));
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 1}}));
}

TEST_F(LeaseTableTest, AFailedStartIsTriedAgain) {
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 1);
  Taken<StartWorkers>();
  table().WorkerStartFailed(now_, kPython);
  Take();
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 1}}));
}

TEST_F(LeaseTableTest, WorkersBelongToOneExecutable) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1, kPython);
  Want(Owner(1), 1, Cpus(1), 1, kNative);
  EXPECT_TRUE(Grantees().empty());
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kNative, 1}}));
}

TEST_F(LeaseTableTest, ACpuIsKeptForAStartingWorker) {
  Restart({.total = Cpus(1)});
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(1, kPython);
  Want(Owner(1), 1, Cpus(1), 0, kNative);
  Want(Owner(2), 1);
  EXPECT_TRUE(Grantees().empty());
  Idle(1, kNative);
  EXPECT_EQ(Grantees(), Owners({Owner(1)}));
}

TEST_F(LeaseTableTest, ALostLeaseIsReportedAndReplaced) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(2);
  Want(Owner(1), 1);
  const GrantLease lease = OneGrant();
  table().WorkerGone(now_, lease.worker);
  Take();
  EXPECT_EQ(Taken<LeaseLost>(), std::vector({LeaseLost{lease.lease, Owner(1), lease.worker}}));
  EXPECT_NE(OneGrant().worker, lease.worker);
  EXPECT_EQ(table().available().Get(kCpu), kResourceUnit);
}

TEST_F(LeaseTableTest, ABlockedWorkerThatDiesGivesNothingTwice) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Want(Owner(1), 1, CpusAndGpus(1, 1));
  const GrantLease lease = OneGrant();
  table().WorkerBlocked(now_, lease.worker);
  table().WorkerGone(now_, lease.worker);
  Take();
  EXPECT_EQ(table().available(), table().total());
}

TEST_F(LeaseTableTest, UnknownWorkersAreIgnored) {
  table().WorkerGone(now_, Worker(9));
  table().WorkerBlocked(now_, Worker(9));
  table().WorkerResumed(now_, Worker(9));
  Take();
  EXPECT_TRUE(actions_.empty());
}

TEST_F(LeaseTableTest, ReturnedActorsEndTheirProcess) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Declare({Owner(1), 1, kPython, Cpus(2), Cpus(2), true, 1});
  const GrantLease actor = OneGrant();
  Declare({Owner(1), 1, kPython, Cpus(2), Cpus(2), true, 0});
  Return(actor.lease);
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{actor.worker, true}}));
  EXPECT_EQ(table().available().Get(kCpu), 0) << "charged until it is dead";
  table().WorkerGone(now_, actor.worker);
  Take();
  EXPECT_EQ(table().available(), table().total());
  EXPECT_TRUE(Taken<LeaseLost>().empty());
}

TEST_F(LeaseTableTest, AWorkerThatRetiresIsNotLeasedAgain) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Want(Owner(1), 1);
  const GrantLease grant = OneGrant();
  table().WorkerRetiresAfterLease(now_, grant.worker);
  Take();
  EXPECT_EQ(Taken<RevokeLease>(), std::vector({RevokeLease{grant.lease, Owner(1)}}));
  EXPECT_TRUE(Taken<StopWorker>().empty()) << "its owner may have tasks to take back";
  Return(grant.lease);
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{grant.worker, false, true}}));
  EXPECT_EQ(table().available(), table().total());
  EXPECT_TRUE(Taken<GrantLease>().empty());
  EXPECT_EQ(Taken<StartWorkers>().size(), 1u);
}

TEST_F(LeaseTableTest, AWorkerThatRetiresStaysForItsOwnTasks) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Want(Owner(1), 1);
  const GrantLease grant = OneGrant();
  table().AddOwner(grant.worker, JobId{1});
  Want(grant.worker, 1);
  Want(Owner(1), 0);
  Return(grant.lease);
  table().WorkerRetiresAfterLease(now_, grant.worker);  // heard after its lease has come back
  Idle(1);
  EXPECT_TRUE(Taken<StopWorker>().empty());
  const GrantLease child = OneGrant();
  EXPECT_NE(child.worker, grant.worker);
  Want(grant.worker, 0);
  Return(child.lease);
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{grant.worker, false, true}}));
}

TEST_F(LeaseTableTest, AnActorThatEndsBeforeItsProcessIsChargedNothingAnyMore) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Declare({Owner(1), 1, kPython, Cpus(2), Cpus(2), true, 1});
  const GrantLease actor = OneGrant();
  Idle(1);
  table().WorkerRetires(now_, actor.worker);
  Take();
  EXPECT_TRUE(Taken<GrantLease>().empty()) << "its owner does not want another one";
  Declare({Owner(1), 1, kPython, Cpus(2), Cpus(2), true, 0});
  Take();
  EXPECT_TRUE(Taken<StopWorker>().empty()) << "it ends by itself";
  EXPECT_TRUE(Taken<LeaseLost>().empty());
  EXPECT_EQ(table().available(), table().total());
  Want(Owner(1), 2);
  EXPECT_EQ(Taken<GrantLease>().size(), 1u) << "it gets no other lease";
  table().WorkerGone(now_, actor.worker);
  Take();
  EXPECT_TRUE(Taken<LeaseLost>().empty());
}

TEST_F(LeaseTableTest, TheWorkersOfADeadOwnerAreStopped) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(2);
  Want(Owner(1), 2);
  const std::vector<GrantLease> leases = Taken<GrantLease>();
  Want(Owner(2), 1);
  table().RemoveOwner(now_, Owner(1));
  Take();
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{leases[0].worker, true},
                                              StopWorker{leases[1].worker, true}}));
  EXPECT_TRUE(Taken<StartWorkers>().empty());
  table().WorkerGone(now_, leases[0].worker);
  Take();
  EXPECT_TRUE(Taken<LeaseLost>().empty()) << "nobody is there to be told";
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 1}}));
}

TEST_F(LeaseTableTest, IdleWorkersBeyondTheKeptOnesAreStopped) {
  Restart({.total = Cpus(4), .idle_workers_kept = 1, .idle_worker_ttl = 100 * kMs});
  Idle(2);
  Wait(50 * kMs);
  Idle(1);
  EXPECT_EQ(table().NextDeadline(), 100 * kMs);
  Wait(50 * kMs - 1);
  EXPECT_TRUE(Taken<StopWorker>().empty()) << "their time is not over";
  Wait(1);
  EXPECT_EQ(Taken<StopWorker>(),
            std::vector({StopWorker{Worker(1), false, true}, StopWorker{Worker(2), false, true}}));
  EXPECT_EQ(table().NextDeadline(), kNever);
  Wait(1000 * kMs);
  EXPECT_TRUE(Taken<StopWorker>().empty()) << "the one that is kept stays, however long it idles";
}

TEST_F(LeaseTableTest, NoIdleWorkerOfAnEnvironmentIsKept) {
  const ExecutableId environment = EnvironmentExecutable(1);
  Restart({.total = Cpus(4), .idle_workers_kept = 1, .idle_worker_ttl = 100 * kMs});
  Idle(1, environment);
  EXPECT_EQ(table().NextDeadline(), 100 * kMs);
  Wait(100 * kMs);
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{Worker(1), false, true}}));
}

// Its actor ended while the worker for the next attempt was being granted; the worker may own what others hold.
TEST_F(LeaseTableTest, AWorkerThatWasGrantedToAnActorInVainLives) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  WantActor(Owner(1), 1);
  const GrantLease grant = OneGrant();
  Declare({Owner(1), 1, kPython, {}, Cpus(1), true, 0});
  Return(grant.lease, true);
  EXPECT_TRUE(Taken<StopWorker>().empty());
  Want(Owner(1), 1, Cpus(1), 2);
  EXPECT_EQ(OneGrant().worker, grant.worker);
  WantActor(Owner(1), 3);
  Idle(1);
  Return(OneGrant().lease);
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{Worker(2), true}})) << "after calls it goes with its actor";
}

// Its tasks have left others behind: they run elsewhere.
TEST_F(LeaseTableTest, NoWorkerIsLeasedToItself) {
  Idle(2);
  table().AddOwner(Worker(2), JobId{1});
  Want(Worker(2), 1);
  EXPECT_EQ(OneGrant().worker, Worker(1)) << "the other one is warmer";
  Want(Worker(2), 2);
  EXPECT_TRUE(Taken<GrantLease>().empty());
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kPython, 1}}));
  Idle(1);
  EXPECT_EQ(OneGrant().worker, Worker(3));
}

TEST_F(LeaseTableTest, TheWarmestWorkerIsLeased) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(1);
  Wait(kMs);
  Idle(1);
  Want(Owner(1), 1);
  EXPECT_EQ(OneGrant().worker, Worker(2));
}

TEST_F(LeaseTableTest, AnIdleWorkerWithChildrenLives) {
  Restart({.total = Cpus(4), .idle_workers_kept = 0, .idle_worker_ttl = 100 * kMs});
  Idle(1);
  table().AddOwner(Worker(1), JobId{1});
  Want(Worker(1), 1, Cpus(1), 0, kNative);
  Idle(1, kNative);
  Wait(100 * kMs);
  EXPECT_TRUE(Taken<StopWorker>().empty());
  EXPECT_GT(table().NextDeadline(), now_);
}

TEST_F(LeaseTableTest, AtTheLimitIdleWorkersOfOthersMakeRoom) {
  Restart({.total = Cpus(4), .max_workers = 2});
  table().AddOwner(Owner(1), JobId{1});
  Idle(2, kPython);
  Want(Owner(1), 1, Cpus(1), 0, kNative);
  EXPECT_EQ(Taken<StopWorker>(), std::vector({StopWorker{Worker(1), false, true}}));
  EXPECT_EQ(Taken<StartWorkers>(), std::vector({StartWorkers{kNative, 1}}))
      << "the other one may take its time to stop";
}

TEST_F(LeaseTableTest, AtTheLimitLeasesOfOthersMakeRoom) {
  Restart({.total = Cpus(4), .quantum = kQuantum, .max_workers = 1});
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(1, kPython);
  Want(Owner(1), 1);
  Want(Owner(2), 1, Cpus(1), 0, kNative);
  Wait(kQuantum);
  const std::vector<RevokeLease> revoked = Taken<RevokeLease>();
  ASSERT_EQ(revoked.size(), 1u);
  Taken<GrantLease>();
  Return(revoked[0].lease);
  EXPECT_TRUE(Grantees().empty());
  EXPECT_EQ(Taken<StopWorker>().size(), 1u);
  table().WorkerGone(now_, Worker(1));
  Idle(1, kNative);
  EXPECT_EQ(Grantees(), Owners({Owner(2)}));
}

// ---- Demands

TEST_F(LeaseTableTest, UnknownOwnersAreRefused) {
  const Result<> result = table().SetDemand(0, {Owner(1), 0, kPython, Cpus(1), Cpus(1), false, 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, MANTA_ERROR_INVALID_ARGUMENT);
}

TEST_F(LeaseTableTest, AKeyMeansOneThing) {
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 1, Cpus(1), 3);
  EXPECT_FALSE(table().SetDemand(0, {Owner(1), 3, kPython, Cpus(2), Cpus(2), false, 1}));
  Want(Owner(1), 0, Cpus(1), 3);
  EXPECT_TRUE(table().SetDemand(0, {Owner(1), 3, kPython, Cpus(2), Cpus(2), false, 1}))
      << "a key without leases and demand is free again";
}

TEST_F(LeaseTableTest, UnmetDemandsSayWhy) {
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 1, Cpus(4), 1);
  Wait(kMs);
  Want(Owner(1), 3, Cpus(1), 2);
  const std::vector<UnmetDemand> unmet = table().Unmet();
  ASSERT_EQ(unmet.size(), 2u);
  EXPECT_TRUE(unmet[0].infeasible);
  EXPECT_EQ(unmet[0].since, 0);
  EXPECT_EQ(table().ReasonOf(unmet[0]), "needs {CPU: 4} but the node has {CPU: 2, GPU: 1} in total");
  EXPECT_FALSE(unmet[1].infeasible);
  EXPECT_EQ(unmet[1].missing, 3u);
  EXPECT_EQ(table().ReasonOf(unmet[1]), "needs {CPU: 1}; a worker is starting");
}

TEST_F(LeaseTableTest, UnmetDemandsNameWhatIsFree) {
  table().AddOwner(Owner(1), JobId{1});
  Idle(2);
  Want(Owner(1), 3);
  ASSERT_EQ(table().Unmet().size(), 1u);
  EXPECT_EQ(table().ReasonOf(table().Unmet()[0]),
            "needs {CPU: 1} but {CPU: 0} of {CPU: 2} is free; 2 leases hold the rest");
}

TEST_F(LeaseTableTest, UnmetDemandsNameWhatTheNodeHasNotAtAll) {
  table().AddOwner(Owner(1), JobId{1});
  ResourceSet disk = Cpus(1);
  disk.Set("disk", 1);
  Want(Owner(1), 1, disk);
  ASSERT_EQ(table().Unmet().size(), 1u);
  EXPECT_EQ(table().ReasonOf(table().Unmet()[0]),
            "needs {CPU: 1, disk: 0.0001} but the node has {CPU: 2, GPU: 1} in total; this node has no 'disk'");
}

TEST_F(LeaseTableTest, UnmetDemandsSayThatPartsOfGpusAreNoWhole) {
  Restart({.total = CpusAndGpus(4, 2)});
  table().AddOwner(Owner(1), JobId{1});
  Idle(3);
  Want(Owner(1), 2, CpusAndGpus(1, 0.6), 1);
  Want(Owner(1), 1, CpusAndGpus(1, 0.5), 2);
  EXPECT_EQ(Grantees().size(), 2u);
  ASSERT_EQ(table().Unmet().size(), 1u);
  EXPECT_EQ(table().ReasonOf(table().Unmet()[0]), "needs {CPU: 1, GPU: 0.5} but the {GPU: 0.8} that are free are parts of several GPUs");
}

TEST_F(LeaseTableTest, UnmetDemandsSayThatWorkersAreMissing) {
  Restart({.total = Cpus(4), .max_starting = 1, .max_workers = 2});
  table().AddOwner(Owner(1), JobId{1});
  Want(Owner(1), 1);
  Want(Owner(1), 1, Cpus(1), 1, kNative);
  ASSERT_EQ(table().Unmet().size(), 2u);
  EXPECT_EQ(table().ReasonOf(table().Unmet()[1]), "needs {CPU: 1} and a worker; 1 others are starting, more may not start at a time");
  Want(Owner(1), 0, Cpus(1), 1, kNative);
  Want(Owner(1), 3);
  Idle(2);
  ASSERT_EQ(table().Unmet().size(), 1u);
  EXPECT_EQ(table().ReasonOf(table().Unmet()[0]), "needs {CPU: 1} and a worker, but the limit of 2 workers is reached");
}

TEST_F(LeaseTableTest, UnmetDemandsSayThatOthersWaitLonger) {
  table().AddOwner(Owner(1), JobId{1});
  table().AddOwner(Owner(2), JobId{2});
  Idle(3);
  Want(Owner(1), 9);
  const std::vector<GrantLease> held = Taken<GrantLease>();
  Want(Owner(2), 1, Cpus(2));
  Wait(kQuantum);
  Return(held[0].lease);
  const std::vector<UnmetDemand> unmet = table().Unmet();
  ASSERT_EQ(unmet.size(), 2u);
  ASSERT_EQ(unmet[0].owner, Owner(1));
  EXPECT_EQ(table().ReasonOf(unmet[0]), "needs {CPU: 1}; what is free is kept for demands that wait longer");
}

// ---- All of it

// Random inputs; the table's own invariants are checked after each, and in the end everything can
// be wound up.
class LeaseTableRandomTest : public testing::TestWithParam<uint32_t> {
 protected:
  using Random = std::mt19937_64;
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

  void Step() {
    now_ += Below(3) * kMs;
    const ProcessId owner = Owner(1 + Below(4));
    switch (Below(11)) {
      case 0:
        table_.AddOwner(owner, JobId{1 + owner.value % 2});
        break;
      case 1:
        if (Below(10) == 0) RemoveOwner(owner);
        break;
      case 2:
      case 3:
        DeclareSomething(owner);
        break;
      case 4:
        if (!started_.empty()) FinishStart();
        break;
      case 5:
        if (!alive_.empty()) table_.WorkerBlocked(now_, Any(alive_));
        break;
      case 6:
        if (!alive_.empty()) table_.WorkerResumed(now_, Any(alive_));
        break;
      case 7:
        if (!alive_.empty() && Below(5) == 0) Kill(Any(alive_));
        if (!alive_.empty() && Below(5) == 0) table_.WorkerRetiresAfterLease(now_, Any(alive_));
        break;
      case 8:
        if (!leases_.empty()) table_.ReturnLease(now_, Any(leases_));
        break;
      case 9:
        ChangeGroup(1 + Below(2));
        break;
      default:
        table_.Tick(now_);
    }
    Settle();
  }

  void DeclareSomething(ProcessId owner) {
    const uint32_t key = Below(12);
    if (key >= 8) {
      // In a group, of which there may be nothing yet.
      const BundleRef bundle{Group(1 + key % 2), key < 10 ? -1 : static_cast<int32_t>(Below(3))};
      const uint32_t own_key = 100 + 10 * key + static_cast<uint32_t>(bundle.index + 1);
      const ResourceSet some = key == 9 ? CpusAndGpus(1, 0.5) : Cpus(1);
      static_cast<void>(table_.SetDemand(now_, {owner, own_key, ExecutableId{1}, some, some, key == 8, Below(3), bundle}));
      return;
    }
    const ResourceSet resources = key < 2    ? Cpus(1)
                                  : key == 2 ? Cpus(3)
                                  : key > 5  ? CpusAndGpus(0, key == 6 ? 0.4 : 0.7)
                                             : CpusAndGpus(key % 2, 1);
    const ResourceSet placement = key == 5 ? CpusAndGpus(2, 1) : resources;
    static_cast<void>(table_.SetDemand(now_, {owner, key, key == 7 ? EnvironmentExecutable(1) : ExecutableId{1 + key % 2},
                                              resources, placement, key == 3, Below(4)}));
  }

  static PlacementGroupId Group(uint32_t serial) { return {Owner(1), serial}; }

  // What the head of a cluster asks of a node: first bundles 0 and 1, perhaps bundle 2 later.
  void ChangeGroup(uint32_t serial) {
    const PlacementGroupId group = Group(serial);
    GroupState& state = groups_[serial];
    switch (Below(4)) {
      case 0:
        if (state.waits || state.bundles == 3) return;
        state.waits = true;
        if (state.bundles == 0) {
          table_.Reserve(now_, group, {{0, Cpus(1)}, {1, CpusAndGpus(1, serial == 1 ? 1 : 0.5)}});
        } else {
          table_.Reserve(now_, group, {{2, Cpus(1)}});
        }
        return;
      case 1:
        if (!state.waits && state.bundles > 0) table_.OpenBundles(now_, group);
        return;
      case 2:
        if (state.bundles > 0) return;
        state.waits = false;
        table_.ReturnBundles(now_, group);
        return;
      default: RemoveGroup(serial);
    }
  }

  void RemoveGroup(uint32_t serial) {
    groups_[serial] = {};
    for (const ProcessId worker : table_.RemoveGroup(now_, Group(serial))) dying_.push_back(worker);
  }

  void FinishStart() {
    const ExecutableId executable = started_.back();
    started_.pop_back();
    if (Below(8) == 0) {
      table_.WorkerStartFailed(now_, executable);
    } else {
      alive_.push_back(Worker(++workers_));
      table_.WorkerReady(now_, alive_.back(), executable);
    }
  }

  void RemoveOwner(ProcessId owner) { table_.RemoveOwner(now_, owner); }

  void Kill(ProcessId worker) {
    std::erase(alive_, worker);
    table_.WorkerGone(now_, worker);
  }

  template <class T>
  T Any(const std::vector<T>& all) {
    return all[Below(static_cast<uint32_t>(all.size()))];
  }

  void Settle() {
    table_.CheckInvariants();
    for (const LeaseAction& action : table_.TakeActions()) {
      if (const auto* start = std::get_if<StartWorkers>(&action)) {
        started_.insert(started_.end(), start->count, start->executable);
      } else if (const auto* grant = std::get_if<GrantLease>(&action)) {
        leases_.push_back(grant->lease);
      } else if (const auto* revoke = std::get_if<RevokeLease>(&action)) {
        EXPECT_TRUE(revoked_.insert(revoke->lease).second) << "revoked twice";
      } else if (const auto* stop = std::get_if<StopWorker>(&action)) {
        dying_.push_back(stop->worker);
      } else if (const auto* reserved = std::get_if<BundlesReserved>(&action)) {
        GroupState& state = groups_[static_cast<uint32_t>(reserved->group.serial)];
        EXPECT_TRUE(std::exchange(state.waits, false)) << "was given back, or never asked for";
        state.bundles = state.bundles == 0 ? 2 : 3;
      }
    }
    if (!dying_.empty() && Below(2) == 0) {
      const ProcessId worker = dying_.back();
      dying_.pop_back();
      Kill(worker);
      Settle();
    }
  }

  Random random_{GetParam()};
  Nanoseconds now_ = 0;
  LeaseTable table_{{.total = CpusAndGpus(4, 2), .quantum = 5 * kMs, .max_starting = 3,
                     .max_workers = 7, .idle_workers_kept = 1, .idle_worker_ttl = 20 * kMs}};
  uint32_t workers_ = 0;
  std::vector<ExecutableId> started_;
  std::vector<ProcessId> alive_, dying_;
  std::vector<LeaseId> leases_;
  std::set<LeaseId> revoked_;
  struct GroupState {
    bool waits = false;
    uint32_t bundles = 0;
  };
  std::map<uint32_t, GroupState> groups_;
};

TEST_P(LeaseTableRandomTest, KeepsItsInvariants) {
  for (int step = 0; step < 3000; ++step) Step();
  for (uint32_t serial : {1, 2}) RemoveGroup(serial);
  for (uint32_t owner : {1, 2, 3, 4}) RemoveOwner(Owner(owner));
  Settle();
  while (!alive_.empty()) Kill(alive_.back());
  Settle();
  EXPECT_EQ(table_.available(), table_.total());
  EXPECT_TRUE(table_.Unmet().empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseTableRandomTest, testing::Range(1u, 31u));

}  // namespace
}  // namespace manta::model
