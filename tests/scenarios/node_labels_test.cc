// Labels and constraints on a cluster of one node.
#include <unistd.h>

#include <map>
#include <string>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

using manta::SchedulingStrategy;
using Labels = std::map<std::string, std::string>;

Labels MyLabels() { return manta::GetRuntimeContext().GetNodeLabels(); }
bool IsInGroup() { return !manta::GetCurrentPlacementGroup().Empty(); }
bool ChildIsInGroup(int how) {
  auto child = manta::Task(IsInGroup).SetNumCpus(0.5);
  if (how == 1) child.SetSchedulingStrategy(SchedulingStrategy::Default());
  if (how == 2) child.SetLabelSelector({{"zone", "eu"}});
  return *child.Remote().Get();
}
class Place {
 public:
  Labels Where() { return MyLabels(); }
};

class NodeLabels : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    manta::Config config;
    config.num_cpus = 2;
    config.labels = {{"zone", "eu"}, {"example.com/disk", ""}};
    manta::Init(config);
    id_ = manta::GetRuntimeContext().GetNodeId();
  }
  std::string id_;
};

TEST_F(NodeLabels, AreThoseThatInitWasGivenAndTheSystems) {
  const Labels expected{{"zone", "eu"}, {"example.com/disk", ""}, {"ray.io/node-id", id_}};
  EXPECT_EQ(MyLabels(), expected);
  EXPECT_EQ(*manta::Task(MyLabels).SetLabelSelector({{"zone", "in(eu, us)"}, {"example.com/disk", ""}}).Remote().Get(10s), expected);
}

TEST_F(NodeLabels, WhatTheNodeDoesNotDoForWaits) {
  const auto waits = manta::Task(MyLabels).SetLabelSelector({{"zone", "!eu"}}).Remote();
  for (int i = 0; i < 20; ++i) manta::Task(MyLabels).SetLabelSelector({{"zone", "eu"}}).Remote().Get(10s);
  EXPECT_THROW(waits.Get(300ms), manta::GetTimeoutError) << "no worker of the others takes it";
  manta::Cancel(waits);
  auto actor = manta::Actor<Place>().SetLabelSelector({{"zone", "us"}}).SetFallbackStrategy({{{"zone", "eu"}}}).Remote();
  EXPECT_EQ(actor.Task(&Place::Where).Remote().Get(10s)->at("zone"), "eu");
}

TEST_F(NodeLabels, StrategiesOnOneNode) {
  for (const auto& strategy : {SchedulingStrategy::Default(), SchedulingStrategy::Spread(), SchedulingStrategy::NodeAffinity(id_, false),
                               SchedulingStrategy::NodeAffinity(std::string(32, '0'), true), SchedulingStrategy::NodeLabels({{"zone", "eu"}})}) {
    EXPECT_EQ(manta::Task(MyLabels).SetSchedulingStrategy(strategy).Remote().Get(10s)->at("zone"), "eu");
  }
  const auto gone = SchedulingStrategy::NodeAffinity(std::string(32, '0'), false);
  EXPECT_THROW(manta::Task(MyLabels).SetSchedulingStrategy(gone).Remote().Get(10s), manta::TaskUnschedulableError);
}

TEST_F(NodeLabels, StrategiesLeadOutOfAGroupAndSelectorsDoNot) {
  const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}});
  const auto child = [&](int how) { return *manta::Task(ChildIsInGroup).SetNumCpus(0.5).SetPlacementGroup(group, -1, true).Remote(how).Get(10s); };
  EXPECT_TRUE(child(0));
  EXPECT_FALSE(child(1));
  EXPECT_TRUE(child(2));
}

TEST_F(NodeLabels, AreRefusedWhereInitStartsNothingOrTheyAreNone) {
  manta::Shutdown();
  manta::Config config;
  config.labels = {{"ray.io/zone", "eu"}};
  const std::string said = MessageOf<manta::InvalidArgumentError>([&] { manta::Init(config); });
  EXPECT_NE(said.find("'ray.io/' are set by the system"), std::string::npos) << said;
  const StartedCluster cluster;
  config.labels = {{"zone", "eu"}};
  config.address = cluster.address();
  EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Init(config); }).find("labels"), std::string::npos);
}

}  // namespace
}  // namespace manta_test
