// Placement groups over two nodes: bundles on both or on neither, and what becomes of them when a node dies.
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/clusters/two_nodes.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

std::string WhereIRun() { return manta::GetRuntimeContext().GetNodeId(); }
std::string MyGroup() { return manta::GetCurrentPlacementGroup().ID(); }
std::string ChildOf(const manta::PlacementGroup& group) {
  return *manta::Task(WhereIRun).SetPlacementGroup(group, 0).Remote().Get();
}
// Created on the node that is not the head.
manta::PlacementGroup CreateThere(const std::string& strategy) {
  manta::PlacementGroupOptions options;
  options.detached = true;
  if (strategy == "apart") options.strategy = manta::PlacementStrategy::kStrictSpread;
  const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}, {{"CPU", 1}}}, options);
  group.Wait();
  return group;
}
int Sleep(int seconds) {
  sleep(static_cast<unsigned>(seconds));
  return seconds;
}
class TwoNodesPlacementGroups : public TwoNodesTest {
 protected:
  static manta::PlacementGroup Create(const std::vector<manta::Bundle>& bundles, manta::PlacementStrategy strategy) {
    manta::PlacementGroupOptions options;
    options.strategy = strategy;
    return manta::CreatePlacementGroup(bundles, options);
  }
  static std::string Where(const manta::PlacementGroup& group, int index) {
    return *manta::Task(WhereIRun).SetPlacementGroup(group, index).Remote().Get();
  }
  static double FreeCpus() { return manta::AvailableResources().at("CPU"); }
};

TEST_F(TwoNodesPlacementGroups, AreSpreadAndPacked) {
  const auto apart = Create({{{"CPU", 1}}, {{"CPU", 1}}}, manta::PlacementStrategy::kStrictSpread);
  ASSERT_TRUE(apart.Wait(10s));
  EXPECT_NE(Where(apart, 0), Where(apart, 1));
  EXPECT_EQ(*manta::Task(MyGroup).SetPlacementGroup(apart, 1).Remote().Get(), apart.ID());
  manta::RemovePlacementGroup(apart);
  ASSERT_TRUE(Eventually(5s, [] { return FreeCpus() == 3; }));
  const auto packed = Create({{{"CPU", 1}}, {{"CPU", 1}}}, manta::PlacementStrategy::kStrictPack);
  ASSERT_TRUE(packed.Wait(10s));
  EXPECT_NE(Where(packed, 0), head_id_) << "which has one CPU";
  EXPECT_EQ(Where(packed, 0), Where(packed, 1));
}

TEST_F(TwoNodesPlacementGroups, AnyBundleMeansThatOfEitherNode) {
  const auto group = Create({{{"CPU", 1}}, {{"CPU", 1}}}, manta::PlacementStrategy::kStrictSpread);
  std::vector<manta::ObjectRef<int>> busy;
  for (int i = 0; i < 2; ++i) busy.push_back(manta::Task(Sleep).SetPlacementGroup(group).Remote(1));
  const auto began = std::chrono::steady_clock::now();
  manta::Get(busy);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1900ms) << "beside each other";
}

TEST_F(TwoNodesPlacementGroups, AreReservedOnBothNodesOrOnNone) {
  const auto first = Create({{{"CPU", 2}}}, manta::PlacementStrategy::kPack);  // the node's
  ASSERT_TRUE(first.Wait(10s));
  const auto second = Create({{{"CPU", 1}}, {{"CPU", 1}}}, manta::PlacementStrategy::kStrictSpread);
  EXPECT_FALSE(second.Wait(300));
  EXPECT_EQ(*manta::Task(MyGroup).Remote().Get(5s), manta::PlacementGroup().ID()) << "the head's CPU is not kept for it";
  manta::RemovePlacementGroup(first);
  EXPECT_TRUE(second.Wait(10s));
}

