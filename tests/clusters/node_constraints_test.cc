// Constraints on nodes over two of them: labels, affinity, strategies, fallbacks and bundles, and what becomes of them when a node dies.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/clusters/two_nodes.h"

namespace manta_test {
namespace {

using manta::LabelSelector;
using manta::SchedulingStrategy;

std::string WhereIRun() { return manta::GetRuntimeContext().GetNodeId(); }
std::string SleepAndSayWhere(int milliseconds) {
  usleep(static_cast<unsigned>(milliseconds) * 1000);
  return WhereIRun();
}
std::map<std::string, std::string> MyLabels() { return manta::GetRuntimeContext().GetNodeLabels(); }
std::string ChildWith(const LabelSelector& selector) { return *manta::Task(WhereIRun).SetLabelSelector(selector).Remote().Get(); }
class Place {
 public:
  std::string Where() { return WhereIRun(); }
  int Pid() { return getpid(); }
};

class TwoNodesConstraints : public TwoNodesTest {
 protected:
  void SetUp() override {
    TwoNodesTest::SetUp();
    far_id_ = *manta::Task(WhereIRun).SetResource("far", 1).Remote().Get(10s);
    ASSERT_NE(far_id_, head_id_);
  }
  static std::string With(const LabelSelector& selector, const std::vector<LabelSelector>& fallbacks = {}) {
    return *manta::Task(WhereIRun).SetLabelSelector(selector).SetFallbackStrategy(fallbacks).Remote().Get(10s);
  }
  static std::string By(const SchedulingStrategy& strategy) {
    return *manta::Task(WhereIRun).SetSchedulingStrategy(strategy).Remote().Get(10s);
  }

