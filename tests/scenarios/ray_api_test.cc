// <ray/api.h>: programs written for Ray's C++ interface.
#include <chrono>
#include <ray/api.h>
#include <ray/api/metric.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

enum class Color { kRed, kGreen };

struct Point {
  int x = 0;
  std::string name;
  Color color = Color::kRed;
  MSGPACK_DEFINE(x, name, color);
};

int Plus(int x, int y) { return x + y; }
int One() { return 1; }
int One(int x) { return x; }
Point Move(Point point, int by) {
  point.x += by;
  point.color = Color::kGreen;
  return point;
}
int Fail() { throw std::runtime_error("as planned"); }
int Crash() { _exit(1); }
int Sleep() {
  usleep(2'000'000);
  return 0;
}

class Counter {
 public:
  explicit Counter(int init) : count(init) {}
  static Counter* Create(int init) { return new Counter(init); }
  static Counter* Create(int first, int second) { return new Counter(first + second); }
  int Add(int x) { return count += x; }
  int Get() const { return count; }
  bool Restarted() { return ray::WasCurrentActorRestarted(); }
  int Leave() {
    ray::ExitActor();
    return 1;
  }
  int count;
};

RAY_REMOTE(Plus, Move, Fail, Sleep);
RAY_REMOTE(RAY_FUNC(One), RAY_FUNC(One, int));
RAY_REMOTE(RAY_FUNC(Counter::Create, int), RAY_FUNC(Counter::Create, int, int), &Counter::Add);

class RayApi : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    ray::RayConfig config;
    config.head_args = {"--num-cpus", "2", "--resources", "{\"disk\": 2, \"tape\": 0.5}"};
    ray::Init(config);
  }
  void TearDown() override {
    ray::Shutdown();
    ClusterTest::TearDown();
  }
};

TEST_F(RayApi, PutsGetsAndWaits) {
  const auto object = ray::Put(Point{3, "p", Color::kRed});
  EXPECT_EQ(ray::Get(object)->name, "p");
  std::vector<ray::ObjectRef<int>> objects = {ray::Put(1), ray::Put(2)};
  EXPECT_EQ(*ray::Get(objects)[1], 2);
  EXPECT_EQ(*ray::Get(objects, 1000)[0], 1);
  EXPECT_EQ(*ray::Get<int>({objects[0].ID(), objects[1].ID()})[1], 2) << "by their ids";
  const ray::WaitResult<int> result = ray::Wait(objects, 1, 1000);
  EXPECT_EQ(result.ready.size(), 1u);
  EXPECT_EQ(result.unready.size(), 1u);
  EXPECT_THROW(ray::Get<int>({std::string("no id")}), manta::InvalidArgumentError);
}

TEST_F(RayApi, RunsTasks) {
  const ray::ObjectRef<int> sum = ray::Task(Plus).Remote(1, 2);
  EXPECT_EQ(*ray::Get(ray::Task(Plus).Remote(sum, 10)), 13);
  EXPECT_EQ(*sum.Get(), 3);
  EXPECT_EQ(ray::Task(Move).Remote(Point{1, "p", Color::kRed}, 2).Get()->color, Color::kGreen);
  EXPECT_EQ(*ray::Task(RAY_FUNC(One)).Remote().Get(), 1);
  EXPECT_EQ(*ray::Task(RAY_FUNC(One, int)).Remote(5).Get(), 5);
  EXPECT_EQ(*ray::Task(Plus).SetName("plus").SetResource("disk", 1.0).Remote(1, 1).Get(), 2);
  EXPECT_EQ(*ray::Task(Plus).SetResources({{"CPU", 2.0}, {"disk", 2.0}}).Remote(1, 1).Get(), 2);
}

