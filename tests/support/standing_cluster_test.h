// The fixture of tests whose drivers come to a cluster that stays, one after the other.
#pragma once

#include <functional>
#include <optional>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"

namespace manta_test {

// Its cluster is started by SetUp, and ended by TearDown, under the test's own connection if there is one.
class StandingClusterTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    cluster_.emplace();
    config_.address = cluster_->address();
  }
  void TearDown() override {
    cluster_.reset();
    ClusterTest::TearDown();
  }

  // Runs `body` in a driver that connects, and leaves before this returns.
  void RunDriver(const std::function<void()>& body) {
    const manta::Config config = config_;
    DriverProcess driver([&](const DriverProcess::Say&) {
      manta::Init(config);
      body();
      manta::Shutdown();
    });
    ASSERT_TRUE(driver.Succeeds(20s));
  }

  std::optional<StartedCluster> cluster_;
  manta::Config config_;
};

}  // namespace manta_test