  std::string far_id_;
};

TEST_F(TwoNodesConstraints, NodesHaveTheLabelsThatTheyWereGiven) {
  EXPECT_EQ(MyLabels(), (std::map<std::string, std::string>{{"zone", "near"}, {"ray.io/node-id", head_id_}}));
  const auto there = *manta::Task(MyLabels).SetResource("far", 1).Remote().Get(10s);
  EXPECT_EQ(there, (std::map<std::string, std::string>{{"zone", "far"}, {"disk", "ssd"}, {"ray.io/node-id", far_id_}}));
  const std::string list = AnswerOf("list nodes --json --session " + head_->session());
  EXPECT_NE(list.find("\"labels\":{\"ray.io/node-id\":\"" + head_id_ + "\",\"zone\":\"near\"}"), std::string::npos) << list;
  EXPECT_NE(list.find("\"labels\":{\"disk\":\"ssd\",\"ray.io/node-id\":\"" + far_id_ + "\",\"zone\":\"far\"}"), std::string::npos) << list;
}

TEST_F(TwoNodesConstraints, SelectorsChooseNodes) {
  EXPECT_EQ(With({{"zone", "near"}}), head_id_);
  EXPECT_EQ(With({{"zone", "far"}}), far_id_);
  EXPECT_EQ(With({{"zone", "!near"}}), far_id_);
  EXPECT_EQ(With({{"zone", "!in(far, elsewhere)"}}), head_id_);
  EXPECT_EQ(With({{"zone", "in(near, far)"}, {"disk", "ssd"}}), far_id_);
  EXPECT_EQ(With({{"disk", "!exists()"}}), head_id_);
  EXPECT_EQ(With({{"ray.io/node-id", far_id_}}), far_id_);
  auto actor = manta::Actor<Place>().SetLabelSelector({{"disk", "exists()"}}).Remote();
  EXPECT_EQ(*actor.Task(&Place::Where).Remote().Get(10s), far_id_);
}

TEST_F(TwoNodesConstraints, HoldForManyTasksHoweverBusyTheNodeIs) {
  std::vector<manta::ObjectRef<std::string>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(manta::Task(SleepAndSayWhere).SetLabelSelector({{"zone", "near"}}).Remote(20));
  for (const auto& task : tasks) EXPECT_EQ(*task.Get(20s), head_id_) << "the other one is idle, and will not do";
}

TEST_F(TwoNodesConstraints, HoldForWhatIsSubmittedOnTheOtherNode) {
  for (const auto& [zone, expected] : {std::pair(std::string("near"), head_id_), std::pair(std::string("far"), far_id_)}) {
    const LabelSelector selector{{"zone", zone}};
    EXPECT_EQ(*manta::Task(ChildWith).SetLabelSelector({{"zone", "far"}}).Remote(selector).Get(10s), expected);
  }
}

TEST_F(TwoNodesConstraints, AffinityIsToANodeThatIsThere) {
  for (const std::string& id : {head_id_, far_id_}) {
    for (const bool soft : {false, true}) {
      EXPECT_EQ(By(SchedulingStrategy::NodeAffinity(id, soft)), id);
      auto actor = manta::Actor<Place>().SetSchedulingStrategy(SchedulingStrategy::NodeAffinity(id, soft)).Remote();
      EXPECT_EQ(*actor.Task(&Place::Where).Remote().Get(10s), id);
    }
  }
  const std::string nobody(32, 'f');
  EXPECT_NO_THROW(By(SchedulingStrategy::NodeAffinity(nobody, true)));
  try {
    By(SchedulingStrategy::NodeAffinity(nobody, false));
    ADD_FAILURE() << "it ran";
  } catch (const manta::TaskUnschedulableError& error) {
    const std::string said = error.what();
    EXPECT_NE(said.find("a node with ray.io/node-id=" + nobody), std::string::npos) << said;
    EXPECT_NE(said.find("ray.io/node-id=" + head_id_), std::string::npos) << said;
    EXPECT_NE(said.find("ray.io/node-id=" + far_id_), std::string::npos) << said;
  }
  auto actor = manta::Actor<Place>().SetSchedulingStrategy(SchedulingStrategy::NodeAffinity(nobody, false)).Remote();
  EXPECT_THROW(actor.Task(&Place::Where).Remote().Get(10s), manta::ActorUnschedulableError);
}

TEST_F(TwoNodesConstraints, SoftAffinityWaitsForABusyNodeUnlessItMaySpill) {
  const auto busy = manta::Task(SleepAndSayWhere).SetLabelSelector({{"zone", "near"}}).Remote(700);
  usleep(100'000);
  const auto spills = manta::Task(WhereIRun).SetSchedulingStrategy(SchedulingStrategy::NodeAffinity(head_id_, true, true)).Remote();
  EXPECT_EQ(*spills.Get(10s), far_id_);
  const auto waits = manta::Task(WhereIRun).SetSchedulingStrategy(SchedulingStrategy::NodeAffinity(head_id_, true)).Remote();
  EXPECT_EQ(*waits.Get(10s), head_id_);
  EXPECT_EQ(*busy.Get(10s), head_id_);
}

TEST_F(TwoNodesConstraints, AffinityMayFailWhereThereIsNoRoomNow) {
  for (const std::string& id : {head_id_, far_id_}) {
    const auto strategy = SchedulingStrategy::NodeAffinity(id, false, false, true);
    const double cpus = id == head_id_ ? 1 : 2;
    auto first = manta::Actor<Place>().SetNumCpus(cpus).SetSchedulingStrategy(strategy).Remote();
    EXPECT_EQ(*first.Task(&Place::Where).Remote().Get(10s), id);
    auto second = manta::Actor<Place>().SetNumCpus(cpus).SetSchedulingStrategy(strategy).Remote();
    EXPECT_THROW(second.Task(&Place::Where).Remote().Get(10s), manta::ActorUnschedulableError);
  }
  EXPECT_THROW(SchedulingStrategy::NodeAffinity(head_id_, true, false, true), manta::InvalidArgumentError);
  EXPECT_THROW(SchedulingStrategy::NodeAffinity(head_id_, false, true), manta::InvalidArgumentError);
}

TEST_F(TwoNodesConstraints, HardAffinityFailsWithItsNodeAndSoftGoesElsewhere) {
  const auto hard = SchedulingStrategy::NodeAffinity(far_id_, false);
  const auto task = manta::Task(SleepAndSayWhere).SetSchedulingStrategy(hard).Remote(60'000);
  const auto soft = manta::Task(SleepAndSayWhere).SetSchedulingStrategy(SchedulingStrategy::NodeAffinity(far_id_, true)).Remote(500);
  auto actor = manta::Actor<Place>().SetNumCpus(0).SetMaxRestarts(-1).SetSchedulingStrategy(hard).Remote();
  ASSERT_EQ(*actor.Task(&Place::Where).Remote().Get(10s), far_id_);
  usleep(200'000);
  node_->Kill();
  EXPECT_THROW(task.Get(20s), manta::TaskUnschedulableError);
  EXPECT_EQ(*soft.Get(20s), head_id_);
  EXPECT_THROW(actor.Task(&Place::Where).Remote().Get(20s), manta::ActorUnschedulableError);
}

TEST_F(TwoNodesConstraints, RestartsHonourTheSelector) {
  auto actor = manta::Actor<Place>().SetMaxRestarts(3).SetMaxTaskRetries(3).SetLabelSelector({{"zone", "far"}}).Remote();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(*actor.Task(&Place::Where).Remote().Get(10s), far_id_);
    kill(*actor.Task(&Place::Pid).Remote().Get(10s), SIGKILL);
  }
  EXPECT_EQ(*actor.Task(&Place::Where).Remote().Get(10s), far_id_);
  manta::Actor<Place>().SetName("kept").SetDetached().SetMaxRestarts(-1).SetLabelSelector({{"zone", "far"}}).Remote();
  auto detached = *manta::GetActor<Place>("kept");
  EXPECT_EQ(*detached.Task(&Place::Where).Remote().Get(10s), far_id_) << "the steward passes it on";
  detached.Kill();
}

TEST_F(TwoNodesConstraints, FallbacksAreTriedInTheirOrder) {
  EXPECT_EQ(With({{"zone", "far"}}, {{{"zone", "near"}}}), far_id_);
  EXPECT_EQ(With({{"zone", "nowhere"}}, {{{"zone", "far"}}, {{"zone", "near"}}}), far_id_);
  EXPECT_EQ(With({{"zone", "nowhere"}}, {{{"disk", "hdd"}}, {}}), head_id_);
  const auto busy = manta::Task(SleepAndSayWhere).SetLabelSelector({{"zone", "near"}}).Remote(700);
  usleep(100'000);
  EXPECT_EQ(With({{"zone", "near"}}, {{{"zone", "far"}}}), far_id_) << "the first has no room now";
  busy.Get(10s);
  node_->Kill();
  EXPECT_EQ(With({{"zone", "far"}}, {{{"zone", "near"}}}), head_id_);
}

TEST_F(TwoNodesConstraints, LabelsMayBeWantedHardOrSoft) {
  EXPECT_EQ(By(SchedulingStrategy::NodeLabels({{"zone", "in(near, far)"}}, {{"disk", "ssd"}})), far_id_);
  EXPECT_EQ(By(SchedulingStrategy::NodeLabels({{"zone", "near"}}, {{"disk", "ssd"}})), head_id_);
  EXPECT_EQ(By(SchedulingStrategy::NodeLabels({}, {{"disk", "ssd"}})), far_id_);
  EXPECT_EQ(*manta::Task(WhereIRun)
                 .SetSchedulingStrategy(SchedulingStrategy::NodeLabels({{"zone", "in(near, far)"}}))
                 .SetLabelSelector({{"disk", "ssd"}})
                 .Remote()
                 .Get(10s),
            far_id_)
      << "both hold";
}

TEST_F(TwoNodesConstraints, SpreadingUsesBothNodes) {
  const auto count = [&](const std::vector<std::string>& where) { return std::count(where.begin(), where.end(), head_id_); };
  std::vector<std::string> where;
  for (int i = 0; i < 6; ++i) where.push_back(By(SchedulingStrategy::Spread()));
  EXPECT_EQ(count(where), 3) << "tasks of microseconds, one after the other";
  std::vector<manta::ActorHandle<Place>> actors;
  where.clear();
  for (int i = 0; i < 6; ++i) {
    actors.push_back(manta::Actor<Place>().SetSchedulingStrategy(SchedulingStrategy::Spread()).Remote());
    where.push_back(*actors.back().Task(&Place::Where).Remote().Get(10s));
  }
  EXPECT_EQ(count(where), 3);
  where.clear();
  for (int i = 0; i < 4; ++i) {
    where.push_back(*manta::Task(WhereIRun).SetSchedulingStrategy(SchedulingStrategy::Spread()).SetLabelSelector({{"zone", "far"}}).Remote().Get(10s));
  }
  EXPECT_EQ(count(where), 0) << "over those that will do";
  const auto busy = manta::Task(SleepAndSayWhere).SetLabelSelector({{"zone", "near"}}).Remote(500);
  usleep(100'000);
  EXPECT_EQ(By(SchedulingStrategy::Spread()), far_id_);
  EXPECT_EQ(By(SchedulingStrategy::Spread()), far_id_) << "the other one has no room";
  busy.Get(10s);
}

TEST_F(TwoNodesConstraints, WhatNoNodeMeetsWaitsAndSaysSo) {
  testing::internal::CaptureStderr();
  const auto task = manta::Task(WhereIRun).SetLabelSelector({{"zone", "moon"}, {"disk", "ssd"}}).Remote();
  EXPECT_THROW(task.Get(6s), manta::GetTimeoutError);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("waited for 5 s: needs {CPU: 1} on a node with disk=ssd and zone=moon but this one has no disk, zone=near"), std::string::npos)
      << said;
  EXPECT_NE(said.find("; node 2 has disk=ssd, zone=far and {CPU: 2"), std::string::npos) << said;
  const std::string demands = AnswerOf("list demands --json --session " + head_->session());
  EXPECT_NE(demands.find("\"nodes\":\"disk=ssd & zone=moon\""), std::string::npos) << demands;
  node_.reset();
  StartedNode moon("--address=" + head_->node_address() + " --num-cpus=1 --labels=zone=moon,disk=ssd --object-store-memory=" + std::to_string(kStore));
  EXPECT_EQ(task.Get(10s)->size(), 32u) << "a node that does has joined";
}

TEST_F(TwoNodesConstraints, WhatTheNodeThatWouldDoHasNotIsAnError) {
  EXPECT_THROW(manta::Task(WhereIRun).SetNumCpus(2).SetLabelSelector({{"zone", "near"}}).Remote().Get(10s), manta::TaskUnschedulableError);
}

TEST_F(TwoNodesConstraints, BundlesGoWhereTheirSelectorsSay) {
  manta::PlacementGroupOptions options;
  options.bundle_label_selectors = {{{"zone", "far"}}, {{"zone", "near"}}};
  const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}, {{"CPU", 1}}}, options);
  ASSERT_TRUE(group.Wait(10s));
  const auto where = [](const manta::PlacementGroup& group, int index) {
    return *manta::Task(WhereIRun).SetPlacementGroup(group, index).Remote().Get(10s);
  };
  EXPECT_EQ(where(group, 0), far_id_);
  EXPECT_EQ(where(group, 1), head_id_);
  EXPECT_EQ(*manta::Task(WhereIRun).SetPlacementGroup(group).SetLabelSelector({{"zone", "near"}}).Remote().Get(10s), head_id_)
      << "a selector of a task holds in a group, too";
  manta::RemovePlacementGroup(group);
  options.bundle_label_selectors = {{{"zone", "moon"}}};
  const auto waits = manta::CreatePlacementGroup({{{"CPU", 1}}}, options);
  EXPECT_FALSE(waits.Wait(200));
  EXPECT_NE(waits.WaitsFor().find("bundle 0 needs {CPU: 1} on a node with zone=moon but node 1 has zone=near and {CPU: 1}, node 2 has zone=far"),
            std::string::npos)
      << waits.WaitsFor();
  EXPECT_THROW(manta::CreatePlacementGroup({{{"CPU", 1}}, {{"CPU", 1}}}, options), manta::InvalidArgumentError);
}

TEST_F(TwoNodesConstraints, BundlesOfADeadNodeGoOnlyWhereTheyMay) {
  manta::PlacementGroupOptions options;
  options.bundle_label_selectors = {{{"zone", "in(near, far)"}}};
  options.soft_node_id = far_id_;
  const auto moves = manta::CreatePlacementGroup({{{"CPU", 1}}}, options);
  options.bundle_label_selectors = {{{"disk", "ssd"}}};
  const auto stays = manta::CreatePlacementGroup({{{"CPU", 1}}}, options);
  ASSERT_TRUE(moves.Wait(10s));
  ASSERT_TRUE(stays.Wait(10s));
  node_->Kill();
  EXPECT_EQ(*manta::Task(WhereIRun).SetPlacementGroup(moves).Remote().Get(10s), head_id_);
  EXPECT_EQ(stays.State(), manta::PlacementGroupState::kRescheduling);
}

TEST_F(TwoNodesConstraints, BadOnesAreErrorsOfTheCall) {
  EXPECT_THROW(manta::Task(WhereIRun).SetLabelSelector({{"zone", "in()"}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(WhereIRun).SetLabelSelector({{"zo|ne", "eu"}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(WhereIRun).SetFallbackStrategy({{{"zone", "a b"}}}), manta::InvalidArgumentError);
  EXPECT_THROW(SchedulingStrategy::NodeLabels({{"zone", "!!eu"}}), manta::InvalidArgumentError);
  EXPECT_THROW(SchedulingStrategy::NodeAffinity("", false), manta::InvalidArgumentError);
  EXPECT_THROW(SchedulingStrategy::NodeAffinity("no id", false), manta::InvalidArgumentError);
}

TEST_F(TwoNodesConstraints, LabelsOfNodesAreChecked) {
  const auto refusal = [&](const std::string& arguments) { return RefusalOf("--head " + arguments); };
  EXPECT_NE(refusal("--labels=zone").find("--labels: 'zone' is no label: write NAME=VALUE"), std::string::npos);
  EXPECT_NE(refusal("--labels=ray.io/zone=eu").find("are set by the system"), std::string::npos);
  EXPECT_NE(refusal("--labels-file=/nowhere").find("--labels-file /nowhere: No such file"), std::string::npos);
}

}  // namespace
}  // namespace manta_test