TEST_F(RayApi, RunsActors) {
  ray::ActorHandle<Counter> counter = ray::Actor(RAY_FUNC(Counter::Create, int)).Remote(1);
  EXPECT_EQ(*counter.Task(&Counter::Add).Remote(ray::Task(Plus).Remote(1, 1)).Get(), 3);
  EXPECT_EQ(*counter.Task(&Counter::Get).SetName("get").Remote().Get(), 3);
  EXPECT_FALSE(*counter.Task(&Counter::Restarted).Remote().Get());
  const auto other = ray::Actor(RAY_FUNC(Counter::Create, int, int))
                         .SetResource("disk", 1)
                         .SetMaxRestarts(0)
                         .SetMaxConcurrency(1)
                         .Remote(20, 3);
  EXPECT_EQ(*other.Task(&Counter::Get).Remote().Get(), 23);
  counter.Kill();
  // Kill does not wait: calls that overtake it are still answered.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto call = [&] { return *counter.Task(&Counter::Get).Remote().Get(); };
  EXPECT_THROW(while (std::chrono::steady_clock::now() < deadline) call(), ray::internal::RayActorException);
}

TEST_F(RayApi, AnActorLivesWithoutHandles) {
  ray::Actor(RAY_FUNC(Counter::Create, int)).SetName("counter").Remote(7);
  boost::optional<ray::ActorHandle<Counter>> found = ray::GetActor<Counter>("counter");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found->Task(&Counter::Get).Remote().Get(), 7);
  EXPECT_TRUE(ray::GetActor<Counter>("counter", ray::GetNamespace()));
  EXPECT_FALSE(ray::GetActor<Counter>("counter", "elsewhere"));
  EXPECT_FALSE(ray::GetActor<Counter>(""));
  EXPECT_THROW(found->Task(&Counter::Leave).Remote().Get(), ray::internal::RayActorException);
  EXPECT_THROW(found->Task(&Counter::Get).Remote().Get(), ray::internal::RayActorException);
}

