// What a cluster has, who gets it, and what is said when it is not enough.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

class Resources : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    manta::Config config;
    config.num_cpus = 2;
    config.num_gpus = 2;
    config.resources = {{"disk", 1.5}};
    config.object_store_bytes = 64 << 20;
    manta::Init(config);
  }
};

struct Holder {
  int Answer() { return 42; }
};

TEST_F(Resources, OfTheClusterHaveTheNamesOfRay) {
  const std::map<std::string, double> total = manta::ClusterResources();
  EXPECT_EQ(total.at("CPU"), 2);
  EXPECT_EQ(total.at("GPU"), 2);
  EXPECT_EQ(total.at("disk"), 1.5);
  EXPECT_EQ(total.at("object_store_memory"), 64 << 20);
  EXPECT_GT(total.at("memory"), 64 << 20);
  EXPECT_EQ(total.at("node:__internal_head__"), 1);
  EXPECT_EQ(total.at("node:127.0.0.1"), 1) << "as it is listed";
  EXPECT_EQ(total.size(), 7u) << "and the node's address";
}

class ResourcesOfNoCluster : public ClusterTest {};

TEST_F(ResourcesOfNoCluster, WithSettingsOfTheirOwnAreNotCustom) {
  for (const auto& [name, setting] : {std::pair{"CPU", "num_cpus"}, {"GPU", "num_gpus"}, {"object_store_memory", "object_store_bytes"}}) {
    manta::Config config;
    config.resources[name] = 2;
    EXPECT_NE(MessageOf<manta::InvalidArgumentError>([&] { manta::Init(config); }).find(setting), std::string::npos) << name;
  }
}

TEST_F(Resources, ThatAreAvailableShrinkAndGrow) {
  EXPECT_EQ(manta::AvailableResources(), manta::ClusterResources());
  {
    auto actor = manta::Actor<Holder>().SetNumCpus(1).SetNumGpus(0.5).SetResource("disk", 1.5).Remote();
    EXPECT_EQ(*actor.Task(&Holder::Answer).Remote().Get(), 42);
    const std::map<std::string, double> available = manta::AvailableResources();
    EXPECT_EQ(available.at("CPU"), 1);
    EXPECT_EQ(available.at("GPU"), 1.5);
    EXPECT_EQ(available.at("disk"), 0) << "used up is zero, not missing";
  }
  EXPECT_TRUE(Eventually(5s, [] { return manta::AvailableResources() == manta::ClusterResources(); }));
}

TEST_F(Resources, OfObjectsAreTakenByObjects) {
  const auto large = manta::Put(std::string(8 << 20, 'x'));
  const double used = manta::ClusterResources().at("object_store_memory") -
                      manta::AvailableResources().at("object_store_memory");
  EXPECT_GE(used, 8 << 20);
  EXPECT_LT(used, 9 << 20);
}

TEST_F(Resources, InATaskAreThoseOfTheCluster) {
  const auto inside = manta::Task(manta::ClusterResources).Remote().Get();
  EXPECT_EQ(*inside, manta::ClusterResources());
}

struct Place {
  std::vector<int> gpus;
  std::string visible;
  std::map<std::string, double> assigned;
};
Place WhereAmI() {
  const manta::RuntimeContext context = manta::GetRuntimeContext();
  const char* visible = getenv("CUDA_VISIBLE_DEVICES");
  return {context.GetGpuIds(), visible == nullptr ? "unset" : visible, context.GetAssignedResources()};
}
struct Model {
  Model() : at_start(WhereAmI()) {}
  Place AtStart() { return at_start; }
  Place Now() { return WhereAmI(); }
  std::string Id() { return manta::GetRuntimeContext().GetActorId(); }
  Place at_start;
};
using Indices = std::vector<int>;
using Amounts = std::map<std::string, double>;

TEST_F(Resources, OfATaskAreKnownToIt) {
  const auto place = manta::Task(WhereAmI).SetNumGpus(2).SetResource("disk", 0.5).Remote().Get();
  EXPECT_EQ(place->gpus, (Indices{0, 1}));
  EXPECT_EQ(place->visible, "0,1") << "before user code";
  EXPECT_EQ(place->assigned, (Amounts{{"CPU", 1}, {"GPU", 2}, {"disk", 0.5}}));
  const auto without = manta::Task(WhereAmI).Remote().Get();
  EXPECT_EQ(without->gpus, Indices());
  EXPECT_EQ(without->visible, "") << "the node has GPUs, but not for it";
  EXPECT_EQ(without->assigned, (Amounts{{"CPU", 1}}));
  EXPECT_EQ(WhereAmI().assigned, Amounts()) << "a driver holds nothing";
}

