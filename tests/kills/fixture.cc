#include "tests/kills/fixture.h"

namespace manta_test {

manta::Config OfTwoCpus() {
  manta::Config config;
  config.num_cpus = 2;
  config.log_to_driver = false;
  config.object_store_bytes = 64 << 20;
  return config;
}

void KillTest::SetUp() {
  LimitTime(100s);
  board_.emplace(root());
  const testing::TestInfo* test = testing::UnitTest::GetInstance()->current_test_info();
  log_.emplace(std::string(test->test_suite_name()) + "." + test->name());
  ClusterTest::SetUp();
}

void KillTest::TearDown() {
  ClusterTest::TearDown();
  log_.reset();
}

void KillTest::ExpectOnlyLogsLeft() const {
  ExpectNoProcesses();
  EXPECT_EQ(LeftInSessions(), "") << "files other than logs";
}

void ConnectedKillTest::SetUp() {
  KillTest::SetUp();
  manta::Config config;
  config.num_cpus = 2;
  config.log_to_driver = false;
  manta::Init(config);
}

}  // namespace manta_test