TEST_F(RayApi, ThrowsWhatProgramsCatch) {
  try {
    ray::Get(ray::Task(Fail).Remote());
    ADD_FAILURE();
  } catch (ray::internal::RayTaskException& error) {
    EXPECT_NE(std::string(error.what()).find("as planned"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("std::runtime_error"), std::string::npos);
  }
  EXPECT_THROW(ray::Get(ray::Task(Sleep).Remote(), 50), ray::internal::RayTimeoutException);
  EXPECT_THROW(ray::Get(ray::Task(Fail).Remote()), ray::internal::RayException);
  EXPECT_THROW(ray::Get(ray::Task(Fail).Remote()), std::exception);
  EXPECT_THROW(ray::Get(ray::Task(Crash).Remote()), ray::internal::RayWorkerException);
}

TEST(RayExceptions, AreThoseOfMantaOrForProgramsToThrow) {
  const auto lost = [] { throw manta::OwnerDiedError("gone"); };
  EXPECT_THROW(lost(), ray::internal::UnreconstructableException);
  const auto unknown = [] { throw ray::internal::RayFunctionNotFound("no such function"); };
  EXPECT_THROW(unknown(), ray::internal::RayException);
}

TEST_F(RayApi, ReservesPlacementGroups) {
  ray::PlacementGroupCreationOptions options;
  options.name = "mine";
  options.bundles = {{{"CPU", 1}}, {{"CPU", 1}, {"disk", 1}}};
  options.strategy = ray::PlacementStrategy::PACK;
  ray::PlacementGroup group = ray::CreatePlacementGroup(options);
  EXPECT_FALSE(group.Empty());
  EXPECT_TRUE(group.Wait(10));
  EXPECT_EQ(group.GetName(), "mine");
  EXPECT_EQ(group.GetBundles().size(), 2u);
  EXPECT_EQ(group.GetStrategy(), ray::PlacementStrategy::PACK);
  EXPECT_EQ(ray::GetPlacementGroup("mine").GetID(), group.GetID());
  EXPECT_EQ(ray::GetPlacementGroupById(group.GetID()).GetState(), ray::PlacementGroupState::CREATED);
  EXPECT_EQ(ray::GetAllPlacementGroups().size(), 1u);
  EXPECT_EQ(*ray::Get(ray::Task(Plus).SetPlacementGroup(group, 0).Remote(1, 2)), 3);
  auto counter = ray::Actor(RAY_FUNC(Counter::Create, int))
                     .SetPlacementGroup(group, 1)
                     .SetResource("disk", 1)
                     .Remote(5);
  EXPECT_EQ(*ray::Get(counter.Task(&Counter::Get).Remote()), 5);
  ray::RemovePlacementGroup(group.GetID());
  const auto call_until_it_fails = [&] {
    for (int i = 0; i < 1000; ++i) ray::Get(counter.Task(&Counter::Get).Remote());
  };
  EXPECT_THROW(call_until_it_fails(), manta::ActorDiedError);
  EXPECT_EQ(ray::GetPlacementGroupById(group.GetID()).GetState(), ray::PlacementGroupState::REMOVED);
  EXPECT_TRUE(ray::GetPlacementGroup("mine").Empty());
  for (const ray::PlacementStrategy strategy : {ray::PlacementStrategy::SPREAD, ray::PlacementStrategy::STRICT_PACK,
                                                ray::PlacementStrategy::STRICT_SPREAD}) {
    ray::PlacementGroup other = ray::CreatePlacementGroup({"", {{{"CPU", 1}}}, strategy});
    EXPECT_TRUE(other.Wait(10));
    EXPECT_EQ(ray::GetPlacementGroupById(other.GetID()).GetStrategy(), strategy);
    ray::RemovePlacementGroup(other.GetID());
  }
  EXPECT_TRUE(ray::PlacementGroup().Empty());
  EXPECT_FALSE(ray::PlacementGroup().Wait(0));
  group.SetWaitCallbak([](const std::string&, int) { return true; });
  EXPECT_TRUE(group.Wait(0));
}

TEST_F(RayApi, SaysWhatIsNotThereYet) {
  EXPECT_THROW(ray::Task(ray::JavaFunction<int>{"C", "f"}).Remote(), manta::NotSupportedError);
  EXPECT_THROW(ray::Actor(ray::JavaActorClass{"C"}).Remote(), manta::NotSupportedError);
  EXPECT_THROW(ray::Gauge("g", "", ""), manta::NotSupportedError);
  ray::RuntimeEnv env;
  ray::Task(Plus).SetRuntimeEnv(env).Remote(1, 2).Get();
  env.Set("working_dir", std::string("/tmp"));
  EXPECT_THROW(ray::Task(Plus).SetRuntimeEnv(env), manta::NotSupportedError);
}

TEST(RayRuntimeEnv, HoldsFields) {
  ray::RuntimeEnv env;
  EXPECT_TRUE(env.Empty());
  env.Set("number", 3);
  env.SetJsonStr("list", "[1, 2]");
  EXPECT_EQ(env.Get<int>("number"), 3);
  EXPECT_EQ(env.GetJsonStr("list"), "[1,2]");
  EXPECT_TRUE(ray::RuntimeEnv::Deserialize(env.Serialize()).Contains("list"));
  EXPECT_TRUE(env.Remove("list"));
  EXPECT_FALSE(env.Remove("list"));
  EXPECT_THROW(env.Get<int>("list"), ray::internal::RayRuntimeEnvException);
  EXPECT_THROW(env.Get<std::string>("number"), ray::internal::RayRuntimeEnvException);
  EXPECT_THROW(env.SetJsonStr("bad", "{"), ray::internal::RayRuntimeEnvException);
}

void ReadFlags(ray::RayConfig& config, std::vector<std::string> flags) {
  std::vector<char*> argv = {const_cast<char*>("program")};
  for (std::string& flag : flags) argv.push_back(flag.data());
  ray::internal::ReadFlags(config, static_cast<int>(argv.size()), argv.data());
}

TEST(RayFlags, OverrideTheConfig) {
  ray::RayConfig config;
  config.ray_namespace = "mine";
  ReadFlags(config, {"own", "--ray_address=local", "--ray_job_namespace", "theirs", "--verbose",
                     "--ray_head_args=--num-cpus 3 --num-gpus=1",
                     "--ray_default_actor_lifetime=DETACHED", "--ray_code_search_path=a.so:b.so"});
  EXPECT_EQ(config.address, "local");
  EXPECT_EQ(config.ray_namespace, "theirs");
  EXPECT_EQ(config.default_actor_lifetime, ray::ActorLifetime::DETACHED);
  EXPECT_EQ(config.code_search_path, (std::vector<std::string>{"a.so", "b.so"}));
  const manta::Config manta_config = ray::internal::ToManta(config);
  EXPECT_EQ(manta_config.num_cpus, 3);
  EXPECT_EQ(manta_config.num_gpus, 1);
}

TEST(RayFlags, ThatAreWrongAreNamed) {
  ray::RayConfig config;
  EXPECT_THROW(ReadFlags(config, {"--ray_session_dir=/tmp"}), manta::NotSupportedError);
  EXPECT_THROW(ReadFlags(config, {"--ray_address"}), manta::InvalidArgumentError);
  EXPECT_THROW(ReadFlags(config, {"--ray_default_actor_lifetime=FOREVER"}),
               manta::InvalidArgumentError);
  config.head_args = {"--num-cpus=many"};
  EXPECT_THROW(ray::internal::ToManta(config), manta::InvalidArgumentError);
  config.head_args = {"--resources={disk: 1}"};
  EXPECT_THROW(ray::internal::ToManta(config), manta::InvalidArgumentError);
  config.head_args = {"--dashboard-port=1"};
  EXPECT_THROW(ray::internal::ToManta(config), manta::NotSupportedError);
}

class RayInit : public ClusterTest {};

TEST_F(RayInit, TwiceIsOnce) {
  ray::Init();
  ray::Init();
  EXPECT_TRUE(ray::IsInitialized());
  ray::Shutdown();
  EXPECT_FALSE(ray::IsInitialized());
}

struct Pair {
  int x = 0;
  int y = 0;
  MSGPACK_DEFINE_ARRAY(x, y);
};
class Named {
 public:
  std::string name;
  MSGPACK_DEFINE_MAP(MSGPACK_NVP("label", name));
};
struct NamedPair : Named, Pair {
  int z = 0;
  MSGPACK_DEFINE(MSGPACK_BASE_MAP(Named), MSGPACK_BASE_ARRAY(Pair), z);
};
struct Renamed : Named {
  MSGPACK_DEFINE(MSGPACK_BASE(Named));
};
MSGPACK_ADD_ENUM(Color);

TEST_F(RayInit, InLocalModeIgnoresOtherClusters) {
  setenv("RAY_ADDRESS", "nowhere", 1);
  ray::RayConfig config;
  config.local_mode = true;
  config.default_actor_lifetime = ray::ActorLifetime::NON_DETACHED;
  ray::Init(config);
  EXPECT_EQ(ray::Put(Pair{1, 2}).Get()->y, 2);
  Renamed renamed;
  renamed.name = "eight";
  EXPECT_EQ(ray::Put(renamed).Get()->name, "eight");
  NamedPair value;
  value.name = "seven";
  value.y = 3;
  value.z = 4;
  const auto read = ray::Put(value).Get();
  EXPECT_EQ(read->name, "seven");
  EXPECT_EQ(read->y, 3);
  EXPECT_EQ(read->z, 4);
  ray::Shutdown();
  unsetenv("RAY_ADDRESS");
}

TEST_F(RayInit, RefusesARuntimeEnvironment) {
  ray::RayConfig config;
  config.runtime_env = ray::RuntimeEnv();
  config.runtime_env->Set("pip", std::string("numpy"));
  EXPECT_THROW(ray::Init(config), manta::NotSupportedError);
}

TEST(RayLog, HasLevels) {
  EXPECT_TRUE(ray::IsLevelEnabled(ray::RayLoggerLevel::INFO));
  EXPECT_TRUE(ray::IsLevelEnabled(ray::RayLoggerLevel::WARNING));
  EXPECT_TRUE(ray::IsLevelEnabled(ray::RayLoggerLevel::ERROR));
  EXPECT_FALSE(ray::IsLevelEnabled(ray::RayLoggerLevel::DEBUG));
}

TEST(RayLog, WritesALine) {
  testing::internal::CaptureStderr();
  RAYLOG(INFO) << "three is " << 3;
  ray::RayLogger("file.cc", 7, ray::RayLoggerLevel::WARNING) << "by hand";
  RAYLOG(DEBUG) << "left out";
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("INFO: three is 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("[file.cc:7] WARNING: by hand\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("left out"), std::string::npos);
}

}  // namespace
}  // namespace manta_test
