// Tasks that submit tasks and wait for them.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <set>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

class Nested : public ConnectedTest {};

int64_t Descend(int depth) {
  if (depth == 0) return 1;
  return *manta::Get(manta::Task(Descend).Remote(depth - 1)) + 1;
}

TEST_F(Nested, RecursionOfDepth200) {
  EXPECT_EQ(*manta::Get(manta::Task(Descend).Remote(200), 20s), 201);
}

TEST_F(Nested, RecursionDeeperThanRunsInPlace) {
  EXPECT_EQ(*manta::Get(manta::Task(Descend).Remote(600), 25s), 601);
}

int64_t DescendInProcessesOfTheirOwn(int depth) {
  if (depth == 0) return 1;
  return *manta::Get(manta::Task(DescendInProcessesOfTheirOwn).SetMaxRetries(0).Remote(depth - 1)) + 1;
}

// A parent that waits for its only child wants no second worker: the processes would all get to know each other.
TEST_F(Nested, RecursionInProcessesOfTheirOwn) {
  EXPECT_EQ(*manta::Get(manta::Task(DescendInProcessesOfTheirOwn).Remote(120), 60s), 121);
}

TEST_F(Nested, SeveralRecursionsAtOnce) {
  std::vector<manta::ObjectRef<int64_t>> all;
  for (int i = 0; i < 20; ++i) all.push_back(manta::Task(Descend).Remote(100 + i));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*manta::Get(all[static_cast<size_t>(i)], 20s), 101 + i);
}

int64_t Tree(int depth, int width) {
  if (depth == 0) return 1;
  std::vector<manta::ObjectRef<int64_t>> children;
  for (int i = 0; i < width; ++i) children.push_back(manta::Task(Tree).Remote(depth - 1, width));
  int64_t leaves = 0;
  for (const auto& value : manta::Get(children)) leaves += *value;
  return leaves;
}

