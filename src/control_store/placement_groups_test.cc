#include "control_store/placement_groups.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace manta::control_store {
namespace {

using contracts::PlacementGroupChanged;
using contracts::PlacementGroupEntry;
using contracts::PlacementGroupState;
using contracts::PlacementStrategy;
using contracts::ReserveOnNode;
using contracts::ReturnOnNode;
using model::Nanoseconds;
using model::ResourceSet;

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr JobId kJob{1};

ResourceSet Cpus(int64_t count) {
  ResourceSet set;
  set.Set(model::kCpu, count * model::kResourceUnit);
  return set;
}

PlacementGroupId Id(uint64_t serial) { return {MakeProcessId(1, 2), serial}; }

// Nodes that reserve what they are asked for when the test says so. Each input is followed by a check of the table's invariants.
class PlacementGroupsTest : public testing::Test {
 protected:
  Result<> Create(uint64_t serial, std::vector<ResourceSet> bundles, PlacementStrategy strategy = PlacementStrategy::kPack,
                  const std::string& name = "", bool detached = false, const std::vector<const char*>& constraints = {}) {
    PlacementGroupEntry group;
    for (const char* text : constraints) group.constraints.push_back(model::NodeConstraint::Parse(text).value());
    group.id = Id(serial);
    group.name = name;
    group.ray_namespace = "space";
    group.strategy = strategy;
    group.detached = detached;
    group.job = kJob;
    group.bundles = std::move(bundles);
    Result<> created = table.Create(now, std::move(group));
    Take();
    return created;
  }
  void Up(uint32_t node, int64_t cpus, const model::NodeLabels& labels = {}) {
    table.NodeUp(now, node, Cpus(cpus), labels);
    Take();
  }
  void Down(uint32_t node) {
    table.NodeDown(now, node);
    for (auto& [key, attempt] : asked) {
      if (key.first == node) attempt = 0;
    }
    Take();
  }
  void Reserve(uint64_t serial, uint32_t node) {
    table.Reserved(now, node, Id(serial), asked[{node, Id(serial)}]);
    Take();
  }
  bool Remove(uint64_t serial) {
    const bool removed = table.Remove(now, Id(serial));
    Take();
    return removed;
  }
  void Wait(Nanoseconds time) {
    now += time;
    table.Tick(now);
    Take();
  }
  void Take() {
    table.CheckInvariants();
    for (const auto& action : table.TakeActions()) {
      if (const auto* reserve = std::get_if<ReserveOnNode>(&action)) asked[{reserve->node, reserve->group}] = reserve->attempt;
      if (const auto* back = std::get_if<ReturnOnNode>(&action)) {
        if (asked[{back->node, back->group}] == back->attempt) asked[{back->node, back->group}] = 0;
      }
      if (const auto* changed = std::get_if<PlacementGroupChanged>(&action)) changes.push_back(changed->group.serial);
    }
  }
  PlacementGroupState StateOf(uint64_t serial) { return table.Find(Id(serial))->state; }
  std::vector<uint32_t> NodesOf(uint64_t serial) { return table.Find(Id(serial))->nodes; }
  // The nodes that are asked for bundles of it.
  std::set<uint32_t> Asked(uint64_t serial) {
    std::set<uint32_t> nodes;
    for (const auto& [key, attempt] : asked) {
      if (key.second == Id(serial) && attempt != 0) nodes.insert(key.first);
    }
    return nodes;
  }

  Nanoseconds now = 0;
  PlacementGroups table{4};
  std::map<std::pair<uint32_t, PlacementGroupId>, uint32_t> asked;
  std::vector<uint64_t> changes;
};

using Nodes = std::vector<uint32_t>;

TEST_F(PlacementGroupsTest, IsCreatedWhenItsNodeHasReserved) {
  Up(1, 4);
  ASSERT_TRUE(Create(1, {Cpus(1), Cpus(2)}));
  EXPECT_EQ(StateOf(1), PlacementGroupState::kPending);
  EXPECT_EQ(Asked(1), std::set<uint32_t>{1});
  Reserve(1, 1);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kCreated);
  EXPECT_EQ(NodesOf(1), Nodes({1, 1}));
  EXPECT_EQ(changes, std::vector<uint64_t>{1});
}

