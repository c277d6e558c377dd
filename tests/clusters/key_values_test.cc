// The key-value tables of a cluster of two nodes: the head's, for processes of both.
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/clusters/two_nodes.h"
#include "tests/support/driver_process.h"
#include "tests/support/key_values.h"

namespace manta_test {
namespace {

constexpr size_t kLarge = 8u << 20;

bool Put(const std::string& key, const std::string& value) { return KvPut(key, value); }
bool PutOfJob(const std::string& key) { return KvPut(key, "x", MANTA_KV_OF_JOB); }
std::string Get(const std::string& key) { return KvGet(key).value_or("absent"); }
std::vector<std::string> Keys(const std::string& prefix) { return KvKeys(prefix); }
uint64_t Delete(const std::string& prefix) { return KvDelete(prefix, true); }
std::string ErrorOfTooLarge() {
  try {
    KvPut("too large", std::string(kLarge + 1, 'x'));
  } catch (const KeyValueError& error) {
    return error.message;
  }
  return "";
}

// How often all was right.
int PutAndGetLarge(int number) {
  const std::string key = "large " + std::to_string(number);
  int right = 0;
  for (int i = 0; i < 2; ++i) {
    const std::string value(kLarge, static_cast<char>('a' + i));
    KvPut(key, value, MANTA_KV_OVERWRITE);
    right += KvGet(key) == value;
  }
  return right;
}

class Keeper {
 public:
  bool Put(const std::string& key) { return PutOfJob(key); }
};

class TwoNodesKeyValues : public TwoNodesTest {};

TEST_F(TwoNodesKeyValues, AreReadWhereTheyWereNotPut) {
  EXPECT_TRUE(*manta::Task(Put).SetResource("far", 1).Remote(std::string("there"), std::string("far")).Get());
  EXPECT_EQ(KvGet("there"), "far");
  EXPECT_TRUE(KvPut("here", std::string("ne\0ar", 5)));
  EXPECT_EQ(*manta::Task(Get).SetResource("far", 1).Remote(std::string("here")).Get(), std::string("ne\0ar", 5));
  EXPECT_EQ(*manta::Task(Get).SetResource("far", 1).Remote(std::string("nowhere")).Get(), "absent");
  EXPECT_FALSE(*manta::Task(Put).SetResource("far", 1).Remote(std::string("here"), std::string("far")).Get());
  EXPECT_EQ(*manta::Task(Keys).SetResource("far", 1).Remote(std::string("he")).Get(), std::vector<std::string>{"here"});
  EXPECT_EQ(*manta::Task(Delete).SetResource("far", 1).Remote(std::string("")).Get(), 2u);
  EXPECT_TRUE(KvKeys().empty());
  const std::string error = *manta::Task(ErrorOfTooLarge).SetResource("far", 1).Remote().Get();
  EXPECT_NE(error.find("8388608"), std::string::npos) << error;
}

TEST_F(TwoNodesKeyValues, CrossTheTrunkInTurnWhenManyAreLarge) {
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 6; ++i) {
    tasks.push_back(manta::Task(PutAndGetLarge).SetNumCpus(0).SetResource("far", 0.1).Remote(i));
  }
  for (const auto& task : tasks) EXPECT_EQ(*task.Get(), 2);
  EXPECT_EQ(KvKeys("large").size(), 6u);
}

TEST_F(TwoNodesKeyValues, OfADriverOfTheOtherNodeGoWithIt) {
  manta::Shutdown();
  manta::Config config;
  config.address = node_->session().substr(node_->session().rfind('/') + 1);
  DriverProcess driver([&](const DriverProcess::Say& say) {
    manta::Init(config);
    EXPECT_NE(manta::GetRuntimeContext().GetNodeId(), head_id_);
    EXPECT_TRUE(KvPut("of the cluster", "x"));
    EXPECT_TRUE(KvPut("of the job", "x", MANTA_KV_OF_JOB));
    EXPECT_EQ(KvGet("of the job"), "x");
    say("put");
    pause();
  });
  ASSERT_EQ(driver.Hear(20s), "put");
  config.address = "auto";
  manta::Init(config);
  EXPECT_EQ(KvKeys().size(), 2u);
  driver.Signal(SIGKILL);
  EXPECT_TRUE(Eventually(5s, [] { return KvKeys() == std::vector<std::string>{"of the cluster"}; }));
}

TEST_F(TwoNodesKeyValues, OfAJobGoWithItsDriverAndItsDetachedActorsOfBothNodes) {
  manta::Shutdown();
  manta::Config config;
  config.address = "auto";
  config.ray_namespace = "keepers";
  DriverProcess driver([&](const DriverProcess::Say&) {
    manta::Init(config);
    ASSERT_TRUE(Eventually(5s, [] { return manta::ClusterResources()["CPU"] == 3; }));
    EXPECT_TRUE(*manta::Task(PutOfJob).SetResource("far", 1).Remote(std::string("of a far task")).Get());
    auto keeper = manta::Actor<Keeper>().SetName("keeper").SetDetached().SetResource("far", 1).Remote();
    EXPECT_TRUE(*keeper.Task(&Keeper::Put).Remote(std::string("of a far actor")).Get());
    manta::Shutdown();
  });
  ASSERT_TRUE(driver.Succeeds(20s));
  manta::Init(config);
  auto keeper = manta::GetActor<Keeper>("keeper");
  ASSERT_TRUE(keeper);
  EXPECT_TRUE(*keeper->Task(&Keeper::Put).Remote(std::string("and again")).Get());
  EXPECT_EQ(KvKeys().size(), 3u);
  keeper->Kill();
  EXPECT_TRUE(Eventually(10s, [] { return KvKeys().empty(); }));
}

}  // namespace
}  // namespace manta_test
