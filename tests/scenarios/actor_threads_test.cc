// Actors whose calls run beside each other: threads and concurrency groups.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

// A flag that calls wait for and another call sets.
class Gate {
 public:
  int Pass(int x) {
    std::unique_lock guard(mutex_);
    started_.push_back(x);
    changed_.notify_all();
    changed_.wait(guard, [this] { return open_; });
    return x;
  }
  void Open() {
    std::lock_guard guard(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  std::vector<int> AwaitStarted(size_t count) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [&] { return started_.size() >= count; });
    return started_;
  }
  std::vector<int> Started() {
    std::lock_guard guard(mutex_);
    return started_;
  }
  int Fail() { throw std::out_of_range("as asked"); }
  int Child(int x) { return *manta::Get(manta::Task(Twice).Remote(x)); }
  std::string Text(std::string text, int times) {
    std::string result;
    for (int i = 0; i < times; ++i) result += text;
    return result;
  }
  void WaitForCancel(std::string started) {
    std::ofstream(started).flush();
    while (!manta::GetRuntimeContext().IsCancelled()) usleep(1000);
  }
  int PassWhenThere(std::string path) {
    while (access(path.c_str(), F_OK) != 0) usleep(1000);
    return 1;
  }
  void Exit() { manta::ExitActor(); }
  void Crash() { raise(SIGKILL); }
  int Pid() { return getpid(); }

 private:
  static int Twice(int x) { return 2 * x; }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  std::vector<int> started_;
};

using Handle = manta::ActorHandle<Gate>;
class ActorThreads : public ConnectedTest {};

TEST_F(ActorThreads, CallsOverlapUpToTheLimitAndStartInOrder) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(4).Remote();
  std::vector<manta::ObjectRef<int>> passes;
  for (int i = 0; i < 3; ++i) passes.push_back(gate.Task(&Gate::Pass).Remote(i));
  manta::Get(gate.Task(&Gate::AwaitStarted).Remote(3));
  manta::Get(gate.Task(&Gate::Open).Remote());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*manta::Get(passes[i]), i);
}

TEST_F(ActorThreads, OneMoreThanThereAreThreadsWaits) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(2).SetConcurrencyGroup("control", 1).Remote();
  std::vector<manta::ObjectRef<int>> passes;
  for (int i = 0; i < 3; ++i) passes.push_back(gate.Task(&Gate::Pass).Remote(i));
  manta::Get(gate.Task(&Gate::AwaitStarted).SetConcurrencyGroup("control").Remote(2));
  EXPECT_EQ(manta::Get(gate.Task(&Gate::Started).SetConcurrencyGroup("control").Remote())->size(), 2u);
  manta::Get(gate.Task(&Gate::Open).SetConcurrencyGroup("control").Remote());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*manta::Get(passes[i]), i);
}

// Far more calls than a channel has slots, all behind one that waits.
TEST_F(ActorThreads, ABlockedGroupHoldsUpNoOther) {
  const Handle gate = manta::Actor<Gate>().SetConcurrencyGroup("control", 1).Remote();
  std::vector<manta::ObjectRef<int>> passes;
  for (int i = 0; i < 3000; ++i) passes.push_back(gate.Task(&Gate::Pass).Remote(i));
  manta::Get(gate.Task(&Gate::Open).SetConcurrencyGroup("control").Remote());
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(*manta::Get(passes[i]), i);
  const auto started = manta::Get(gate.Task(&Gate::Started).Remote());
  for (int i = 0; i < 3000; ++i) ASSERT_EQ((*started)[i], i);  // the default group has one thread
}

TEST_F(ActorThreads, ResultsOfAllSizesAndErrorsComeBack) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(8).Remote();
  std::vector<manta::ObjectRef<std::string>> texts;
  for (int i = 0; i < 400; ++i) texts.push_back(gate.Task(&Gate::Text).Remote("ab" + std::to_string(i), 1 + i % 50 * 100));
  const auto failed = gate.Task(&Gate::Fail).Remote();
  for (int i = 0; i < 400; ++i) {
    ASSERT_EQ(manta::Get(texts[i])->size(), ("ab" + std::to_string(i)).size() * (1 + i % 50 * 100));
  }
  EXPECT_THROW(manta::Get(failed), std::out_of_range);
}

TEST_F(ActorThreads, MethodsMayWaitForTasks) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(4).Remote();
  std::vector<manta::ObjectRef<int>> results;
  for (int i = 0; i < 100; ++i) results.push_back(gate.Task(&Gate::Child).Remote(i));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(*manta::Get(results[i]), 2 * i);
}

TEST_F(ActorThreads, CallsCanBeCancelled) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(1).SetConcurrencyGroup("other", 1).Remote();
  const std::string started = root() + "/started";
  const auto running = gate.Task(&Gate::WaitForCancel).Remote(started);
  std::vector<manta::ObjectRef<int>> queued;
  for (int i = 0; i < 200; ++i) queued.push_back(gate.Task(&Gate::Pass).Remote(i));
  ASSERT_TRUE(Eventually(10s, [&] { return access(started.c_str(), F_OK) == 0; }));
  for (const auto& call : queued) manta::Cancel(call);
  manta::Cancel(running);
  manta::Get(running);  // it has noticed
  for (const auto& call : queued) EXPECT_THROW(manta::Get(call), manta::TaskCancelledError);
  EXPECT_TRUE(manta::Get(gate.Task(&Gate::Started).SetConcurrencyGroup("other").Remote())->empty());
}