TEST_F(Resources, SharesOfGpusPack) {
  auto half = manta::Actor<Model>().SetNumCpus(0).SetNumGpus(0.5).Remote();
  auto other_half = manta::Actor<Model>().SetNumCpus(0).SetNumGpus(0.5).Remote();
  EXPECT_EQ(half.Task(&Model::AtStart).Remote().Get()->gpus, Indices{0});
  EXPECT_EQ(other_half.Task(&Model::AtStart).Remote().Get()->visible, "0");
  auto whole = manta::Actor<Model>().SetNumCpus(0).SetNumGpus(1).Remote();
  EXPECT_EQ(whole.Task(&Model::AtStart).Remote().Get()->gpus, Indices{1});
  EXPECT_EQ(whole.Task(&Model::Now).Remote().Get()->visible, "1");
  EXPECT_EQ(whole.Task(&Model::Now).Remote().Get()->assigned, (Amounts{{"GPU", 1}}));
  EXPECT_EQ(*whole.Task(&Model::Id).Remote().Get(), whole.ID());
}

TEST_F(Resources, AWorkerNeverSeesTwoSetsOfGpus) {
  std::map<std::string, std::set<int>> seen;  // by process
  for (int i = 0; i < 20; ++i) {
    const auto one = manta::Task(+[] {
                       return std::make_pair(manta::GetRuntimeContext().GetWorkerId(),
                                             manta::GetGpuIds());
                     }).SetNumGpus(i % 2 + 1).Remote().Get();
    seen[one->first].insert(static_cast<int>(one->second.size()));
  }
  for (const auto& [worker, sizes] : seen) EXPECT_EQ(sizes.size(), 1u) << worker;
}

manta::ObjectRef<std::string> PutInside() { return manta::Put(std::string("from a GPU")); }

TEST_F(Resources, WhatATaskWithGpusOwnsOutlivesItsLease) {
  auto inner = *manta::Task(PutInside).SetNumGpus(2).Remote().Get();
  // Only another worker can have the GPUs, and only when the lease has ended.
  EXPECT_EQ(manta::Task(WhereAmI).SetNumGpus(1).Remote().Get()->visible, "0");
  EXPECT_EQ(*inner.Get(), "from a GPU");
}

TEST_F(Resources, PartsOfSeveralGpusAreNoWholeOne) {
  auto first = manta::Actor<Model>().SetNumCpus(0).SetNumGpus(0.6).Remote();
  auto second = manta::Actor<Model>().SetNumCpus(0).SetNumGpus(0.6).Remote();
  ASSERT_EQ(first.Task(&Model::AtStart).Remote().Get()->gpus.size(), 1u);
  ASSERT_EQ(second.Task(&Model::AtStart).Remote().Get()->gpus.size(), 1u);
  const auto waiting = manta::Task(WhereAmI).SetNumGpus(0.8).Remote();
  EXPECT_THROW(waiting.Get(300), manta::GetTimeoutError);
  first = {};
  EXPECT_EQ(waiting.Get()->gpus.size(), 1u);
}

