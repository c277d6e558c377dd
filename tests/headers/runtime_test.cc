// Init, Shutdown and what surrounds the calling code.
#include "manta/runtime.h"

#include <map>
#include <string>

#include "tests/headers/header_test.h"

namespace {

using RuntimeTest = HeaderTest;

TEST(Runtime, InitHandsOverTheConfiguration) {
  EXPECT_FALSE(manta::IsInitialized());
  manta::Config config;
  config.address = "local";
  config.ray_namespace = "space";
  config.num_cpus = 4;
  config.num_gpus = 0;
  config.resources = {{"special", 2.5}};
  config.object_store_bytes = 1 << 20;
  config.log_to_driver = false;
  config.python = "python3.12";
  config.code_search_path = {"/modules", "lib.so"};
  manta::Init(config);
  EXPECT_TRUE(manta::IsInitialized());
  const manta_fake::InitOptions& options = manta_fake::LastInit();
  EXPECT_EQ(options.address, "local");
  EXPECT_EQ(options.ray_namespace, "space");
  EXPECT_EQ(options.num_cpus, 4);
  EXPECT_EQ(options.num_gpus, 0);
  ASSERT_EQ(options.resources.size(), 1u);
  EXPECT_EQ(options.resources[0].first, "special");
  EXPECT_EQ(options.resources[0].second, 2.5);
  EXPECT_EQ(options.object_store_bytes, 1u << 20);
  EXPECT_FALSE(options.log_to_driver);
  EXPECT_EQ(options.python, "python3.12");
  EXPECT_EQ(options.code_search_path, (std::vector<std::string>{"/modules", "lib.so"}));
  EXPECT_THROW(manta::Init(), manta::InvalidArgumentError);
  manta::Shutdown();
  EXPECT_FALSE(manta::IsInitialized());
  manta::Shutdown();
  manta::Init();
  EXPECT_EQ(manta_fake::LastInit().address, "");
  EXPECT_EQ(manta_fake::LastInit().num_cpus, -1);
  EXPECT_TRUE(manta_fake::LastInit().log_to_driver);
  EXPECT_EQ(manta_fake::LastInit().python, "");
  manta::Shutdown();
}

TEST_F(RuntimeTest, ContextOfADriver) {
  const manta::RuntimeContext context = manta::GetRuntimeContext();
  EXPECT_EQ(context.GetWorkerId(), "0000000000000007");
  EXPECT_EQ(context.GetJobId(), "0000000000001234");
  EXPECT_EQ(context.GetNodeId(), "ab" + std::string(30, '0'));
  EXPECT_EQ(context.GetTaskId(), "");
  EXPECT_EQ(context.GetActorId(), "");
  EXPECT_EQ(context.GetTaskName(), "");
  EXPECT_EQ(context.GetNamespace(), "fake_namespace");
  EXPECT_EQ(context.GetSessionDirectory(), "/tmp/fake");
  EXPECT_TRUE(context.IsDriver());
  EXPECT_EQ(manta::GetNamespace(), "fake_namespace");
}

struct Where {
  std::string task;
  std::string actor;
  bool is_driver;
};
Where WhereAmI() {
  const manta::RuntimeContext context = manta::GetRuntimeContext();
  return {context.GetTaskId(), context.GetActorId(), context.IsDriver()};
}
struct Locator {
  Where Locate() { return WhereAmI(); }
  bool WasRestarted() { return manta::WasCurrentActorRestarted(); }
};

TEST_F(RuntimeTest, ContextOfTasksAndActors) {
  const auto task = manta::Task(WhereAmI).Remote().Get();
  EXPECT_EQ(task->task.size(), 32u);
  EXPECT_EQ(task->actor, "");
  EXPECT_FALSE(task->is_driver);
  const auto locator = manta::Actor<Locator>().Remote();
  EXPECT_EQ(locator.Task(&Locator::Locate).Remote().Get()->actor, locator.ID());
  EXPECT_TRUE(*locator.Task(&Locator::WasRestarted).Remote().Get());
}

TEST_F(RuntimeTest, GpusAndResourcesOfTheCaller) {
  EXPECT_TRUE(manta::GetGpuIds().empty());
  EXPECT_EQ(*manta::Task(manta::GetGpuIds).Remote().Get(), (std::vector<int>{0, 2}));
  const manta::RuntimeContext context = manta::GetRuntimeContext();
  EXPECT_EQ(context.GetPid(), 4711);
  EXPECT_EQ(context.GetAssignedResources(), (std::map<std::string, double>{{"GPU", 0.5}}));
}

TEST_F(RuntimeTest, Resources) {
  const std::map<std::string, double> total = manta::ClusterResources();
  EXPECT_EQ(total.size(), 41u) << "more than fit at first";
  EXPECT_EQ(total.at("CPU"), 4);
  EXPECT_EQ(total.at("custom39"), 4);
  EXPECT_EQ(manta::AvailableResources().at("CPU"), 1);
}

}  // namespace
