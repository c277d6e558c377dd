// What a cluster has, who gets it, and what is said when it is not enough.
#include <stdio.h>
#include <stdlib.h>

#include <map>
#include <string>

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
  EXPECT_EQ(total.size(), 7u) << "and the node's address";
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

}  // namespace
}  // namespace manta_test
