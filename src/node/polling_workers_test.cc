#include "node/polling_workers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace manta::node {
namespace {

// A process that burns its CPU, or sleeps.
class Child {
 public:
  explicit Child(bool runs) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      if (!runs) pause();
    }
  }
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  pid_t pid() const { return pid_; }

 private:
  const pid_t pid_;
};

class PollingWorkersTest : public testing::Test {
 protected:
  // Until one runs, or the time is up.
  void RunFor(Nanoseconds limit) {
    until.ExpireAfter(limit);
    loop.Run();
  }

  EventLoop loop;
  Timer until{loop, [this] { loop.Stop(); }};
  std::vector<ProcessId> running;
  PollingWorkers workers{loop, [this](ProcessId worker) {
                           running.push_back(worker);
                           loop.Stop();
                         }};
  const ProcessId first = MakeProcessId(1, 2), second = MakeProcessId(1, 3);
};

TEST_F(PollingWorkersTest, TellsOfTheOneThatRuns) {
  const Child idle(false), busy(true);
  workers.Add(first, idle.pid());
  workers.Add(second, busy.pid());
  RunFor(20 * kSecond);
  ASSERT_FALSE(running.empty());
  EXPECT_EQ(running[0], second);
}

TEST_F(PollingWorkersTest, TellsOfOneThatHasNotWaitedForLong) {
  const Child idle(false);
  const Nanoseconds began = EventLoop::Now();
  workers.Add(first, idle.pid());
  RunFor(20 * kSecond);
  EXPECT_EQ(running, std::vector{first});
  EXPECT_GE(EventLoop::Now() - began, PollingWorkers::kLongest);
}

TEST_F(PollingWorkersTest, TellsNothingOfOneThatWaitsAgain) {
  const Child busy(true);
  workers.Add(first, busy.pid());
  workers.Remove(first);
  RunFor(100 * kMillisecond);
  EXPECT_TRUE(running.empty());
}

TEST_F(PollingWorkersTest, ForgetsTheDead) {
  { const Child gone(false); workers.Add(first, gone.pid()); }
  workers.Add(second, getpid() + 1'000'000'000);
  workers.Remove(first);
  RunFor(100 * kMillisecond);
  EXPECT_TRUE(running.empty());
}

}  // namespace
}  // namespace manta::node
