// The cluster's key-value tables, from drivers and tasks.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"
#include "tests/support/key_values.h"
#include "tests/support/standing_cluster_test.h"

namespace manta_test {
namespace {

constexpr size_t kMostValue = 8u << 20;

// What `call` fails with.
template <class Call>
KeyValueError ErrorOf(Call&& call) {
  try {
    call();
  } catch (const KeyValueError& error) {
    return error;
  }
  ADD_FAILURE() << "it has not failed";
  return {};
}

bool PutInTask(const std::string& key, const std::string& value) { return KvPut(key, value); }
std::string GetInTask(const std::string& key) { return KvGet(key).value_or("absent"); }
bool PutOfJobInTask(const std::string& key) { return KvPut(key, "of a task", MANTA_KV_OF_JOB); }

class Keeper {
 public:
  bool Put(const std::string& key) { return KvPut(key, "of an actor", MANTA_KV_OF_JOB); }
};

class KeyValues : public ConnectedTest {};

TEST_F(KeyValues, ArePutInATaskAndReadInTheDriver) {
  EXPECT_TRUE(*manta::Task(PutInTask).Remote(std::string("a"), std::string("one")).Get());
  EXPECT_EQ(KvGet("a"), "one");
  EXPECT_FALSE(*manta::Task(PutInTask).Remote(std::string("a"), std::string("two")).Get());
  EXPECT_FALSE(KvPut("a", "three", MANTA_KV_OVERWRITE));
  EXPECT_EQ(*manta::Task(GetInTask).Remote(std::string("a")).Get(), "three");
  EXPECT_EQ(*manta::Task(GetInTask).Remote(std::string("b")).Get(), "absent");
}

TEST_F(KeyValues, AreBytesInTables) {
  const std::string key("f\0n", 3);
  const std::string value("\0\xff\0", 3);
  EXPECT_TRUE(KvPut(key, value));
  EXPECT_TRUE(KvPut("", "", 0, ""));
  EXPECT_EQ(KvGet(key), value);
  EXPECT_EQ(KvGet("", ""), "");
  EXPECT_FALSE(KvGet("f")) << "absent";
  EXPECT_FALSE(KvGet(key, "another"));
  EXPECT_TRUE(KvExists(key));
  EXPECT_FALSE(KvExists("f"));
  KvPut("fo", "x");
  KvPut("g", "x");
  EXPECT_EQ(KvKeys("f"), (std::vector<std::string>{key, "fo"}));
  EXPECT_TRUE(KvKeys("h").empty());
  EXPECT_EQ(KvDelete("f"), 0u);
  EXPECT_EQ(KvDelete("f", true), 2u);
  EXPECT_EQ(KvKeys(), std::vector<std::string>{"g"});
  EXPECT_EQ(KvDelete("g"), 1u);
  EXPECT_TRUE(KvKeys().empty());
}

TEST_F(KeyValues, AreAskedForByManyThreads) {
  const std::string large(1 << 20, 'x');
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int j = 0; j < 20; ++j) {
        const std::string key = std::to_string(i) + "/" + std::to_string(j);
        if (KvPut(key, key + large) && KvGet(key) == key + large && KvDelete(key) == 1) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 160);
  EXPECT_TRUE(KvKeys().empty());
}

TEST_F(KeyValues, ThatAreTooLargeAreRefused) {
  EXPECT_TRUE(KvPut("largest", std::string(kMostValue, 'x')));
  EXPECT_EQ(KvGet("largest"), std::string(kMostValue, 'x'));
  const KeyValueError value = ErrorOf([] { KvPut("larger", std::string(kMostValue + 1, 'x')); });
  EXPECT_EQ(value.kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(value.message.find("8388609"), std::string::npos) << value.message;
  EXPECT_NE(value.message.find("8388608"), std::string::npos) << value.message;
  const KeyValueError key = ErrorOf([] { KvExists(std::string(5000, 'k')); });
  EXPECT_EQ(key.kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(key.message.find("4096"), std::string::npos) << key.message;
  EXPECT_EQ(ErrorOf([] { KvPut("flags", "x", 4); }).kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(KvKeys(), std::vector<std::string>{"largest"});
}

TEST_F(KeyValues, AreRefusedWhenTheTablesAreFullAndNoneIsEvicted) {
  const std::string value(kMostValue, 'x');
  size_t put = 0;
  const KeyValueError full = ErrorOf([&] {
    for (; put < 40; ++put) KvPut("large " + std::to_string(put), value);
  });
  EXPECT_EQ(full.kind, MANTA_ERROR_OBJECT_STORE_FULL);
  EXPECT_NE(full.message.find(std::to_string(256u << 20)), std::string::npos) << full.message;
  EXPECT_NE(full.message.find("delete"), std::string::npos) << full.message;
  EXPECT_EQ(put, 31u) << "the rest of the cap";
  EXPECT_EQ(KvKeys("large ").size(), put);
  EXPECT_EQ(KvDelete("large ", true), put);
  EXPECT_TRUE(KvPut("large", value));
}

TEST_F(KeyValues, CannotBeUsedAfterShutdown) {
  std::optional<manta::ObjectRef<int>> held = manta::Put(1);
  manta_runtime* const runtime = manta_current();
  manta::Shutdown();
  const KeyValueError without = ErrorOf([] { KvPut("a", "x"); });
  EXPECT_EQ(without.kind, MANTA_ERROR_NOT_INITIALIZED);
  EXPECT_NE(without.message.find("manta_kv_put was called after the shutdown"), std::string::npos) << without.message;
  manta_error* const error = manta_kv_exists(runtime, "test", {"a", 1}, nullptr);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(manta_error_get_kind(error), MANTA_ERROR_NOT_INITIALIZED) << manta_error_message(error);
  manta_error_free(error);
  held.reset();
  manta::Shutdown();  // what it was in goes
}

TEST_F(KeyValues, FailWhenTheDaemonIsGone) {
  std::thread waiting([] {
    const KeyValueError error = ErrorOf([] {
      for (;;) KvExists("a");
    });
    EXPECT_EQ(error.kind, MANTA_ERROR_NODE_DIED) << error.message;
  });
  std::this_thread::sleep_for(50ms);
  kill(ThePid(Role::kDaemon), SIGKILL);
  waiting.join();
  EXPECT_EQ(ErrorOf([] { KvGet("a"); }).kind, MANTA_ERROR_NODE_DIED);
}

class KeyValuesOfJobs : public StandingClusterTest {
 protected:
  void TearDown() override {
    manta::Shutdown();
    StandingClusterTest::TearDown();
  }
};

TEST_F(KeyValuesOfJobs, GoWithTheJobWhileTheClusterStays) {
  RunDriver([] {
    KvPut("of the cluster", "x");
    KvPut("of the job", "x", MANTA_KV_OF_JOB);
    EXPECT_TRUE(*manta::Task(PutOfJobInTask).Remote(std::string("of the job's task")).Get());
    EXPECT_EQ(KvKeys().size(), 3u);
  });
  manta::Init(config_);
  EXPECT_EQ(KvKeys(), std::vector<std::string>{"of the cluster"});
}

TEST_F(KeyValuesOfJobs, GoWithTheLastJobThatHasPutThem) {
  manta::Init(config_);
  EXPECT_TRUE(KvPut("shared", "x", MANTA_KV_OF_JOB));
  manta::Shutdown();
  manta::Init(config_);
  EXPECT_FALSE(KvGet("shared"));
  manta::Shutdown();

  const manta::Config config = config_;
  DriverProcess first([&](const DriverProcess::Say& say) {
    manta::Init(config);
    EXPECT_TRUE(KvPut("shared", "x", MANTA_KV_OF_JOB));
    say("put");
    pause();
  });
  ASSERT_EQ(first.Hear(20s), "put");
  manta::Init(config_);
  EXPECT_FALSE(KvPut("shared", "x", MANTA_KV_OF_JOB));
  EXPECT_TRUE(KvPut("of the cluster", "x"));
  first.Signal(SIGKILL);
  ASSERT_TRUE(first.Wait(5s));
  ASSERT_TRUE(Eventually(5s, [&] { return Pids(Role::kZygote).size() == 1; })) << Describe(Processes());
  EXPECT_EQ(KvGet("shared"), "x");
  manta::Shutdown();
  manta::Init(config_);
  EXPECT_FALSE(KvGet("shared"));
}

TEST_F(KeyValuesOfJobs, StayWhileADetachedActorOfTheJobLives) {
  config_.ray_namespace = "keepers";
  RunDriver([] {
    auto keeper = manta::Actor<Keeper>().SetName("keeper").SetDetached().Remote();
    EXPECT_TRUE(*keeper.Task(&Keeper::Put).Remote(std::string("kept")).Get());
  });
  manta::Init(config_);
  EXPECT_EQ(KvGet("kept"), "of an actor");
  auto keeper = manta::GetActor<Keeper>("keeper");
  ASSERT_TRUE(keeper);
  EXPECT_TRUE(*keeper->Task(&Keeper::Put).Remote(std::string("kept, too")).Get());
  keeper->Kill();
  EXPECT_TRUE(Eventually(10s, [] { return KvKeys().empty(); })) << "and its steward has ended";
}

}  // namespace
}  // namespace manta_test
