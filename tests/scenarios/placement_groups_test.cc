// Placement groups: reserved all or nothing, used by those that name them, gone with their removal.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

class PlacementGroups : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    manta::Config config;
    config.num_cpus = 4;
    config.num_gpus = 2;
    manta::Init(config);
  }
};

std::string MyGroup() { return manta::GetCurrentPlacementGroup().ID(); }
std::string NoGroup() { return manta::PlacementGroup().ID(); }
std::string ChildsGroup() { return *manta::Task(MyGroup).Remote().Get(); }
std::string ChildsGroupOutside() { return *manta::Task(MyGroup).SetPlacementGroup({}).Remote().Get(); }
std::string GroupOf(const manta::PlacementGroup& group) {
  return *manta::Task(MyGroup).SetNumCpus(0).SetPlacementGroup(group).Remote().Get();
}
int Sleep(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return milliseconds;
}
int Fast() { return 1; }
double FreeCpus() { return manta::AvailableResources().at("CPU"); }

class Worker {
 public:
  std::string Group() { return MyGroup(); }
  std::string OfChild() { return ChildsGroup(); }
  int Pid() { return getpid(); }
};

TEST_F(PlacementGroups, AreReservedForWhatNamesThem) {
  const manta::PlacementGroup group = manta::CreatePlacementGroup({{{"CPU", 1}}, {{"CPU", 1}, {"GPU", 1}}});
  ASSERT_TRUE(group.Wait(10s));
  EXPECT_EQ(group.State(), manta::PlacementGroupState::kCreated);
  EXPECT_EQ(group.WaitsFor(), "");
  EXPECT_EQ(group.ID().size(), 32u);
  EXPECT_EQ(FreeCpus(), 2);
  EXPECT_EQ(manta::ClusterResources().at("CPU"), 4);
  EXPECT_EQ(*manta::Task(MyGroup).SetPlacementGroup(group, 0).Remote().Get(), group.ID());
  EXPECT_EQ(*manta::Task(MyGroup).Remote().Get(), NoGroup());
  auto worker = manta::Actor<Worker>().SetNumGpus(1).SetPlacementGroup(group, 1).Remote();
  EXPECT_EQ(*worker.Task(&Worker::Group).Remote().Get(), group.ID());
  EXPECT_TRUE(Eventually(5s, [] { return FreeCpus() == 2; })) << "of the group, not of the node; idle leases go back";
  EXPECT_EQ(MyGroup(), NoGroup()) << "in the driver";
}

TEST_F(PlacementGroups, HandlesTravel) {
  const manta::PlacementGroup group = manta::CreatePlacementGroup({{{"CPU", 1}}});
  EXPECT_EQ(*manta::Task(GroupOf).Remote(group).Get(), group.ID());
  EXPECT_FALSE(group.Empty());
  EXPECT_TRUE(manta::PlacementGroup().Empty());
  EXPECT_EQ(manta::PlacementGroup(group.Handle(), "", {}, group.Strategy()), group) << "the id is what counts";
  const auto copy = manta::Put(group).Get();
  EXPECT_EQ(*copy, group);
  EXPECT_FALSE(*copy != group);
  EXPECT_EQ(copy->Bundles(), group.Bundles());
}

TEST_F(PlacementGroups, AreFoundByName) {
  manta::PlacementGroupOptions options;
  options.name = "mine";
  options.strategy = manta::PlacementStrategy::kStrictPack;
  const manta::PlacementGroup group = manta::CreatePlacementGroup({{{"CPU", 2}}}, options);
  const auto found = manta::GetPlacementGroup("mine");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, group);
  EXPECT_EQ(found->Name(), "mine");
  EXPECT_EQ(found->Strategy(), manta::PlacementStrategy::kStrictPack);
  EXPECT_EQ(found->Bundles(), group.Bundles());
  EXPECT_THROW(manta::CreatePlacementGroup({{{"CPU", 1}}}, options), manta::InvalidArgumentError);
  options.ray_namespace = "elsewhere";
  options.detached = true;
  options.soft_node_id = manta::GetRuntimeContext().GetNodeId();
  manta::CreatePlacementGroup({{{"CPU", 1}}}, options);
  EXPECT_TRUE(manta::GetPlacementGroup("mine", "elsewhere"));
  EXPECT_EQ(manta::GetAllPlacementGroups().size(), 2u);
  manta::RemovePlacementGroup(group);
  EXPECT_FALSE(manta::GetPlacementGroup("mine"));
}

TEST_F(PlacementGroups, WaitForOneAnotherInOrder) {
  const auto first = manta::CreatePlacementGroup({{{"CPU", 3}}});
  ASSERT_TRUE(first.Wait(10s));
  const auto second = manta::CreatePlacementGroup({{{"CPU", 2}}});
  EXPECT_FALSE(second.Wait(50));
  EXPECT_EQ(second.State(), manta::PlacementGroupState::kPending);
  EXPECT_NE(second.WaitsFor().find("bundle 0 needs {CPU: 2} on one node but node 1 has {CPU: 1}"), std::string::npos) << second.WaitsFor();
  const auto task = manta::Task(MyGroup).SetPlacementGroup(second).Remote();
  EXPECT_THROW(task.Get(50), manta::GetTimeoutError);
  manta::RemovePlacementGroup(first);
  EXPECT_EQ(*task.Get(10s), second.ID());
}

