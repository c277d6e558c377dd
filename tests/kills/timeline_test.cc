// What flight recorders show of processes that were killed, and what such processes leave behind.
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/kills/fixture.h"
#include "tests/support/timeline.h"

int TimelineFinished(int number) { return number; }
int TimelineHeld(int place) {
  manta_test::Board::OfThisTest().Hold(place);
  return place;
}
struct TimelineVictim {
  int Pid() { return getpid(); }
};

namespace manta_test {
namespace {

class KilledTimeline : public ConnectedKillTest {
 protected:
  std::string Session() const { return Sessions().at(0); }
};

TEST_F(KilledTimeline, AKilledWorkerHasItsFinishedTasksTheLostOneAndItsDeath) {
  constexpr int kPlace = 1;
  constexpr int kFinished = 100;
  for (int i = 0; i < kFinished; ++i) manta::Get(manta::Task(TimelineFinished).Remote(i));
  const auto held = manta::Task(TimelineHeld).SetMaxRetries(0).Remote(kPlace);
  ASSERT_TRUE(board().Await(kPlace));
  const pid_t victim = board().visitor(kPlace);
  kill(victim, SIGKILL);
  EXPECT_THROW(manta::Get(held), manta::WorkerCrashedError);

  const Timeline timeline(Session());
  EXPECT_EQ(timeline.Named("TimelineFinished").size(), static_cast<size_t>(kFinished));
  const auto lost = timeline.Named("TimelineHeld");
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0]["pid"], victim);
  EXPECT_EQ(lost[0]["args"]["outcome"], "lost with its process");
  const auto deaths = timeline.Named("killed by SIGKILL");
  ASSERT_EQ(deaths.size(), 1u);
  EXPECT_EQ(deaths[0]["pid"], victim);
  EXPECT_NEAR(EndOf(lost[0]), BeginOf(deaths[0]), 1e-3) << "microseconds";
  board().Open(kPlace);
}

TEST_F(KilledTimeline, AKilledDaemonLeavesATimeline) {
  manta::Get(manta::Task(TimelineFinished).Remote(1));
  const std::string session = Session();
  kill(ThePid(Role::kDaemon), SIGKILL);
  ExpectNoProcesses();
  manta::Shutdown();
  EXPECT_EQ(Timeline(session).Named("TimelineFinished").size(), 1u);
}

TEST_F(KilledTimeline, ManyDeadActorsLeaveFewFiles) {
  LimitTime(120s);
  constexpr int kActors = 80;
  for (int i = 0; i < kActors; ++i) {
    const auto actor = manta::Actor<TimelineVictim>().Remote();
    const pid_t pid = *manta::Get(actor.Task(&TimelineVictim::Pid).Remote());
    kill(pid, SIGKILL);
  }
  const auto recordings = [&] {
    size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(Session() + "/recorder")) {
      files += entry.path().extension() == ".rec";
    }
    return files;
  };
  // 64 of dead ones, and those of the daemon, the driver, and a few workers that live.
  EXPECT_TRUE(Eventually(10s, [&] { return recordings() <= 64 + 2 + Pids(Role::kWorker).size(); })) << recordings();
  EXPECT_GE(recordings(), 60u);
}

}  // namespace
}  // namespace manta_test
