// Constraints on nodes in the lease table.
#include <gtest/gtest.h>

#include <vector>

#include "model/lease_table.h"

namespace manta::model {
namespace {

constexpr Nanoseconds kMs = 1'000'000;
constexpr ExecutableId kPython{1};
constexpr ProcessId kOwner = MakeProcessId(1, 1);
constexpr ProcessId kFirst = MakeProcessId(1, 100), kSecond = MakeProcessId(1, 101);

// A node in the zone eu with two CPUs and two workers.
class ConstraintTest : public testing::Test {
 protected:
  ConstraintTest() {
    table.AddOwner(kOwner, JobId{1});
    for (const ProcessId worker : {kFirst, kSecond}) table.WorkerReady(now, worker, kPython);
  }

  static ResourceSet Cpus(int64_t count) {
    ResourceSet set;
    set.Set(kCpu, count * kResourceUnit);
    return set;
  }
  Result<> Want(uint32_t key, const char* nodes, uint32_t wanted, int64_t cpus = 1) {
    Demand demand{kOwner, key, kPython, Cpus(cpus), Cpus(cpus), false, wanted};
    demand.nodes = NodeConstraint::Parse(nodes).value();
    const Result<> set = table.SetDemand(now, demand);
    Take();
    return set;
  }
  void Take() {
    table.CheckInvariants();
    for (const LeaseAction& action : table.TakeActions()) {
      if (const auto* grant = std::get_if<GrantLease>(&action)) granted.push_back(grant->key);
      revoked += std::holds_alternative<RevokeLease>(action);
    }
  }
  void Wait(Nanoseconds time) {
    now += time;
    table.Tick(now);
    Take();
  }

  LeaseTable table{{.total = Cpus(2), .labels = {{"zone", "eu"}}, .quantum = 10 * kMs}};
  Nanoseconds now = 0;
  std::vector<uint32_t> granted;
  int revoked = 0;
};

using Keys = std::vector<uint32_t>;

TEST_F(ConstraintTest, OnlyWhatTheNodeDoesForIsGranted) {
  ASSERT_TRUE(Want(1, "zone=us", 1));
  ASSERT_TRUE(Want(2, "zone=eu", 1));
  ASSERT_TRUE(Want(3, "zone=us | zone=in(asia, eu)", 1));
  EXPECT_EQ(granted, Keys({2, 3}));
}

TEST_F(ConstraintTest, WhatItDoesNotDoForWaitsAndTakesNothingFromOthers) {
  ASSERT_TRUE(Want(1, "", 2));
  ASSERT_TRUE(Want(2, "zone=us", 2));
  Wait(100 * kMs);
  EXPECT_EQ(granted, Keys({1, 1}));
  EXPECT_EQ(revoked, 0);
  const std::vector<UnmetDemand> unmet = table.Unmet();
  ASSERT_EQ(unmet.size(), 1u);
  EXPECT_FALSE(unmet[0].infeasible) << "a node that does may join";
  EXPECT_EQ(table.ReasonOf(unmet[0]), "needs {CPU: 1} on a node with zone=us but this one has zone=eu");
  ASSERT_TRUE(Want(3, "zone=eu", 1));
  Wait(20 * kMs);
  EXPECT_EQ(revoked, 1) << "for one that it does for";
}

TEST_F(ConstraintTest, MoreThanANodeHasThatWouldDoIsInfeasible) {
  ASSERT_TRUE(Want(1, "zone=eu", 1, 3));
  ASSERT_TRUE(Want(2, "zone=us", 1, 3));
  const std::vector<UnmetDemand> unmet = table.Unmet();
  ASSERT_EQ(unmet.size(), 2u);
  EXPECT_TRUE(unmet[0].infeasible);
  EXPECT_FALSE(unmet[1].infeasible);
}

TEST_F(ConstraintTest, IsPartOfTheShape) {
  ASSERT_TRUE(Want(1, "zone=eu", 1));
  EXPECT_FALSE(Want(1, "zone=us", 1)) << "under the same key";
  EXPECT_FALSE(Want(1, "", 1));
  EXPECT_TRUE(Want(1, " zone = (eu)", 1)) << "the same in other words";
}

TEST_F(ConstraintTest, HoldsInAPlacementGroup) {
  const PlacementGroupId group{kOwner, 1};
  table.Reserve(now, group, {{0, Cpus(2)}});
  table.OpenBundles(now, group);
  for (const auto& [key, nodes] : {std::pair(1u, "zone=us"), std::pair(2u, "zone=eu")}) {
    Demand demand{kOwner, key, kPython, Cpus(1), Cpus(1), false, 1, {group, -1}};
    demand.nodes = NodeConstraint::Parse(nodes).value();
    ASSERT_TRUE(table.SetDemand(now, demand));
    Take();
  }
  EXPECT_EQ(granted, Keys({2}));
}

}  // namespace
}  // namespace manta::model