TEST_F(PlacementGroups, GoBeforeAStreamOfTasksAndIdleLeases) {
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 400; ++i) tasks.push_back(manta::Task(Sleep).Remote(10));
  const auto began = std::chrono::steady_clock::now();
  const auto group = manta::CreatePlacementGroup({{{"CPU", 4}}});
  ASSERT_TRUE(group.Wait(10s));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 900ms) << "all of the tasks take a second";
  manta::RemovePlacementGroup(group);
  manta::Get(tasks);
  manta::Task(Fast).Remote().Get();
  const auto again = std::chrono::steady_clock::now();
  ASSERT_TRUE(manta::CreatePlacementGroup({{{"CPU", 4}}}).Wait(10s));
  EXPECT_LT(std::chrono::steady_clock::now() - again, 70ms) << "idle leases are kept for longer";
}

TEST_F(PlacementGroups, PassThemselvesOnToChildrenIfWanted) {
  const auto group = manta::CreatePlacementGroup({{{"CPU", 2}}});
  EXPECT_EQ(*manta::Task(ChildsGroup).SetPlacementGroup(group, 0, true).Remote().Get(), group.ID());
  EXPECT_EQ(*manta::Task(ChildsGroup).SetPlacementGroup(group, 0).Remote().Get(), NoGroup());
  EXPECT_EQ(*manta::Task(ChildsGroupOutside).SetPlacementGroup(group, 0, true).Remote().Get(), NoGroup());
  auto worker = manta::Actor<Worker>().SetPlacementGroup(group, -1, true).Remote();
  EXPECT_EQ(*worker.Task(&Worker::OfChild).Remote().Get(), group.ID());
}

TEST_F(PlacementGroups, RefuseWhatCannotBe) {
  EXPECT_THROW(manta::CreatePlacementGroup({}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::CreatePlacementGroup({manta::Bundle{}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::CreatePlacementGroup({{{"CPU", 0}}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::CreatePlacementGroup({{{"CPU", -1}}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::CreatePlacementGroup({{{"bundle", 1}}}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::CreatePlacementGroup({{{"GPU", 1.5}}}), manta::InvalidArgumentError);
  manta::PlacementGroupOptions options;
  options.soft_node_id = "no such node";
  EXPECT_THROW(manta::CreatePlacementGroup({{{"CPU", 1}}}, options), manta::InvalidArgumentError);
  const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}});
  EXPECT_THROW(manta::Task(Fast).SetPlacementGroup(group, 1).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(Fast).SetPlacementGroup(group, -2).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(Fast).SetNumCpus(2).SetPlacementGroup(group).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Worker>().SetNumGpus(1).SetPlacementGroup(group).Remote(), manta::InvalidArgumentError);
}

TEST_F(PlacementGroups, EndWithTheirRemoval) {
  const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}, {{"CPU", 1}}});
  const auto running = manta::Task(Sleep).SetPlacementGroup(group, 0).SetMaxRetries(9).Remote(60'000);
  const auto queued = manta::Task(Sleep).SetPlacementGroup(group, 0).Remote(60'000);
  auto worker = manta::Actor<Worker>().SetNumCpus(1).SetMaxRestarts(-1).SetPlacementGroup(group, 1).Remote();
  EXPECT_EQ(*worker.Task(&Worker::Group).Remote().Get(), group.ID());
  auto unplaced = manta::Actor<Worker>().SetNumCpus(1).SetPlacementGroup(group, 1).Remote();
  const auto call = unplaced.Task(&Worker::Group).Remote();
  manta::RemovePlacementGroup(group);
  manta::RemovePlacementGroup(group);
  EXPECT_THROW(running.Get(10s), manta::TaskPlacementGroupRemovedError);
  EXPECT_THROW(queued.Get(10s), manta::TaskPlacementGroupRemovedError);
  EXPECT_THROW(call.Get(10s), manta::ActorPlacementGroupRemovedError);
  EXPECT_THROW(manta::Task(Fast).SetPlacementGroup(group).Remote().Get(10s), manta::TaskPlacementGroupRemovedError);
  EXPECT_THROW(group.Wait(10s), manta::TaskPlacementGroupRemovedError);
  try {
    for (int i = 0; i < 1000; ++i) worker.Task(&Worker::Group).Remote().Get(10s);
    ADD_FAILURE() << "the actor lives on";
  } catch (const manta::ActorDiedError& error) {
    EXPECT_NE(std::string(error.what()).find("placement group was removed"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(Eventually(5s, [] { return FreeCpus() == 4; }));
  EXPECT_EQ(group.State(), manta::PlacementGroupState::kRemoved);
}

TEST_F(PlacementGroups, KeepWhatAKilledWorkerHeld) {
  const auto group = manta::CreatePlacementGroup({{{"CPU", 1}}});
  auto worker = manta::Actor<Worker>().SetNumCpus(1).SetPlacementGroup(group).Remote();
  kill(*worker.Task(&Worker::Pid).Remote().Get(), SIGKILL);
  EXPECT_THROW(worker.Task(&Worker::Group).Remote().Get(10s), manta::ActorDiedError);
  EXPECT_EQ(FreeCpus(), 3);
  EXPECT_EQ(*manta::Task(MyGroup).SetPlacementGroup(group).Remote().Get(10s), group.ID());
}

}  // namespace
}  // namespace manta_test
