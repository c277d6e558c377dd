// Two nodes: a driver's tasks and actors run on both, arguments and results cross, and the death of one loses no reference.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/clusters/two_nodes.h"
#include "tests/support/driver_process.h"

namespace manta_test {
namespace {

constexpr size_t kMany = 1 << 20;  // ints

std::string WhereIRun() { return manta::GetRuntimeContext().GetNodeId(); }
int Twice(int number) { return 2 * number; }
std::string Echo(const std::string& text) { return text; }

std::string WhereAfter(int milliseconds) {
  const timespec pause{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  nanosleep(&pause, nullptr);
  return WhereIRun();
}

std::vector<int> Numbers(int number) { return std::vector<int>(kMany, number); }
int64_t Sum(const std::vector<int>& numbers) { return std::accumulate(numbers.begin(), numbers.end(), int64_t{0}); }
int Throw() { throw std::runtime_error("on purpose"); }

class Counter {
 public:
  explicit Counter(int start) : count_(start) {}
  int Add(int number) { return count_ += number; }
  std::string Where() { return WhereIRun(); }
  std::string Sleep(int milliseconds) { return WhereAfter(milliseconds); }

 private:
  int count_;
};

class Log {
 public:
  void Add(const std::string& text) { text_ += text[0]; }
  // Counts those of the usual length.
  void AddAll(std::string a, std::string b, std::string c, std::string d, std::string e, std::string f, std::string g,
              std::string h, std::string i, std::string j) {
    int count = 0;
    for (const std::string* text : {&a, &b, &c, &d, &e, &f, &g, &h, &i, &j}) count += text->size() == 60'000;
    text_ += std::to_string(count);
  }
  std::string All() { return text_; }

 private:
  std::string text_;
};

int CallTwice(manta::ActorHandle<Counter> counter) {
  counter.Task(&Counter::Add).Remote(1).Get();
  return *counter.Task(&Counter::Add).Remote(1).Get();
}

int AddToNamed(const std::string& name) {
  return *manta::GetActor<Counter>(name)->Task(&Counter::Add).Remote(1).Get();
}

int Fibonacci(int n) {
  if (n < 2) return n;
  const auto one = manta::Task(Fibonacci).Remote(n - 1);
  const auto two = manta::Task(Fibonacci).Remote(n - 2);
  return *one.Get() + *two.Get();
}

std::tuple<std::string, std::string, std::string> ThreeTexts(size_t size) {
  return {std::string(size, 'a'), std::string(size, 'b'), std::string(size, 'c')};
}

class Library {
 public:
  explicit Library(const std::vector<int>& numbers) : sum_(std::accumulate(numbers.begin(), numbers.end(), int64_t{0})) {}
  int64_t Sum() { return sum_; }

 private:
  int64_t sum_;
};

constexpr int kTexts = 1'500;  // 90 MB: more than may wait for a process
std::vector<manta::ObjectRef<std::string>> MakeManyTexts() {
  std::vector<manta::ObjectRef<std::string>> texts;
  for (int i = 0; i < kTexts; ++i) texts.push_back(manta::Put(std::string(60'000, static_cast<char>('a' + i % 26))));
  return texts;
}
int CountGood(const std::vector<manta::ObjectRef<std::string>>& texts) {
  manta::Wait(texts, static_cast<int>(texts.size()), -1);
  int good = 0;
  for (size_t i = 0; i < texts.size(); ++i) good += *texts[i].Get() == std::string(60'000, static_cast<char>('a' + i % 26));
  return good;
}

// Its last line comes at its very end.
int PrintLines(int count) {
  for (int i = 0; i <= count; ++i) std::printf("line %d of %d\n", i, count);
  std::fflush(stdout);
  return count;
}

size_t TotalSize(const std::vector<manta::ObjectRef<std::string>>& references) {
  size_t size = 0;
  for (const auto& reference : references) size += reference.Get()->size();
  return size;
}

std::vector<manta::ObjectRef<std::string>> MakeReferences() {
  return {manta::Put(std::string(7, 's')), manta::Put(std::string(300'000, 'l'))};
}

TEST_F(TwoNodesTest, RunATaskWhereItsResourceIs) {
  EXPECT_NE(*manta::Task(WhereIRun).SetResource("far", 1).Remote().Get(), head_id_);
  EXPECT_EQ(*manta::Task(Twice).SetResource("far", 1).Remote(21).Get(), 42);
}

TEST_F(TwoNodesTest, ShareTheTasksOfOneDriver) {
  std::vector<manta::ObjectRef<std::string>> tasks;
  for (int i = 0; i < 60; ++i) tasks.push_back(manta::Task(WhereAfter).Remote(20));
  std::set<std::string> nodes;
  for (const auto& task : tasks) nodes.insert(*task.Get());
  EXPECT_EQ(nodes.size(), 2u);
}

TEST_F(TwoNodesTest, PassValuesOfAllSizes) {
  for (const size_t size : {size_t{0}, size_t{30}, size_t{100}, size_t{60'000}, size_t{100'000}, size_t{5'000'000}}) {
    const std::string text(size, 'x');
    const auto inside = manta::Task(Echo).SetResource("far", 1).Remote(text);
    EXPECT_EQ(*inside.Get(), text) << size;
    const auto by_reference = manta::Task(Echo).SetResource("far", 1).Remote(manta::Put(text));
    EXPECT_EQ(*by_reference.Get(), text) << size;
  }
}

TEST_F(TwoNodesTest, PassLargeResultsOfSeveralTasksAtOnce) {
  std::vector<manta::ObjectRef<std::vector<int>>> made;
  for (int i = 0; i < 8; ++i) made.push_back(manta::Task(Numbers).SetResource("far", 0.1).Remote(i));
  std::vector<manta::ObjectRef<int64_t>> sums;
  for (const auto& numbers : made) sums.push_back(manta::Task(Sum).Remote(numbers));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(made[i].Get()->at(kMany - 1), i);
    EXPECT_EQ(*sums[i].Get(), int64_t{i} * int64_t{kMany});
  }
}

TEST_F(TwoNodesTest, GiveTheSpaceOfPassedObjectsBack) {
  const double before = manta::AvailableResources()["object_store_memory"];
  for (int i = 0; i < 20; ++i) {
    const auto numbers = manta::Put(std::vector<int>(kMany, 1));
    EXPECT_EQ(*manta::Task(Sum).SetResource("far", 1).Remote(numbers).Get(), int64_t{kMany});
    EXPECT_EQ(manta::Task(Numbers).SetResource("far", 1).Remote(1).Get()->size(), kMany);
  }
  EXPECT_TRUE(Eventually(10s, [&] { return manta::AvailableResources()["object_store_memory"] == before; }))
      << before - manta::AvailableResources()["object_store_memory"] << " bytes are still used";
}

// Two of the three find room here.
TEST_F(TwoNodesTest, GiveTheSpaceOfResultsBackThatDoNotAllFit) {
  const double before = manta::AvailableResources()["object_store_memory"];
  const auto held = manta::Put(std::vector<int>(kStore / 2 / sizeof(int), 1));
  const double without = manta::AvailableResources()["object_store_memory"];
  const auto three = manta::Task(ThreeTexts).SetResource("far", 1).RemoteMulti(size_t{kStore} / 5);
  EXPECT_THROW(std::get<2>(three).Get(), manta::Error);
  EXPECT_TRUE(Eventually(10s, [&] { return manta::AvailableResources()["object_store_memory"] == without; }))
      << without - manta::AvailableResources()["object_store_memory"] << " bytes are still used";
  EXPECT_GT(before, without);
}

TEST_F(TwoNodesTest, RunAnActorOnTheOtherNode) {
  auto counter = manta::Actor<Counter>().SetResource("far", 1).Remote(100);
  EXPECT_NE(*counter.Task(&Counter::Where).Remote().Get(), head_id_);
  for (int i = 1; i <= 100; ++i) counter.Task(&Counter::Add).Remote(1);
  EXPECT_EQ(*counter.Task(&Counter::Add).Remote(0).Get(), 200);
}

TEST_F(TwoNodesTest, KeepTheOrderOfCallsBehindALargeArgument) {
  auto log = manta::Actor<Log>().SetResource("far", 1).Remote();
  const auto large = manta::Put(std::string(8'000'000, 'L'));
  log.Task(&Log::Add).Remote(large);
  for (const char* text : {"a", "b", "c"}) log.Task(&Log::Add).Remote(std::string(text));
  EXPECT_EQ(*log.Task(&Log::All).Remote().Get(), "Labc");
}

TEST_F(TwoNodesTest, LetTasksOfEitherNodeCallAnActorOfTheOther) {
  auto far = manta::Actor<Counter>().SetResource("far", 0.5).Remote(0);
  auto near = manta::Actor<Counter>().SetNumCpus(0).SetResource("node:__internal_head__", 0.1).Remote(0);
  EXPECT_EQ(*near.Task(&Counter::Where).Remote().Get(), head_id_);
  EXPECT_EQ(*manta::Task(CallTwice).SetResource("far", 0.5).Remote(near).Get(), 2);
  EXPECT_EQ(*manta::Task(CallTwice).SetResource("node:__internal_head__", 0.1).Remote(far).Get(), 2);
}

TEST_F(TwoNodesTest, FindAnActorByItsNameFromTheOtherNode) {
  auto counter = manta::Actor<Counter>().SetName("counter").SetNumCpus(0).SetResource("node:__internal_head__", 0.1).Remote(5);
  EXPECT_EQ(*counter.Task(&Counter::Add).Remote(0).Get(), 5);
  EXPECT_EQ(*manta::Task(AddToNamed).SetResource("far", 1).Remote(std::string("counter")).Get(), 6);
}

TEST_F(TwoNodesTest, RunTasksOfTasks) {
  EXPECT_EQ(*manta::Task(Fibonacci).SetResource("far", 1).Remote(10).Get(), 55);
}

TEST_F(TwoNodesTest, PassReferencesInsideOfValues) {
  const std::vector<manta::ObjectRef<std::string>> references = {manta::Put(std::string("small")),
                                                                 manta::Put(std::string(200'000, 'l'))};
  EXPECT_EQ(*manta::Task(TotalSize).SetResource("far", 1).Remote(references).Get(), 200'005u);
  const auto made = manta::Task(MakeReferences).SetResource("far", 1).Remote().Get();
  EXPECT_EQ(made->at(0).Get()->size(), 7u);
  EXPECT_EQ(made->at(1).Get()->size(), 300'000u);
}

// Arguments that are objects, and more than fits into a channel at once, in both directions.
TEST_F(TwoNodesTest, PassManyReferencesAndLargeArgumentsToATask) {
  std::vector<manta::ObjectRef<std::string>> references;
  for (int i = 0; i < 3'000; ++i) references.push_back(manta::Put(std::string(10, 'x')));
  EXPECT_EQ(*manta::Task(TotalSize).SetResource("far", 1).Remote(manta::Put(references)).Get(), 30'000u);

  auto log = manta::Actor<Log>().SetResource("far", 1).Remote();
  const double before = manta::AvailableResources()["object_store_memory"];
  const auto text = manta::Put(std::string(60'000, 'x'));
  for (int i = 0; i < 5; ++i) {
    log.Task(&Log::AddAll).Remote(text, text, text, text, text, text, text, text, text, text);
    log.Task(&Log::Add).Remote(std::string("b"));
  }
  EXPECT_EQ(*log.Task(&Log::All).Remote().Get(), "10b10b10b10b10b");
  EXPECT_TRUE(Eventually(10s, [&] { return manta::AvailableResources()["object_store_memory"] == before; }))
      << before - manta::AvailableResources()["object_store_memory"] << " bytes are still used";
}

TEST_F(TwoNodesTest, LetNothingWaitBehindATaskThatWaits) {
  // Values come late: the tasks that wait for them are at the far workers before those that make them.
  const auto late = manta::Task(WhereAfter).SetResource("node:__internal_head__", 0.1).Remote(300);
  std::vector<manta::ObjectRef<std::string>> made;
  std::vector<manta::ObjectRef<size_t>> waiting;
  for (int i = 0; i < 8; ++i) {
    made.push_back(manta::Task(Echo).SetResource("far", 0.01).Remote(late));
    waiting.push_back(manta::Task(TotalSize).SetResource("far", 0.01).Remote(std::vector{made.back()}));
  }
  for (const auto& size : waiting) EXPECT_EQ(*size.Get(), head_id_.size());
}

TEST_F(TwoNodesTest, SurviveTheDeathOfTheOtherNodeAmidLargeObjects) {
  constexpr int kPairs = 8;  // all of them fit into a store
  const auto argument = manta::Put(std::vector<int>(kMany, 1));
  std::vector<manta::ObjectRef<int64_t>> sums;
  for (int i = 0; i < kPairs; ++i) {
    const auto numbers = manta::Task(Numbers).Remote(i);
    sums.push_back(manta::Task(Sum).Remote(numbers));
    for (int j = 0; j < 10; ++j) sums.push_back(manta::Task(Sum).Remote(argument));
  }
  sums.front().Get();
  node_->Kill();
  for (int i = 0; i < kPairs; ++i) {
    EXPECT_EQ(*sums[11 * i].Get(), int64_t{i} * int64_t{kMany});
    for (int j = 1; j <= 10; ++j) EXPECT_EQ(*sums[11 * i + j].Get(), int64_t{kMany});
  }
}

TEST_F(TwoNodesTest, ThrowWhatATaskThrewThere) {
  const auto failing = manta::Task(Throw).SetResource("far", 1).Remote();
  EXPECT_NE(MessageOf<manta::TaskError>([&] { failing.Get(); }).find("on purpose"), std::string::npos);
}

TEST_F(TwoNodesTest, CancelATaskThatWaitsThere) {
  const auto running = manta::Task(WhereAfter).SetResource("far", 1).Remote(300);
  std::vector<manta::ObjectRef<std::string>> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(manta::Task(WhereAfter).SetResource("far", 1).Remote(300));
  for (const auto& task : waiting) manta::Cancel(task);
  for (size_t i = 1; i < waiting.size(); ++i) {
    EXPECT_THROW(waiting[i].Get(), manta::TaskCancelledError) << i;
  }
  EXPECT_NE(*running.Get(), head_id_);
}

TEST_F(TwoNodesTest, SurviveTheDeathOfTheOtherNode) {
  std::vector<manta::ObjectRef<std::string>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(manta::Task(WhereAfter).Remote(2));
  const auto only_there = manta::Task(WhereAfter).SetResource("far", 1).SetMaxRetries(0).Remote(60'000);
  ASSERT_TRUE(Eventually(20s, [&] { return manta::AvailableResources()["far"] == 0; }));
  node_->Kill();
  for (const auto& task : tasks) EXPECT_FALSE(task.Get()->empty());
  const std::string message = MessageOf<manta::NodeDiedError>([&] { only_there.Get(); });
  EXPECT_NE(message.find("node 2"), std::string::npos) << message;
  EXPECT_TRUE(Eventually(5s, [] { return manta::ClusterResources()["CPU"] == 1; }));
}

TEST_F(TwoNodesTest, GetBackALeaseThatNobodyWantsAnyMoreWhenItComes) {
  EXPECT_EQ(*manta::Task(Twice).SetResource("far", 1).Remote(1).Get(), 2);
  std::this_thread::sleep_for(500ms);  // the lease has gone back
  {
    Stopped node(node_->pid());
    const auto cancelled = manta::Task(Twice).SetResource("far", 1).Remote(2);
    std::this_thread::sleep_for(50ms);  // its demand is on the way
    manta::Cancel(cancelled);
    EXPECT_THROW(cancelled.Get(), manta::TaskCancelledError);
    std::this_thread::sleep_for(300ms);  // and so is the word that there is none any more
  }
  // Of another shape, which could not use that lease.
  EXPECT_EQ(*manta::Task(Twice).SetResource("far", 1).SetNumCpus(0.5).Remote(3).Get(10'000), 6);
}

std::vector<manta::ObjectRef<int>> Puts(int count) {
  std::vector<manta::ObjectRef<int>> made;
  for (int i = 0; i < count; ++i) made.push_back(manta::Put(i));
  return made;
}

class Leaver {
 public:
  std::vector<manta::ObjectRef<int>> Leave(int count) {
    manta::ExitActor();
    return Puts(count);
  }
};

TEST_F(TwoNodesTest, KeepTheObjectsOfAnActorThatHasEnded) {
  auto leaver = manta::Actor<Leaver>().SetName("leaver").SetResource("far", 1).Remote();
  auto made = *leaver.Task(&Leaver::Leave).Remote(3).Get();
  auto next = manta::Actor<Counter>().SetResource("far", 1).Remote(1);
  EXPECT_EQ(*next.Task(&Counter::Add).Remote(1).Get(10'000), 2) << "its resources are free";
  EXPECT_THROW(leaver.Task(&Leaver::Leave).Remote(1).Get(10'000), manta::ActorDiedError);
  EXPECT_FALSE(manta::GetActor<Leaver>("leaver"));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*made[static_cast<size_t>(i)].Get(10'000), i);
}

class Sequence {
 public:
  // -1: a call has overtaken another.
  int Next(int number) {
    if (number <= last_) return -1;
    return last_ = number;
  }
  int Pid() { return getpid(); }

 private:
  int last_ = -1;
};

TEST_F(TwoNodesTest, KeepTheOrderOfCallsWhenAnActorStartsAgain) {
  auto sequence = manta::Actor<Sequence>().SetResource("far", 1).SetMaxRestarts(-1).SetMaxTaskRetries(-1).Remote();
  int number = 0;
  for (int round = 0; round < 15; ++round) {
    const pid_t host = *sequence.Task(&Sequence::Pid).Remote().Get();
    std::vector<manta::ObjectRef<int>> calls;
    for (int i = 0; i < 2'000; ++i) {
      calls.push_back(sequence.Task(&Sequence::Next).Remote(number++));
      if (i == 1'000) kill(host, SIGKILL);
    }
    int overtaken = 0;
    for (const auto& call : calls) overtaken += *call.Get(20'000) < 0;
    ASSERT_EQ(overtaken, 0) << "in round " << round;
  }
}

TEST_F(TwoNodesTest, EndTheCallsOfAnActorWhoseNodeHasDied) {
  auto counter = manta::Actor<Counter>().SetResource("far", 1).Remote(0);
  EXPECT_EQ(*counter.Task(&Counter::Add).Remote(1).Get(), 1);
  std::vector<manta::ObjectRef<std::string>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(counter.Task(&Counter::Sleep).Remote(1000));
  node_->Kill();
  for (const auto& call : calls) EXPECT_THROW(call.Get(), manta::ActorDiedError);
}

TEST_F(TwoNodesTest, StartAnActorAgainWhenItsNodeHasDied) {
  // The head has one CPU: while a task holds it, an actor finds its place on the node.
  const auto holder = manta::Task(WhereAfter).SetResource("node:__internal_head__", 0.1).Remote(1000);
  ASSERT_TRUE(Eventually(5s, [] { return manta::AvailableResources()["node:__internal_head__"] < 1; }));
  auto counter = manta::Actor<Counter>().SetMaxRestarts(1).SetMaxTaskRetries(1).Remote(7);
  EXPECT_NE(*counter.Task(&Counter::Where).Remote().Get(), head_id_);
  node_->Kill();
  EXPECT_EQ(*counter.Task(&Counter::Where).Remote().Get(), head_id_);
  EXPECT_EQ(*holder.Get(), head_id_);
}

TEST_F(TwoNodesTest, StartADetachedActorThatTakesALargeArgument) {
  for (const char* where : {"far", "near"}) {
    auto library = manta::Actor<Library>()
                       .SetName(where)
                       .SetDetached()
                       .SetResource(where, 0.1)
                       .Remote(manta::Put(std::vector<int>(kMany, 2)));
    EXPECT_EQ(*library.Task(&Library::Sum).Remote().Get(), int64_t{2} * int64_t{kMany}) << where;
    library.Kill();
  }
}

// Each way carries more than may wait, and whoever is held up for one of them reads the other.
TEST_F(TwoNodesTest, AskEachOtherForManyValuesAtOnce) {
  LimitTime(120s);
  const auto here = MakeManyTexts();
  const auto there = manta::Task(MakeManyTexts).SetResource("far", 0.1).Remote().Get();
  std::vector<manta::ObjectRef<int>> counts;
  for (int i = 0; i < 3; ++i) counts.push_back(manta::Task(CountGood).SetNumCpus(0).SetResource("far", 0.1).Remote(here));
  EXPECT_EQ(CountGood(*there), kTexts);
  for (const auto& count : counts) EXPECT_EQ(*count.Get(), kTexts);
}

// Takes so many arrays of its node's store.
class Holder {
 public:
  int Hold(int count) {
    for (int i = 0; i < count; ++i) arrays_.push_back(manta::Put(std::vector<int>(kMany, i)));
    return count;
  }

 private:
  std::vector<manta::ObjectRef<std::vector<int>>> arrays_;
};

int64_t SumOf(const manta::ObjectRef<std::vector<int>>& numbers) { return Sum(*numbers.Get()); }
int64_t SumAfter(const std::vector<int>& numbers, int milliseconds) {
  WhereAfter(milliseconds);
  return Sum(numbers);
}

// The other node's store has room for 7 of 14: copies that nobody uses any more make room for others.
TEST_F(TwoNodesTest, ReadMoreThanTheOtherStoreHolds) {
  auto holder = manta::Actor<Holder>().SetResource("far", 0.1).Remote();
  holder.Task(&Holder::Hold).Remote(8).Get();
  std::vector<manta::ObjectRef<std::vector<int>>> numbers;
  for (int i = 1; i <= 14; ++i) numbers.push_back(manta::Put(std::vector<int>(kMany, i)));
  for (int round = 0; round < 2; ++round) {
    const auto slow = manta::Task(SumAfter).SetResource("far", 0.1).Remote(numbers[round], 300);
    std::vector<manta::ObjectRef<int64_t>> sums, fetched;
    for (const auto& array : numbers) sums.push_back(manta::Task(Sum).SetResource("far", 0.1).Remote(array));
    for (int i = 0; i < 14; ++i) EXPECT_EQ(*sums[i].Get(), int64_t{kMany} * (i + 1));
    for (const auto& array : numbers) fetched.push_back(manta::Task(SumOf).SetResource("far", 0.1).Remote(array));
    for (int i = 0; i < 14; ++i) EXPECT_EQ(*fetched[i].Get(), int64_t{kMany} * (i + 1));
    EXPECT_EQ(*slow.Get(), int64_t{kMany} * (round + 1));
  }
}

TEST_F(TwoNodesTest, ShowWhatAWorkerPrintedLastBeforeADriverLeaves) {
  manta::Shutdown();
  const std::string output = root() + "/output";
  DriverProcess driver(
      [](const DriverProcess::Say&) {
        manta::Config config;
        config.address = "auto";
        manta::Init(config);
        manta::Task(PrintLines).SetResource("far", 1).Remote(100).Get();
        manta::Shutdown();
      },
      output);
  ASSERT_TRUE(driver.Succeeds(10s));
  std::ifstream file(output);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(text.find("line 100 of 100"), std::string::npos) << text;
}

TEST_F(TwoNodesTest, EndTheNodeWithItsHead) {
  EXPECT_EQ(*manta::Task(Twice).SetResource("far", 1).Remote(1).Get(), 2);
  manta::Shutdown();
  head_->Kill();
  EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(node_->pid()); }));
}

}  // namespace
}  // namespace manta_test
