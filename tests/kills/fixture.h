// The fixture of the tests that kill: a board, a log of the kills, and what every kill has to leave behind.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/kills/board.h"
#include "tests/kills/kill_log.h"
#include "tests/support/cluster_test.h"

namespace manta_test {

// How often each phase is hit.
constexpr int kKills = 20;

// A small cluster of the test's own, whose workers' output goes to the logs only.
manta::Config OfTwoCpus();

class KillTest : public ClusterTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  Board& board() { return *board_; }
  KillLog& log() { return *log_; }
  // All processes of the test's clusters are gone, and of their sessions only logs are left.
  void ExpectOnlyLogsLeft() const;

 private:
  std::optional<Board> board_;
  std::optional<KillLog> log_;
};

// Connected to a local cluster with two CPUs.
class ConnectedKillTest : public KillTest {
 protected:
  void SetUp() override;
};

}  // namespace manta_test