TEST_F(PlacementGroupsTest, RefusesNamesThatAreTakenAndEmptyBundles) {
  Up(1, 4);
  ASSERT_TRUE(Create(1, {Cpus(1)}, PlacementStrategy::kPack, "a"));
  EXPECT_FALSE(Create(2, {Cpus(1)}, PlacementStrategy::kPack, "a"));
  EXPECT_FALSE(Create(1, {Cpus(1)}));
  EXPECT_FALSE(Create(3, {}));
  EXPECT_FALSE(Create(3, {Cpus(1), Cpus(0)}));
  EXPECT_EQ(table.FindByName("a", "space")->id, Id(1));
  EXPECT_EQ(table.FindByName("a", "elsewhere"), nullptr);
  EXPECT_TRUE(Remove(1));
  EXPECT_EQ(table.FindByName("a", "space"), nullptr);
  EXPECT_TRUE(Create(2, {Cpus(1)}, PlacementStrategy::kPack, "a"));
}

TEST_F(PlacementGroupsTest, OneThatIsTooLargeForEverWaitsWithTheReason) {
  Up(1, 2);
  ASSERT_TRUE(Create(1, {Cpus(1), Cpus(8)}));
  ASSERT_TRUE(Create(2, {Cpus(1), Cpus(1)}, PlacementStrategy::kStrictSpread));
  ASSERT_TRUE(Create(3, {Cpus(2), Cpus(1)}, PlacementStrategy::kStrictPack));
  const auto unmet = table.Unmet();
  ASSERT_EQ(unmet.size(), 3u);
  EXPECT_TRUE(unmet[0].infeasible);
  EXPECT_EQ(unmet[0].reason, "bundle 1 needs {CPU: 8} on one node but node 1 has {CPU: 2} in total");
  EXPECT_EQ(unmet[1].reason, "STRICT_SPREAD needs 2 nodes, one with room for each bundle, of 1 that there are in total");
  EXPECT_EQ(unmet[2].reason, "STRICT_PACK needs {CPU: 3} on one node but node 1 has {CPU: 2} in total");
  EXPECT_TRUE(Asked(1).empty());
  Up(2, 20);
  EXPECT_EQ(Asked(1), std::set<uint32_t>{2});
  EXPECT_EQ(Asked(2), (std::set<uint32_t>{1, 2}));
  EXPECT_EQ(Asked(3), std::set<uint32_t>{2});
}

TEST_F(PlacementGroupsTest, OneThatHasToWaitForAnotherIsPlannedWhenThatGoes) {
  Up(1, 2);
  ASSERT_TRUE(Create(1, {Cpus(2)}));
  Reserve(1, 1);
  ASSERT_TRUE(Create(2, {Cpus(1)}));
  EXPECT_TRUE(Asked(2).empty());
  EXPECT_FALSE(table.Unmet()[0].infeasible);
  EXPECT_EQ(table.Unmet()[0].reason,
            "bundle 0 needs {CPU: 1} on one node but node 1 has {CPU: 0} that is not reserved for other placement groups");
  EXPECT_TRUE(Remove(1));
  EXPECT_EQ(Asked(2), std::set<uint32_t>{1});
  EXPECT_FALSE(Remove(1)) << "again";
  EXPECT_FALSE(Remove(77)) << "never was there";
}

TEST_F(PlacementGroupsTest, SmallGroupsPassAGreatOneForAWhileOnly) {
  Up(1, 2);
  ASSERT_TRUE(Create(1, {Cpus(1)}));
  Reserve(1, 1);
  ASSERT_TRUE(Create(2, {Cpus(2)}));
  ASSERT_TRUE(Create(3, {Cpus(1)}));
  EXPECT_EQ(Asked(3), std::set<uint32_t>{1}) << "passes";
  Reserve(3, 1);
  Wait(PlacementGroups::kLetPass);
  Remove(1);
  ASSERT_TRUE(Create(4, {Cpus(1)}));
  EXPECT_TRUE(Asked(4).empty()) << "group 2 has waited long enough";
  Remove(3);
  EXPECT_EQ(Asked(2), std::set<uint32_t>{1});
  Reserve(2, 1);
  Remove(2);
  EXPECT_EQ(Asked(4), std::set<uint32_t>{1});
}

TEST_F(PlacementGroupsTest, StrategiesChooseNodes) {
  Up(1, 4);
  Up(2, 4);
  const auto placed = [&](uint64_t serial, std::vector<ResourceSet> bundles, PlacementStrategy strategy) {
    EXPECT_TRUE(Create(serial, std::move(bundles), strategy));
    for (const uint32_t node : Asked(serial)) Reserve(serial, node);
    const Nodes nodes = NodesOf(serial);
    Remove(serial);
    return nodes;
  };
  EXPECT_EQ(placed(1, {Cpus(2), Cpus(2)}, PlacementStrategy::kPack), Nodes({1, 1}));
  EXPECT_EQ(placed(2, {Cpus(3), Cpus(3), Cpus(1)}, PlacementStrategy::kPack), Nodes({1, 2, 1}));
  EXPECT_EQ(placed(3, {Cpus(1), Cpus(1), Cpus(1)}, PlacementStrategy::kSpread), Nodes({1, 2, 1}));
  EXPECT_EQ(placed(4, {Cpus(2), Cpus(2)}, PlacementStrategy::kStrictPack), Nodes({1, 1}));
  EXPECT_EQ(placed(5, {Cpus(1), Cpus(1)}, PlacementStrategy::kStrictSpread), Nodes({1, 2}));
}