TEST_F(ActorThreads, AnUnknownGroupIsRefusedByName) {
  const Handle gate = manta::Actor<Gate>().SetConcurrencyGroup("io", 2).Remote();
  const std::string message = MessageOf<manta::InvalidArgumentError>(
      [&] { manta::Get(gate.Task(&Gate::Pid).SetConcurrencyGroup("oi").Remote()); });
  EXPECT_NE(message.find("'io'"), std::string::npos) << message;
  const Handle plain = manta::Actor<Gate>().Remote();
  EXPECT_THROW(manta::Get(plain.Task(&Gate::Pid).SetConcurrencyGroup("io").Remote()), manta::InvalidArgumentError);
}

TEST_F(ActorThreads, WrongNumbersAreRefused) {
  EXPECT_THROW(manta::Actor<Gate>().SetMaxConcurrency(0).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Gate>().SetConcurrencyGroup("a", 0).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Actor<Gate>().SetConcurrencyGroup("", 1).Remote(), manta::InvalidArgumentError);
}

TEST_F(ActorThreads, TheyFinishTheirCallsWhenNobodyHasAHandleAnyMore) {
  const std::string path = root() + "/there";
  manta::ObjectRef<int> running;
  {
    const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(2).Remote();
    manta::Get(gate.Task(&Gate::Pid).Remote());
    running = gate.Task(&Gate::PassWhenThere).Remote(path);
  }
  EXPECT_THROW(manta::Get(running, 300), manta::GetTimeoutError);
  std::ofstream(path).flush();
  EXPECT_EQ(*manta::Get(running, 5'000), 1);
}

class ActorThreadsOfTwoCallers : public ClusterTest {};

// One stops with far more results to come than its completion ring has entries.
TEST_F(ActorThreadsOfTwoCallers, ACallerThatDoesNotReadHoldsUpNoOther) {
  StartedCluster cluster;
  manta::Config config;
  config.address = cluster.address();
  config.ray_namespace = "shared";
  DriverProcess other([&](const DriverProcess::Say& say) {
    manta::Init(config);
    {
      while (!manta::GetActor<Gate>("gate")) usleep(1'000);
      const Handle gate = *manta::GetActor<Gate>("gate");
      manta::Get(gate.Task(&Gate::Pid).Remote());
      std::vector<manta::ObjectRef<int>> calls;
      for (int i = 0; i < 3'000; ++i) calls.push_back(gate.Task(&Gate::Pid).Remote());
      say("called");
      for (const auto& call : calls) manta::Get(call);
    }
    manta::Shutdown();
  });
  manta::Init(config);
  {
    const Handle gate = manta::Actor<Gate>().SetName("gate").SetMaxConcurrency(2).Remote();
    ASSERT_EQ(other.Hear(10s).value_or("nothing"), "called");
    other.Signal(SIGSTOP);
    for (int i = 0; i < 10; ++i) {
      manta::Get(gate.Task(&Gate::Pid).Remote(), 5'000);
      usleep(10'000);
    }
    other.Signal(SIGCONT);
    EXPECT_TRUE(other.Succeeds(20s));
  }
  manta::Shutdown();
}

TEST_F(ActorThreads, ExitActorLetsWhatRunsFinish) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(1).SetConcurrencyGroup("other", 2).SetMaxRestarts(-1).Remote();
  const std::string path = root() + "/there";
  const auto started = gate.Task(&Gate::Pid).Remote();
  const auto running = gate.Task(&Gate::PassWhenThere).Remote(path);
  const auto queued = gate.Task(&Gate::Pid).Remote();
  manta::Get(started);
  // The next call of its thread is running, or about to: both are allowed to end well or with the actor.
  manta::Get(gate.Task(&Gate::Exit).SetConcurrencyGroup("other").Remote());
  std::ofstream(path).flush();
  const std::string message = MessageOf<manta::ActorDiedError>([&] { manta::Get(queued); });
  EXPECT_NE(message.find("one of its methods has ended it"), std::string::npos) << message;
  EXPECT_THROW(manta::Get(gate.Task(&Gate::Pid).Remote()), manta::ActorDiedError);
}

TEST_F(ActorThreads, TheyRestartWithTheirThreads) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(3).SetMaxRestarts(1).SetMaxTaskRetries(1).Remote();
  std::vector<manta::ObjectRef<int>> passes;
  for (int i = 0; i < 2; ++i) passes.push_back(gate.Task(&Gate::Pass).Remote(i));
  kill(*manta::Get(gate.Task(&Gate::Pid).Remote()), SIGKILL);
  manta::Get(gate.Task(&Gate::Open).Remote());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(*manta::Get(passes[i]), i);
}

int CallsBeside(Handle gate, int calls) {
  std::vector<manta::ObjectRef<int>> results;
  for (int i = 0; i < calls; ++i) results.push_back(gate.Task(&Gate::Child).Remote(i));
  int sum = 0;
  for (const auto& result : results) sum += *manta::Get(result);
  return sum;
}

TEST_F(ActorThreads, SeveralCallersShareThem) {
  const Handle gate = manta::Actor<Gate>().SetMaxConcurrency(4).Remote();
  const auto there = manta::Task(CallsBeside).Remote(gate, 1000);
  EXPECT_EQ(CallsBeside(gate, 1000), 999 * 1000);
  EXPECT_EQ(*manta::Get(there), 999 * 1000);
}

}  // namespace
}  // namespace manta_test