TEST_F(Resources, ThatNobodyHasAreNamed) {
  const std::string unknown = MessageOf<manta::TaskUnschedulableError>(
      [] { manta::Task(WhereAmI).SetResource("tape", 1).Remote().Get(); });
  EXPECT_NE(unknown.find("no 'tape'"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("CPU: 2, GPU: 2, disk: 1.5"), std::string::npos) << unknown;
  const std::string many = MessageOf<manta::TaskUnschedulableError>(
      [] { manta::Task(WhereAmI).SetNumGpus(3).Remote().Get(); });
  EXPECT_NE(many.find("GPU: 3"), std::string::npos) << many;
  const std::string uneven = MessageOf<manta::InvalidArgumentError>(
      [] { manta::Task(WhereAmI).SetNumGpus(1.5).Remote(); });
  EXPECT_NE(uneven.find("whole number"), std::string::npos) << uneven;
}

TEST_F(Resources, MemoryIsCounted) {
  const double all = manta::ClusterResources().at("memory");
  auto most = manta::Actor<Model>().SetNumCpus(0).SetMemory(all * 3 / 4).Remote();
  most.Task(&Model::Now).Remote().Get();
  EXPECT_THROW(manta::Task(WhereAmI).SetMemory(all / 2).Remote().Get(300), manta::GetTimeoutError);
  EXPECT_EQ(manta::Task(WhereAmI).SetMemory(1 << 20).Remote().Get()->assigned.at("memory"), 1 << 20);
  EXPECT_THROW(manta::Task(WhereAmI).SetMemory(all * 2).Remote().Get(), manta::TaskUnschedulableError);
}

TEST_F(Resources, OfSeveralNamesAreTakenTogether) {
  const auto place = manta::Task(WhereAmI)
                         .SetName("placed")
                         .SetResources({{"CPU", 0.5}, {"GPU", 0.25}, {"disk", 1}})
                         .Remote()
                         .Get();
  EXPECT_EQ(place->assigned, (Amounts{{"CPU", 0.5}, {"GPU", 0.25}, {"disk", 1}}));
}

struct Identity {
  std::string node, job, worker, task, actor, name_space;
  int pid;
};
Identity WhoAmI() {
  const manta::RuntimeContext context = manta::GetRuntimeContext();
  return {context.GetNodeId(), context.GetJobId(),     context.GetWorkerId(), context.GetTaskId(),
          context.GetActorId(), context.GetNamespace(), context.GetPid()};
}

TEST_F(Resources, TheContextSaysWhoRunsWhere) {
  const Identity driver = WhoAmI();
  const auto first = manta::Task(WhoAmI).Remote().Get();
  const auto second = manta::Task(WhoAmI).Remote().Get();
  EXPECT_EQ(driver.node.size(), 32u);
  EXPECT_NE(driver.node, std::string(32, '0'));
  EXPECT_EQ(first->node, driver.node);
  EXPECT_EQ(first->job, driver.job);
  EXPECT_EQ(first->name_space, driver.name_space);
  EXPECT_EQ(driver.pid, getpid());
  EXPECT_NE(first->pid, driver.pid);
  EXPECT_NE(first->worker, driver.worker);
  EXPECT_EQ(driver.task, "");
  EXPECT_EQ(first->task.size(), 32u);
  EXPECT_NE(first->task, second->task);
  EXPECT_EQ(first->actor, "");
}

TEST(ResourcesOfNothing, NeedInit) {
  EXPECT_THROW(manta::ClusterResources(), manta::NotInitializedError);
  EXPECT_THROW(manta::AvailableResources(), manta::NotInitializedError);
}

std::string OutputOf(const std::string& arguments) {
  FILE* pipe = popen((std::string(getenv("MANTA_EXECUTABLE")) + " " + arguments).c_str(), "r");
  std::string text;
  char buffer[4096];
  for (size_t size; (size = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, size);
  EXPECT_EQ(pclose(pipe), 0) << text;
  return text;
}

// The number behind "name": in the part of the JSON that begins with `part`.
double Number(const std::string& json, const std::string& part, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const size_t at = json.find(key, json.find("\"" + part + "\":"));
  return at == std::string::npos ? -1 : atof(json.c_str() + at + key.size());
}

class StartedResources : public ClusterTest {};

TEST_F(StartedResources, AreThoseThatStatusShows) {
  StartedCluster cluster("--num-cpus 2 --num-gpus 1 --resources '{\"disk\": 3}'");
  manta::Config config;
  config.address = cluster.address();
  manta::Init(config);
  auto large = manta::Put(std::string(1 << 20, 'x'));
  auto actor = manta::Actor<Holder>().SetNumCpus(0.5).SetResource("disk", 2).Remote();
  ASSERT_EQ(*actor.Task(&Holder::Answer).Remote().Get(), 42);
  const std::string status = OutputOf("status --json --address " + cluster.address());
  for (const auto& [name, amount] : manta::ClusterResources()) {
    EXPECT_EQ(Number(status, "total", name), amount) << name;
  }
  for (const auto& [name, amount] : manta::AvailableResources()) {
    EXPECT_EQ(Number(status, "available", name), amount) << name;
  }
  large = {};
  actor = {};
}

TEST_F(ClusterTest, NegativeAmountsAreRefused) {
  manta::Init();
  EXPECT_THROW(manta::Task(WhereAmI).SetNumCpus(-1).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(WhereAmI).SetNumGpus(-1).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(WhereAmI).SetMemory(-1).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Model>().SetNumCpus(-1).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(WhereAmI).SetResource("disk", -1).Remote(), manta::InvalidArgumentError);
}

}  // namespace
}  // namespace manta_test