TEST_F(TwoNodesPlacementGroups, AreMadeAndUsedOnTheOtherNode) {
  const auto group = *manta::Task(CreateThere).SetNumCpus(0).SetResource("far", 1).Remote(std::string("apart")).Get(10s);
  EXPECT_NE(Where(group, 0), Where(group, 1));
  const std::string child = *manta::Task(ChildOf).SetNumCpus(0).SetResource("far", 1).Remote(group).Get(10s);
  EXPECT_EQ(child, Where(group, 0));
  manta::RemovePlacementGroup(group);
  EXPECT_THROW(manta::Task(ChildOf).SetNumCpus(0).SetResource("far", 1).Remote(group).Get(10s), manta::TaskPlacementGroupRemovedError);
}

TEST_F(TwoNodesPlacementGroups, EndOnBothNodesWithTheirRemoval) {
  const auto group = Create({{{"CPU", 1}}, {{"CPU", 1}}}, manta::PlacementStrategy::kStrictSpread);
  std::vector<manta::ObjectRef<int>> tasks;
  for (int index : {0, 1}) tasks.push_back(manta::Task(Sleep).SetPlacementGroup(group, index).Remote(60));
  for (int index : {0, 1}) tasks.push_back(manta::Task(Sleep).SetPlacementGroup(group, index).Remote(60));
  usleep(300'000);
  manta::RemovePlacementGroup(group);
  for (const auto& task : tasks) EXPECT_THROW(task.Get(10s), manta::TaskPlacementGroupRemovedError);
  EXPECT_TRUE(Eventually(5s, [] { return FreeCpus() == 3; }));
}

TEST_F(TwoNodesPlacementGroups, LookForThePlacesOfADeadNodeAnew) {
  const auto group = Create({{{"CPU", 0.5}}, {{"CPU", 0.5}}}, manta::PlacementStrategy::kSpread);
  ASSERT_TRUE(group.Wait(10s));
  const auto where = [&](int index) { return *manta::Task(WhereIRun).SetNumCpus(0.5).SetPlacementGroup(group, index).Remote().Get(10s); };
  ASSERT_NE(where(0), where(1));
  const auto cannot_move = Create({{{"CPU", 1}, {"far", 1}}}, manta::PlacementStrategy::kPack);
  ASSERT_TRUE(cannot_move.Wait(10s));
  node_->Kill();
  EXPECT_EQ(where(0), head_id_);
  EXPECT_EQ(where(1), head_id_);
  EXPECT_EQ(group.State(), manta::PlacementGroupState::kCreated);
  EXPECT_EQ(cannot_move.State(), manta::PlacementGroupState::kRescheduling);
}

TEST_F(TwoNodesPlacementGroups, GoWithADriverThatIsKilledOnEitherNode) {
  for (const bool far : {false, true}) {
    manta::Shutdown();
    manta::Config config;
    config.address = far ? node_->session().substr(node_->session().rfind('/') + 1) : "auto";
    if (!far) config.address = head_->session().substr(head_->session().rfind('/') + 1);
    DriverProcess driver([&](const DriverProcess::Say& say) {
      manta::Init(config);
      const auto group = Create({{{"CPU", 1}}, {{"CPU", 1}}}, manta::PlacementStrategy::kStrictSpread);
      group.Wait();
      manta::Task(Sleep).SetPlacementGroup(group, 0).Remote(60);
      say("there");
      pause();
    });
    ASSERT_EQ(driver.Hear(20s), "there");
    manta::Config own;
    own.address = head_->session().substr(head_->session().rfind('/') + 1);
    manta::Init(own);
    EXPECT_TRUE(Eventually(5s, [] { return FreeCpus() <= 1; }));  // the other node tells now and again
    driver.Signal(SIGKILL);
    EXPECT_TRUE(Eventually(10s, [] { return FreeCpus() == 3; })) << "far: " << far;
  }
}

}  // namespace
}  // namespace manta_test