TEST_F(PlacementGroupsTest, ABundleLeavesTheOnlyNodeOfAnotherToThat) {
  Up(1, 4);
  Up(2, 1);
  ASSERT_TRUE(Create(1, {Cpus(1), Cpus(3)}, PlacementStrategy::kStrictSpread));
  for (const uint32_t node : Asked(1)) Reserve(1, node);
  EXPECT_EQ(NodesOf(1), Nodes({2, 1}));
}

TEST_F(PlacementGroupsTest, NothingOfOneThatComesInPartIsKeptForEver) {
  Up(1, 2);
  Up(2, 2);
  ASSERT_TRUE(Create(1, {Cpus(2), Cpus(2)}, PlacementStrategy::kStrictSpread));
  Reserve(1, 1);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kPending);
  const uint32_t first = asked[{1, Id(1)}];
  Wait(PlacementGroups::kPartialLimit);
  EXPECT_NE((asked[{1, Id(1)}]), first) << "another attempt";
  table.Reserved(now, 1, Id(1), first);
  Reserve(1, 2);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kPending) << "the answer of node 1 is late, and to another attempt";
  Reserve(1, 1);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kCreated);
}

TEST_F(PlacementGroupsTest, APlanThatWaitsMovesToWhereThereIsRoom) {
  Up(1, 2);
  Up(2, 2);
  table.NodeFree(1, {});
  table.NodeFree(2, {});
  ASSERT_TRUE(Create(1, {Cpus(1)}));
  EXPECT_EQ(Asked(1), std::set<uint32_t>{1});
  table.NodeFree(2, Cpus(1));
  Wait(PlacementGroups::kLookAgain);
  EXPECT_EQ(Asked(1), std::set<uint32_t>{2});
}

TEST_F(PlacementGroupsTest, BundlesOfANodeThatDiesAreLookedForAnew) {
  Up(1, 2);
  Up(2, 2);
  ASSERT_TRUE(Create(1, {Cpus(1), Cpus(1)}, PlacementStrategy::kSpread));
  for (const uint32_t node : Asked(1)) Reserve(1, node);
  Down(2);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kRescheduling);
  EXPECT_EQ(NodesOf(1), Nodes({1, 0}));
  Reserve(1, 1);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kCreated);
  EXPECT_EQ(NodesOf(1), Nodes({1, 1}));
}

TEST_F(PlacementGroupsTest, KnowsTheGroupsOfAJobAndForgetsRemovedOnes) {
  Up(1, 4);
  ASSERT_TRUE(Create(1, {Cpus(1)}));
  ASSERT_TRUE(Create(2, {Cpus(1)}, PlacementStrategy::kPack, "", true));
  EXPECT_EQ(table.OfJob(kJob), std::vector<PlacementGroupId>{Id(1)}) << "the other one is detached";
  Remove(1);
  EXPECT_TRUE(table.OfJob(kJob).empty());
  for (uint64_t serial = 10; serial < 16; ++serial) {
    ASSERT_TRUE(Create(serial, {Cpus(1)}));
    Remove(serial);
  }
  EXPECT_EQ(table.Find(Id(1)), nullptr) << "as many as are remembered have been removed since";
  EXPECT_EQ(table.Find(Id(15))->state, PlacementGroupState::kRemoved);
  EXPECT_EQ(table.List().front()->id, Id(2));
}