TEST_F(Nested, ATreeFansOut) {
  EXPECT_EQ(*manta::Get(manta::Task(Tree).Remote(4, 8), 20s), 4096);
  EXPECT_EQ(*manta::Get(manta::Task(Tree).Remote(12, 2), 20s), 4096);
  EXPECT_EQ(*manta::Get(manta::Task(Tree).Remote(1, 10'000), 20s), 10'000);
}

int64_t Fibonacci(int n) {
  if (n < 2) return n;
  const auto one = manta::Task(Fibonacci).Remote(n - 1);
  const auto two = manta::Task(Fibonacci).Remote(n - 2);
  return *manta::Get(one) + *manta::Get(two);
}

TEST_F(Nested, FibonacciNeedsNoMoreThanTwiceAsManyWorkersAsCores) {
  LimitTime(60s);
  std::atomic<bool> done = false;
  size_t most = 0;
  std::thread watcher([&] {
    while (!done) {
      most = std::max(most, Pids(Role::kWorker).size());
      std::this_thread::sleep_for(5ms);
    }
  });
  EXPECT_EQ(*manta::Get(manta::Task(Fibonacci).Remote(18), 50s), 2584);
  done = true;
  watcher.join();
  most = std::max(most, Pids(Role::kWorker).size());  // it may all be over before the watcher looks
  EXPECT_GE(most, 1u);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // A parent that waits for longer than it takes to lend its CPU (5 ms) makes room for one more, which happens in slow builds.
  EXPECT_LE(most, 8u) << "worker processes at once, on 2 CPUs";
#else
  EXPECT_LE(most, 4u) << "worker processes at once, on 2 CPUs";
#endif
}

// ---- Blocking

int SleepAndReturn(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return milliseconds;
}
// Waits for children that have started elsewhere, so that they cannot run in place.
int Parent(int milliseconds) {
  const auto child = manta::Task(SleepAndReturn).Remote(milliseconds);
  usleep(100'000);
  return *manta::Get(child);
}

TEST_F(Nested, MoreBlockedParentsThanCores) {
  std::vector<manta::ObjectRef<int>> parents;
  for (int i = 0; i < 12; ++i) parents.push_back(manta::Task(Parent).Remote(300));
  for (const auto& parent : parents) EXPECT_EQ(*manta::Get(parent, 20s), 300);
}

// A child that asks for another kind of worker, which can never run in place.
int ParentOfAnotherKind(int depth) {
  if (depth == 0) return 0;
  return *manta::Get(manta::Task(ParentOfAnotherKind).SetNumCpus(depth % 2 == 0 ? 1 : 0.5).Remote(depth - 1)) +
         1;
}

TEST_F(Nested, ParentsBlockWhileTheirChildrenNeedWorkersOfAnotherKind) {
  EXPECT_EQ(*manta::Get(manta::Task(ParentOfAnotherKind).Remote(10), 20s), 10);
  std::vector<manta::ObjectRef<int>> parents;
  for (int i = 0; i < 6; ++i) parents.push_back(manta::Task(ParentOfAnotherKind).Remote(4));
  for (const auto& parent : parents) EXPECT_EQ(*manta::Get(parent, 20s), 4);
}

// Waits without Get.
int ParentThatWaits(int count) {
  std::vector<manta::ObjectRef<int>> children;
  for (int i = 0; i < count; ++i) children.push_back(manta::Task(SleepAndReturn).Remote(1));
  auto [ready, unready] = manta::Wait(children, count);
  return static_cast<int>(ready.size());
}

TEST_F(Nested, ParentsThatWaitForTheirChildrenByWait) {
  std::vector<manta::ObjectRef<int>> parents;
  for (int i = 0; i < 6; ++i) parents.push_back(manta::Task(ParentThatWaits).Remote(20));
  for (const auto& parent : parents) EXPECT_EQ(*manta::Get(parent, 20s), 20);
}

int ParentOfAChildWithoutCpu(int milliseconds) {
  const auto child = manta::Task(SleepAndReturn).SetNumCpus(0).Remote(milliseconds);
  return *manta::Get(child);
}

TEST_F(Nested, TasksBehindABlockedParentGoElsewhere) {
  // Both workers get parents and quick tasks in turn; the parents wait for longer than the quick ones may take. Their children
  // leave the two CPUs to the quick ones.
  std::vector<manta::ObjectRef<int>> parents, quick;
  for (int i = 0; i < 2; ++i) {
    parents.push_back(manta::Task(ParentOfAChildWithoutCpu).Remote(1500));
    for (int j = 0; j < 50; ++j) quick.push_back(manta::Task(SleepAndReturn).Remote(0));
  }
  Stopwatch watch;
  manta::Get(quick, 10s);
  EXPECT_LT(watch.seconds(), 1.2) << "tasks have waited behind parents that wait";
  manta::Get(parents);
}

// ---- Parents that poll

int Identity(int x) { return x; }

// Asks for its child's value until it is there, for `limit_us` each time, and sleeps for `pause_us` in between.
int ParentThatPolls(int limit_us, int pause_us, bool by_get) {
  usleep(100'000);  // until there are more of them than CPUs
  const std::vector<manta::ObjectRef<int>> child{manta::Task(Identity).SetMaxRetries(0).Remote(1)};  // not in place
  for (;;) {
    if (by_get) {
      try {
        return *manta::Get(child[0], std::chrono::microseconds(limit_us));
      } catch (const manta::GetTimeoutError&) {
      }
    } else if (!manta::Wait(child, 1, std::chrono::microseconds(limit_us)).ready.empty()) {
      return *manta::Get(child[0]);
    }
    if (pause_us > 0) usleep(static_cast<useconds_t>(pause_us));
  }
}

// As parents that wait without a limit do: their CPUs are not theirs while they have nothing to do.
TEST_F(Nested, ParentsThatPollLendTheirCpus) {
  for (const auto& [limit_us, pause_us] : {std::pair{50'000, 0}, {4'000, 0}, {1'000, 0}, {100, 0}, {0, 10'000}, {0, 0}}) {
    for (const bool by_get : {false, true}) {
      std::vector<manta::ObjectRef<int>> parents;
      for (int i = 0; i < 8; ++i) parents.push_back(manta::Task(ParentThatPolls).Remote(limit_us, pause_us, by_get));
      for (const auto& parent : parents) {
        EXPECT_EQ(*manta::Get(parent, 20s), 1) << limit_us << " us, " << pause_us << " us in between, " << (by_get ? "Get" : "Wait");
      }
    }
  }
}

int ParentOfThreads(int count, int limit_ms) {
  std::atomic<int> sum{0};
  std::vector<std::thread> threads;
  const auto wait = [&](int i) {
    const std::vector<manta::ObjectRef<int>> child{manta::Task(Identity).Remote(i)};
    while (limit_ms >= 0 && manta::Wait(child, 1, limit_ms).ready.empty()) {
    }
    sum += *manta::Get(child[0]);
  };
  for (int i = 0; i < count; ++i) threads.emplace_back(wait, i);
  for (std::thread& thread : threads) thread.join();
  return sum;
}

// The threads wait, in one wait or in many, and the task, which joins them, sleeps.
TEST_F(Nested, ParentsWhoseThreadsWaitLendTheirCpus) {
  for (const int limit_ms : {-1, 1}) {
    std::vector<manta::ObjectRef<int>> parents;
    for (int i = 0; i < 8; ++i) parents.push_back(manta::Task(ParentOfThreads).Remote(3, limit_ms));
    for (const auto& parent : parents) EXPECT_EQ(*manta::Get(parent, 20s), 3);
  }
}

class Joiner {
 public:
  int Join() const { return ParentOfThreads(2, -1); }
};

// Its main thread waits for calls meanwhile.
TEST_F(Nested, ActorsWithThreadsThatJoinOneThatWaitsLendTheirCpus) {
  for (const int threads : {1, 2}) {
    std::vector<manta::ActorHandle<Joiner>> actors;
    std::vector<manta::ObjectRef<int>> joined;
    for (int i = 0; i < 2; ++i) {
      actors.push_back(manta::Actor<Joiner>().SetNumCpus(1).SetMaxConcurrency(threads).Remote());
      joined.push_back(actors.back().Task(&Joiner::Join).Remote());
    }
    for (const auto& one : joined) EXPECT_EQ(*manta::Get(one, 20s), 1) << threads;
    for (const auto& actor : actors) actor.Kill();
  }
}

// How many are in a piece of code at the same time, over all processes.
class Together {
 public:
  explicit Together(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, sizeof(Counts)) != 0) abort();
    counts_ = static_cast<Counts*>(mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    close(fd);
  }
  void Enter() {
    const int now = ++counts_->now;
    for (int most = counts_->most; most < now && !counts_->most.compare_exchange_weak(most, now);) {
    }
  }
  void Leave() { --counts_->now; }
  int most() const { return counts_->most; }

 private:
  struct Counts {
    std::atomic<int> now, most;
  };
  Counts* counts_;
};

int ComputeAndLook(const std::string& counts, std::vector<manta::ObjectRef<int>> stop) {
  Together together(counts);
  together.Enter();
  for (const auto until = std::chrono::steady_clock::now() + 200ms; std::chrono::steady_clock::now() < until;) {
    for (const auto step = std::chrono::steady_clock::now() + 200us; std::chrono::steady_clock::now() < step;) {
    }
    (void)manta::Wait(stop, 1, 0ms);
  }
  together.Leave();
  return 0;
}

// Others take the cores from them now and then, which is no time that they do not need them.
TEST_F(Nested, TasksThatComputeAndLookKeepTheirCpus) {
  const manta::ObjectRef<int> never = manta::Task([] { return pause(); }).SetNumCpus(0).Remote();
  std::atomic<bool> done{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 4; ++i) others.emplace_back([&done] { while (!done) {} });
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(manta::Task(ComputeAndLook).Remote(root() + "/counts", std::vector{never}));
  for (const auto& task : tasks) EXPECT_EQ(*manta::Get(task, 60s), 0);
  done = true;
  for (std::thread& one : others) one.join();
  EXPECT_LE(Together(root() + "/counts").most(), 3) << "with 2 CPUs";
  manta::CancelOptions by_force;
  by_force.force = true;
  manta::Cancel(never, by_force);
}

int64_t FibonacciThatPolls(int n) {
  if (n < 2) return n;
  const std::vector<manta::ObjectRef<int64_t>> children{manta::Task(FibonacciThatPolls).Remote(n - 1), manta::Task(FibonacciThatPolls).Remote(n - 2)};
  while (manta::Wait(children, 2, 50ms).ready.size() < 2) {
  }
  return *manta::Get(children[0]) + *manta::Get(children[1]);
}

TEST_F(Nested, ARecursionThatPolls) { EXPECT_EQ(*manta::Get(manta::Task(FibonacciThatPolls).Remote(8), 30s), 21); }

int PollThenRun(const std::string& polls, const std::string& runs) {
  const auto never = manta::Task([] { return pause(); }).SetNumCpus(0).Remote();
  while (access(polls.c_str(), F_OK) == 0) (void)manta::Wait(std::vector{never}, 1, 1ms);
  while (access(runs.c_str(), F_OK) == 0) {
  }
  manta::CancelOptions by_force;
  by_force.force = true;
  manta::Cancel(never, by_force);
  return 0;
}

TEST_F(Nested, AParentThatRunsOnAfterAWaitThatGaveUpHasItsCpuAgain) {
  const std::string polls = root() + "/polls", runs = root() + "/runs";
  std::ofstream{polls}, std::ofstream{runs};
  const auto cpus_get = [](double free) {
    return Eventually(20s, [&] { return manta::AvailableResources()["CPU"] == free; });
  };
  const auto task = manta::Task(PollThenRun).Remote(polls, runs);
  EXPECT_TRUE(cpus_get(1));  // it has begun
  EXPECT_TRUE(cpus_get(2));  // and lends its CPU
  unlink(polls.c_str());
  EXPECT_TRUE(cpus_get(1));
  unlink(runs.c_str());
  manta::Get(task, 20s);
  EXPECT_TRUE(cpus_get(2));
}

// ---- Values and failures of children

int64_t SumOfLargeChildren(int count, int size) {
  std::vector<manta::ObjectRef<std::string>> children;
  for (int i = 0; i < count; ++i) {
    children.push_back(
        manta::Task([](int bytes) { return std::string(static_cast<size_t>(bytes), 'c'); }).Remote(size));
  }
  int64_t sum = 0;
  for (const auto& child : children) sum += static_cast<int64_t>(manta::Get(child)->size());
  return sum;
}

TEST_F(Nested, ChildrenReturnValuesOfAllSizes) {
  for (int size : {0, 10, 32, 33, 1000, 65'536, 65'537, 3'000'000}) {
    EXPECT_EQ(*manta::Get(manta::Task(SumOfLargeChildren).Remote(10, size)), int64_t{10} * size) << size;
  }
}

int Fail(int depth) {
  if (depth == 0) throw std::domain_error("from the bottom");
  return *manta::Get(manta::Task(Fail).Remote(depth - 1));
}

TEST_F(Nested, FailuresOfChildrenArriveAsTheyWere) {
  for (int depth : {0, 1, 2, 20}) {
    const auto failed = manta::Task(Fail).Remote(depth);
    const std::string message = MessageOf<std::domain_error>([&] { manta::Get(failed); });
    EXPECT_NE(message.find("from the bottom"), std::string::npos) << message;
  }
}

// Does not wait for what it has submitted.
int Forget(int count) {
  for (int i = 0; i < count; ++i) manta::Task(SleepAndReturn).Remote(1);
  return count;
}

TEST_F(Nested, ParentsMayEndBeforeTheirChildren) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(*manta::Get(manta::Task(Forget).Remote(50), 20s), 50);
}

int64_t WorkerOf(int depth) {
  if (depth == 0) return getpid();
  return *manta::Get(manta::Task(WorkerOf).Remote(depth - 1));
}

TEST_F(Nested, ChildrenSeeTheSameCluster) {
  EXPECT_NE(*manta::Get(manta::Task(WorkerOf).Remote(5)), getpid());
  EXPECT_TRUE(*manta::Get(manta::Task([] { return manta::IsInitialized(); }).Remote()));
  EXPECT_FALSE(*manta::Get(manta::Task([] { return manta::GetRuntimeContext().IsDriver(); }).Remote()));
  const std::string job = manta::GetRuntimeContext().GetJobId();
  EXPECT_EQ(*manta::Get(manta::Task([] { return manta::GetRuntimeContext().GetJobId(); }).Remote()), job);
}

// Threads of a task may use the cluster as well.
int64_t Threads(int count) {
  std::atomic<int64_t> sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&sum, i] {
      for (int j = 0; j < 100; ++j) {
        sum += *manta::Get(manta::Task(Identity).Remote(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return sum;
}

TEST_F(Nested, ThreadsOfATaskSubmitTasks) {
  EXPECT_EQ(*manta::Get(manta::Task(Threads).Remote(4), 20s), 600);
}

void Note(const std::string& path) { close(creat(path.c_str(), 0600)); }

// Until it is cancelled, which it notes, or for 20 seconds.
bool SpinUntilCancelled(std::string cancelled) {
  Stopwatch watch;
  while (watch.seconds() < 20) {
    if (manta::GetRuntimeContext().IsCancelled()) {
      Note(cancelled);
      return true;
    }
    usleep(1000);
  }
  return false;
}

bool ParentOfSpinner(std::string running, std::string cancelled) {
  const auto child = manta::Task(SpinUntilCancelled).Remote(cancelled);
  Note(running);
  return *manta::Get(child);
}

// In its parent's process, or in one of its own if another worker was quicker.
TEST_F(Nested, RecursiveCancellationReachesAChild) {
  const std::string running = root() + "/running", cancelled = root() + "/cancelled";
  const auto parent = manta::Task(ParentOfSpinner).Remote(running, cancelled);
  ASSERT_TRUE(Eventually(5s, [&] { return access(running.c_str(), F_OK) == 0; }));
  usleep(50'000);
  Stopwatch watch;
  manta::Cancel(parent);
  EXPECT_THROW(manta::Get(parent, 10s), manta::TaskCancelledError);
  EXPECT_LT(watch.seconds(), 5.0);
  EXPECT_TRUE(Eventually(5s, [&] { return access(cancelled.c_str(), F_OK) == 0; }));
}

int SleepSeconds(int seconds) {
  sleep(static_cast<unsigned>(seconds));
  return seconds;
}

std::string GetWithin100Ms() {
  const auto slow = manta::Task(SleepSeconds).Remote(5);
  Stopwatch watch;
  try {
    manta::Get(slow, 100ms);
    return "a value";
  } catch (const manta::GetTimeoutError&) {
    return watch.seconds() < 3 ? "a timeout" : "a late timeout";
  }
}

TEST_F(Nested, ATimeLimitHoldsForChildrenThatMightRunInPlace) {
  EXPECT_EQ(*manta::Get(manta::Task(GetWithin100Ms).Remote(), 20s), "a timeout");
}

int CrashAtOnce() { abort(); }

// Whether the child's crash arrived as an error. It may have ended the first attempt, if that ran it in place.
std::string SurviveAChild() {
  try {
    manta::Get(manta::Task(CrashAtOnce).SetMaxRetries(0).Remote());
  } catch (const manta::WorkerCrashedError& error) {
    return error.what();
  }
  return "";
}

TEST_F(Nested, ACrashingChildEndsNoParentThatMayBeTriedAgain) {
  for (int i = 0; i < 5; ++i) {
    const std::string message = *manta::Get(manta::Task(SurviveAChild).SetMaxRetries(1).Remote(), 20s);
    EXPECT_NE(message.find("SIGABRT"), std::string::npos) << message;
    EXPECT_NE(message.find("core"), std::string::npos) << message;
  }
}

int PassOnTheCrashOf(const std::vector<manta::ObjectRef<int>>& child) {
  return *manta::Get(child.front());
}

TEST_F(Nested, ACrashingChildThatIsNotTriedAgainTakesNoParentAlong) {
  const std::string message = *manta::Get(manta::Task(SurviveAChild).SetMaxRetries(0).Remote(), 20s);
  EXPECT_NE(message.find("SIGABRT"), std::string::npos) << message;
}

TEST_F(Nested, TheErrorThatATaskLetsPassIsStillWhatItWas) {
  const auto crashed = manta::Task(CrashAtOnce).SetMaxRetries(0).Remote();
  const auto parent = manta::Task(PassOnTheCrashOf).Remote(std::vector{crashed});
  try {
    manta::Get(parent, 20s);
    FAIL() << "nothing was thrown";
  } catch (const manta::WorkerCrashedError& error) {
    EXPECT_EQ(error.kind(), MANTA_ERROR_TASK) << "it is the parent that failed";
    EXPECT_NE(std::string(error.what()).find("SIGABRT"), std::string::npos) << error.what();
  }
  EXPECT_THROW(manta::Get(parent), manta::TaskError);
}

int Touch(const std::string& file) {
  std::ofstream(file).flush();
  return 1;
}
// Busy, as far as anybody can tell, until its child has run.
bool SeesItsChild(const std::string& file) {
  const auto child = manta::Task(Touch).Remote(file);
  for (int i = 0; i < 3'000 && access(file.c_str(), F_OK) != 0; ++i) usleep(1'000);
  return access(file.c_str(), F_OK) == 0;
}
int Rest(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1'000);
  return milliseconds;
}

// The driver holds the leases of both CPUs and needs one.
TEST_F(Nested, AChildGetsTheCpuThatNobodyUses) {
  for (int round = 0; round < 20; ++round) {
    const auto one = manta::Task(Rest).Remote(6);
    const auto two = manta::Task(Rest).Remote(6);
    manta::Get(one);
    manta::Get(two);
    ASSERT_TRUE(*manta::Get(manta::Task(SeesItsChild).Remote(root() + "/" + std::to_string(round)))) << "in round " << round;
  }
}

int FibonacciWithLimits(int n) {
  if (n < 2) return n;
  const auto one = manta::Task(FibonacciWithLimits).Remote(n - 1);
  const auto other = manta::Task(FibonacciWithLimits).Remote(n - 2);
  return *one.Get(600'000) + *other.Get(600'000);
}

// A child whose kind takes a small part of the time limit runs in its parent's place.
TEST_F(Nested, WaitsWithATimeLimitMakeNoCrowdOfProcesses) {
  EXPECT_EQ(*manta::Get(manta::Task(FibonacciWithLimits).Remote(16)), 987);
  EXPECT_LE(Pids(Role::kWorker).size(), 24u);
}

int ThrowOnce(const std::string& file) {
  usleep(150'000);  // longer than leases are kept for a task that runs elsewhere
  if (access(file.c_str(), F_OK) == 0) return 1;
  std::ofstream(file).flush();
  throw std::runtime_error("at first");
}
int TryTwice(const std::string& file) {
  return *manta::Get(manta::Task(ThrowOnce).SetRetryExceptions().SetMaxRetries(2).Remote(file));
}

// It ran in its parent's place at first, and in a worker of its own then.
TEST_F(Nested, AChildThatIsTriedAgainGivesItsLeaseBack) {
  EXPECT_EQ(*manta::Get(manta::Task(TryTwice).Remote(root() + "/tried")), 1);
  const double cpus = manta::ClusterResources()["CPU"];
  EXPECT_TRUE(Eventually(5s, [&] { return manta::AvailableResources()["CPU"] == cpus; }));
}

class LeavingDrivers : public ClusterTest {};

int ParentOfASleeper(int depth) {
  if (depth > 0) return *manta::Get(manta::Task(ParentOfASleeper).SetMaxRetries(0).Remote(depth - 1));
  usleep(5'000);
  return 1;
}

// Workers of theirs that are not dead yet want others, which will not come.
TEST_F(LeavingDrivers, LeaveRoomForTheWorkersOfTheNext) {
  StartedCluster cluster("--num-cpus 2");
  manta::Config config;
  config.address = cluster.address();
  for (int i = 0; i < 8; ++i) {
    DriverProcess leaving([&](const DriverProcess::Say&) {
      manta::Init(config);
      std::vector<manta::ObjectRef<int>> parents;
      for (int parent = 0; parent < 20; ++parent) parents.push_back(manta::Task(ParentOfASleeper).SetMaxRetries(0).Remote(3));
      usleep(static_cast<useconds_t>(2'000 + 3'000 * i));
      _exit(0);
    });
    ASSERT_TRUE(leaving.Wait(10s).has_value());
  }
  manta::Init(config);
  std::vector<manta::ObjectRef<int>> parents;
  for (int i = 0; i < 4; ++i) parents.push_back(manta::Task(ParentOfASleeper).SetMaxRetries(0).Remote(1));
  for (const auto& parent : parents) EXPECT_EQ(*manta::Get(parent, 20s), 1);
  parents.clear();
  manta::Shutdown();
}

}  // namespace
}  // namespace manta_test