// Any order of inputs keeps the invariants, and what can be placed is placed when the nodes answer.
TEST_F(PlacementGroupsTest, KeepsItsInvariantsWhateverComes) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    table.~PlacementGroups();
    new (&table) PlacementGroups(4);
    asked.clear();
    std::set<uint32_t> up;
    uint64_t serials = 0;
    for (int step = 0; step < 120; ++step) {
      const uint32_t node = 1 + random() % 3;
      const uint64_t serial = serials == 0 ? 1 : 1 + random() % serials;
      switch (random() % 8) {
        case 0:
          if (up.insert(node).second) Up(node, 1 + static_cast<int64_t>(random() % 4));
          break;
        case 1:
          if (random() % 3 == 0 && up.erase(node) > 0) Down(node);
          break;
        case 2:
        case 3: {
          std::vector<ResourceSet> bundles(1 + random() % 3);
          for (ResourceSet& bundle : bundles) bundle = Cpus(1 + static_cast<int64_t>(random() % 3));
          ASSERT_TRUE(Create(++serials, std::move(bundles), static_cast<PlacementStrategy>(random() % 4)));
          break;
        }
        case 4: Remove(serial); break;
        case 5: Wait(static_cast<Nanoseconds>(random() % 4) * kSecond); break;
        default:
          if (table.Find(Id(serial)) != nullptr && (asked[{node, Id(serial)}]) != 0) Reserve(serial, node);
      }
    }
    if (up.empty()) continue;
    // Everybody answers, and groups go one after the other: none is left that fits at all.
    for (int round = 0; round < 200 && table.AnyWaits(); ++round) {
      for (uint64_t serial = 1; serial <= serials; ++serial) {
        for (const uint32_t node : Asked(serial)) Reserve(serial, node);
      }
      for (uint64_t serial = 1; serial <= serials; ++serial) {
        if (const auto* group = table.Find(Id(serial)); group != nullptr && group->state == PlacementGroupState::kCreated) {
          Remove(serial);
          break;
        }
      }
      Wait(kSecond);
    }
    for (const auto& unmet : table.Unmet()) EXPECT_TRUE(unmet.infeasible) << "seed " << seed << ": " << unmet.reason;
  }
}

// ---- Constraints on nodes

TEST_F(PlacementGroupsTest, BundlesGoToNodesThatDo) {
  Up(1, 8, {{"zone", "eu"}});
  Up(2, 8, {{"zone", "us"}});
  const auto made = [&](uint64_t serial, PlacementStrategy strategy, const std::vector<const char*>& constraints) {
    ASSERT_TRUE(Create(serial, {Cpus(1), Cpus(1)}, strategy, "", false, constraints));
    for (const uint32_t node : Asked(serial)) Reserve(serial, node);
  };
  uint64_t serial = 0;
  for (const PlacementStrategy strategy : {PlacementStrategy::kPack, PlacementStrategy::kSpread, PlacementStrategy::kStrictSpread}) {
    made(++serial, strategy, {"zone=us", "zone=!us"});
    EXPECT_EQ(NodesOf(serial), Nodes({2, 1})) << ToString(strategy);
  }
  made(++serial, PlacementStrategy::kStrictPack, {"zone=us", ""});
  EXPECT_EQ(NodesOf(serial), Nodes({2, 2}));
}

TEST_F(PlacementGroupsTest, BundlesWithFewerNodesAreNotCrowdedOutByOthers) {
  Up(1, 1, {{"zone", "eu"}});
  Up(2, 1, {{"zone", "us"}});
  for (const PlacementStrategy strategy : {PlacementStrategy::kPack, PlacementStrategy::kSpread}) {
    const uint64_t serial = 1 + static_cast<uint64_t>(strategy);
    ASSERT_TRUE(Create(serial, {Cpus(1), Cpus(1)}, strategy, "", false, {"", "zone=eu"}));
    for (const uint32_t node : Asked(serial)) Reserve(serial, node);
    EXPECT_EQ(NodesOf(serial), Nodes({2, 1}));
    Remove(serial);
  }
}

TEST_F(PlacementGroupsTest, WaitForANodeThatDoesAndSaySo) {
  Up(1, 4, {{"zone", "eu"}});
  ASSERT_TRUE(Create(1, {Cpus(1), Cpus(1)}, PlacementStrategy::kPack, "", false, {"", "zone=us"}));
  EXPECT_TRUE(Asked(1).empty());
  EXPECT_TRUE(table.ReasonOf(Id(1)).infeasible);
  EXPECT_EQ(table.ReasonOf(Id(1)).reason, "bundle 1 needs {CPU: 1} on a node with zone=us but node 1 has zone=eu and {CPU: 4} in total");
  Up(2, 4, {{"zone", "us"}});
  EXPECT_EQ(Asked(1), std::set<uint32_t>{2}) << "which does for both";
  Reserve(1, 2);
  Down(2);
  EXPECT_EQ(StateOf(1), PlacementGroupState::kRescheduling);
  EXPECT_TRUE(Asked(1).empty()) << "the one that is left does not do";
  Up(3, 4, {{"zone", "us"}});
  EXPECT_EQ(Asked(1), std::set<uint32_t>{3});
}

TEST_F(PlacementGroupsTest, HaveAConstraintForEachBundleOrNone) {
  Up(1, 4);
  EXPECT_FALSE(Create(1, {Cpus(1), Cpus(1)}, PlacementStrategy::kPack, "", false, {"zone=us"}));
}

}  // namespace
}  // namespace manta::control_store
