// Tasks: values in, values out, and the order that dependencies make.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

class Tasks : public ConnectedTest {};

int Square(int x) { return x * x; }
int Increment(int x) { return x + 1; }
int Add(int a, int b) { return a + b; }
void Nothing() {}
int64_t ProcessOf(int) { return getpid(); }
int64_t SleepAndTell(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return getpid();
}

TEST_F(Tasks, ReturnsItsValueFromAnotherProcess) {
  EXPECT_EQ(*manta::Get(manta::Task(Square).Remote(7)), 49);
  EXPECT_NE(*manta::Get(manta::Task(ProcessOf).Remote(0)), getpid());
}

TEST_F(Tasks, TakesAReferenceForItsValue) {
  const auto seven = manta::Put(7);
  const auto squared = manta::Task(Square).Remote(seven);
  EXPECT_EQ(*manta::Get(manta::Task(Add).Remote(squared, seven)), 56);
  EXPECT_EQ(*manta::Get(manta::Task(Add).Remote(squared, 1)), 50);
  EXPECT_EQ(*manta::Get(manta::Task(Add).Remote(squared, squared)), 98);
}

TEST_F(Tasks, AReferenceMayBeDroppedBeforeItsTaskHasRun) {
  for (int i = 0; i < 1000; ++i) manta::Task(Square).Remote(i);
  auto sum = manta::Task(Square).Remote(3);
  for (int i = 0; i < 1000; ++i) sum = manta::Task(Add).Remote(sum, 1);  // drops the last one's operand
  EXPECT_EQ(*manta::Get(sum), 1009);
}

std::string MyName() { return manta::GetRuntimeContext().GetTaskName(); }
std::string NameOfChild(bool named) {
  auto child = manta::Task(MyName);
  if (named) child.SetName("child");
  return *manta::Get(child.Remote());
}

TEST_F(Tasks, KnowTheirNames) {
  EXPECT_NE(manta::Get(manta::Task(MyName).Remote())->find("MyName"), std::string::npos);
  EXPECT_EQ(*manta::Get(manta::Task(MyName).SetName("mine").Remote()), "mine");
  // With a payload that does not fit into the descriptor, references and retries.
  const std::string name(300, 'n');
  const auto echo = [](std::string text, std::vector<manta::ObjectRef<int>>) {
    return text + " " + manta::GetRuntimeContext().GetTaskName();
  };
  const std::vector<manta::ObjectRef<int>> references = {manta::Put(1), manta::Put(2)};
  EXPECT_EQ(*manta::Get(manta::Task(echo).SetName(name).Remote(std::string("text"), references)), "text " + name);
  EXPECT_EQ(*manta::Get(manta::Task(NameOfChild).Remote(true)), "child");
  EXPECT_NE(manta::Get(manta::Task(NameOfChild).Remote(false))->find("MyName"), std::string::npos);
}

TEST_F(Tasks, OfTypeVoidCanBeAwaited) {
  const manta::ObjectRef<void> done = manta::Task(Nothing).Remote();
  done.Get();
  std::vector<manta::ObjectRef<void>> many;
  for (int i = 0; i < 1000; ++i) many.push_back(manta::Task(Nothing).Remote());
  manta::Get(many);
}

std::tuple<int, std::string, std::vector<double>> Three(int x) {
  return {x, std::to_string(x), std::vector<double>(static_cast<size_t>(x), 0.5)};
}
std::array<int, 3> Powers(int x) { return {x, x * x, x * x * x}; }

TEST_F(Tasks, WithSeveralResultsGivesAReferenceToEach) {
  const auto [number, text, list] = manta::Task(Three).RemoteMulti(12);
  EXPECT_EQ(*manta::Get(number), 12);
  EXPECT_EQ(*manta::Get(text), "12");
  EXPECT_EQ(manta::Get(list)->size(), 12u);
  const auto [first, second, third] = manta::Task(Powers).RemoteMulti(3);
  EXPECT_EQ(*manta::Get(manta::Task(Add).Remote(second, third)), 36);  // without looking at them
  EXPECT_EQ(*manta::Get(first), 3);
}

TEST_F(Tasks, WithSeveralResultsOfWhichSomeAreLarge) {
  const auto [number, text, list] = manta::Task(Three).RemoteMulti(100'000);
  EXPECT_EQ(*manta::Get(number), 100'000);
  EXPECT_EQ(*manta::Get(text), "100000");
  EXPECT_EQ(*manta::Get(list), std::vector<double>(100'000, 0.5));
}

TEST_F(Tasks, WithSeveralResultsOfWhichSomeAreDropped) {
  for (int i = 0; i < 200; ++i) {
    auto [number, text, list] = manta::Task(Three).RemoteMulti(i);
    text = {};
    EXPECT_EQ(*manta::Get(number), i);
    list = {};
  }
}

struct Scale {
  double factor;
  double operator()(double x) const { return factor * x; }
};

TEST_F(Tasks, CanBeLambdasAndFunctionObjects) {
  EXPECT_EQ(*manta::Get(manta::Task([](int x) { return x + 5; }).Remote(1)), 6);
  EXPECT_EQ(*manta::Get(manta::Task(Scale{2.5}).Remote(4.0)), 10.0);
  const int offset = 30;
  EXPECT_EQ(*manta::Get(manta::Task([offset](int x) { return x + offset; }).Remote(1)), 31);
}

std::map<std::string, std::vector<int>> Invert(const std::vector<std::string>& words) {
  std::map<std::string, std::vector<int>> places;
  for (size_t i = 0; i < words.size(); ++i) places[words[i]].push_back(static_cast<int>(i));
  return places;
}

TEST_F(Tasks, TakeAndReturnContainers) {
  const std::vector<std::string> words = {"to", "be", "or", "not", "to", "be"};
  const auto places = manta::Get(manta::Task(Invert).Remote(words));
  EXPECT_EQ(*places, Invert(words));
}

// ---- Orders

int Touch(int, const std::string& path) {
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  return file < 0 ? -1 : close(file);
}

// It asks for no value meanwhile: what is done goes on by itself.
TEST_F(Tasks, GoOnWhileTheDriverOnlySubmitsOthers) {
  const std::string done = root() + "/done";
  auto last = manta::Task(Square).Remote(1);
  for (int i = 0; i < 20; ++i) last = manta::Task(Increment).Remote(last);
  const auto touched = manta::Task(Touch).Remote(last, done);
  std::vector<manta::ObjectRef<int>> others;
  EXPECT_TRUE(Eventually(10s, [&] {
    others.push_back(manta::Task(Square).Remote(1));
    return access(done.c_str(), F_OK) == 0;
  }));
}

TEST_F(Tasks, AChainOfTenThousandIsFollowedToItsEnd) {
  auto value = manta::Task(Increment).Remote(0);
  for (int i = 1; i < 10'000; ++i) value = manta::Task(Increment).Remote(value);
  EXPECT_EQ(*manta::Get(value, 20s), 10'000);
}

TEST_F(Tasks, AChainWhoseEveryLinkIsHeld) {
  std::vector<manta::ObjectRef<int>> links = {manta::Task(Increment).Remote(0)};
  for (int i = 1; i < 10'000; ++i) links.push_back(manta::Task(Increment).Remote(links.back()));
  const auto values = manta::Get(links, 20s);
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(*values[static_cast<size_t>(i)], i + 1);
}

TEST_F(Tasks, ADiamondMeetsAgain) {
  const auto top = manta::Task(SleepAndTell).Remote(20);
  std::vector<manta::ObjectRef<int64_t>> sides;
  for (int i = 0; i < 100; ++i) {
    sides.push_back(manta::Task([](int64_t pid, int add) { return pid + add; }).Remote(top, i));
  }
  manta::ObjectRef<int64_t> bottom = manta::Put(int64_t{0});
  for (const auto& side : sides) {
    bottom = manta::Task([](int64_t a, int64_t b) { return a + b; }).Remote(bottom, side);
  }
  EXPECT_EQ(*manta::Get(bottom), 100 * *manta::Get(top) + 4950);
}

TEST_F(Tasks, ATreeOfDependenciesIsReduced) {
  std::vector<manta::ObjectRef<int>> level;
  for (int i = 0; i < 4096; ++i) level.push_back(manta::Task(Increment).Remote(i));
  while (level.size() > 1) {
    std::vector<manta::ObjectRef<int>> next;
    for (size_t i = 0; i < level.size(); i += 2) {
      next.push_back(manta::Task(Add).Remote(level[i], level[i + 1]));
    }
    level = std::move(next);
  }
  EXPECT_EQ(*manta::Get(level.front()), 4096 * 4097 / 2);
}

TEST_F(Tasks, OneValueFeedsManyTasks) {
  const auto base = manta::Task(SleepAndTell).Remote(50);
  std::vector<manta::ObjectRef<int64_t>> users;
  for (int i = 0; i < 20'000; ++i) {
    users.push_back(manta::Task([](int64_t pid, int64_t add) { return pid + add; }).Remote(base, i));
  }
  const int64_t pid = *manta::Get(base);
  const auto values = manta::Get(users);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(*values[static_cast<size_t>(i)], pid + i);
}

// ---- Many

TEST_F(Tasks, AHundredThousandHaveTheRightResults) {
  std::vector<manta::ObjectRef<int>> results;
  for (int i = 0; i < 100'000; ++i) results.push_back(manta::Task(Square).Remote(i % 1000));
  const auto values = manta::Get(results);
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_EQ(*values[static_cast<size_t>(i)], (i % 1000) * (i % 1000));
  }
}

TEST_F(Tasks, InBatchesReuseWhatEarlierOnesUsed) {
  std::vector<int> values;
  for (int batch = 0; batch < 200; ++batch) {
    std::vector<manta::ObjectRef<int>> results;
    for (int i = 0; i < 1000; ++i) results.push_back(manta::Task(Increment).Remote(batch + i));
    manta::GetInto(results, values);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(values[static_cast<size_t>(i)], batch + i + 1);
  }
}

TEST_F(Tasks, ALargeBacklogWaitsBehindBusyWorkers) {
  std::vector<manta::ObjectRef<int64_t>> busy;
  for (int i = 0; i < 2; ++i) busy.push_back(manta::Task(SleepAndTell).Remote(500));
  std::vector<manta::ObjectRef<int>> backlog;
  for (int i = 0; i < 300'000; ++i) backlog.push_back(manta::Task(Increment).Remote(i));
  int64_t sum = 0;
  for (const auto& result : backlog) sum += *manta::Get(result);
  EXPECT_EQ(sum, int64_t{300'000} * 300'001 / 2);
}

TEST_F(Tasks, OneAtATimeAfterPauses) {
  for (int pause_us : {0, 10, 60, 200, 1000, 20'000, 120'000}) {
    for (int i = 0; i < 5; ++i) {
      usleep(static_cast<useconds_t>(pause_us));
      Stopwatch watch;
      EXPECT_EQ(*manta::Get(manta::Task(Square).Remote(i)), i * i);
      EXPECT_LT(watch.seconds(), 0.5) << "after a pause of " << pause_us << " us";
    }
  }
}

// ---- Spreading

TEST_F(Tasks, OfMixedLengthsUseBothWorkers) {
  std::vector<manta::ObjectRef<int64_t>> tasks;
  for (int i = 0; i < 60; ++i) tasks.push_back(manta::Task(SleepAndTell).Remote(i % 3 == 0 ? 20 : 1));
  std::map<int64_t, int> ran_in;
  for (const auto& task : tasks) ++ran_in[*manta::Get(task)];
  ASSERT_EQ(ran_in.size(), 2u);
  for (const auto& [pid, count] : ran_in) EXPECT_GE(count, 10) << "of 60 tasks in process " << pid;
}

TEST_F(Tasks, ShortOnesAreNotStuckBehindALongOne) {
  // So many short ones first that the driver thinks that it knows how long its tasks take.
  for (int i = 0; i < 1000; ++i) manta::Task(Square).Remote(i).Get();
  const auto longer = manta::Task(SleepAndTell).Remote(1500);
  std::vector<manta::ObjectRef<int>> shorter;
  for (int i = 0; i < 1000; ++i) shorter.push_back(manta::Task(Square).Remote(i));
  Stopwatch watch;
  manta::Get(shorter);
  EXPECT_LT(watch.seconds(), 1.0) << "short tasks have waited for a long one, with a second worker free";
  longer.Get();
}

TEST_F(Tasks, LongOnesRunAtTheSameTime) {
  manta::Task(Square).Remote(1).Get();
  Stopwatch watch;
  std::vector<manta::ObjectRef<int64_t>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(manta::Task(SleepAndTell).Remote(300));
  manta::Get(tasks);
  EXPECT_LT(watch.seconds(), 1.0) << "4 tasks of 0.3 s on two workers";
}

TEST_F(Tasks, ThatNeedTwoCpusRunAlone) {
  manta::Task(Square).Remote(1).Get();
  Stopwatch watch;
  std::vector<manta::ObjectRef<int64_t>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(manta::Task(SleepAndTell).SetNumCpus(2).Remote(100));
  manta::Get(tasks);
  EXPECT_GE(watch.seconds(), 0.29);
}

TEST_F(Tasks, ThatNeedHalfACpuRunFourAtATime) {
  manta::Task(Square).Remote(1).Get();
  Stopwatch watch;
  std::vector<manta::ObjectRef<int64_t>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(manta::Task(SleepAndTell).SetNumCpus(0.5).Remote(500));
  std::set<int64_t> pids;
  for (const auto& task : tasks) pids.insert(*manta::Get(task));
  EXPECT_EQ(pids.size(), 4u);
  EXPECT_LT(watch.seconds(), 1.5);
}

// ---- Sizes, around every border where values change their way to travel

// Bytes that differ from place to place.
std::string Pattern(size_t size, int seed) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + static_cast<size_t>(seed) + (i >> 8));
  return bytes;
}
std::string MakePattern(uint64_t size, int seed) { return Pattern(size, seed); }
bool IsPattern(const std::string& bytes, uint64_t size, int seed) { return bytes == Pattern(size, seed); }

class Sizes : public ConnectedTest, public testing::WithParamInterface<size_t> {};

TEST_P(Sizes, TravelInEveryWay) {
  const size_t size = GetParam();
  const int rounds = size > 1 << 20 ? 2 : 20;
  std::vector<manta::ObjectRef<bool>> checks;
  for (int seed = 0; seed < rounds; ++seed) {
    const auto argument = manta::Task(IsPattern).Remote(Pattern(size, seed), size, seed);
    const auto result = manta::Task(MakePattern).Remote(size, seed);
    const auto put = manta::Put(Pattern(size, seed));
    checks.push_back(argument);
    checks.push_back(manta::Task(IsPattern).Remote(result, size, seed));
    checks.push_back(manta::Task(IsPattern).Remote(result, size, seed));
    checks.push_back(manta::Task(IsPattern).Remote(put, size, seed));
    EXPECT_TRUE(IsPattern(*manta::Get(put), size, seed));
    if (seed % 2 == 0) {
      EXPECT_TRUE(IsPattern(*manta::Get(result), size, seed));
    }
  }
  for (const auto& good : checks) EXPECT_TRUE(*manta::Get(good));
}

// A std::string travels as its length (8 bytes) and its bytes.
INSTANTIATE_TEST_SUITE_P(
    AroundLimits, Sizes,
    testing::Values(0, 1, 23, 24, 25, 31, 32, 33, 55, 56, 57, 71, 72, 73, 79, 80, 81, 127, 128, 129, 1000,
                    16375, 16376, 16377, 16383, 16384, 16385, 65527, 65528, 65529, 65535, 65536, 65537,
                    262135, 262136, 262137, 262144, 262145, (1 << 20) - 8, 1 << 20, (1 << 20) + 1,
                    50 << 20),
    [](const auto& info) { return std::to_string(info.param) + "Bytes"; });

// ---- Many bytes and many arguments


TEST_F(Tasks, WithMoreMediumArgumentsThanAChannelHolds) {
  std::vector<manta::ObjectRef<bool>> checked;
  for (int seed = 0; seed < 2000; ++seed) {
    const size_t size = 200 + static_cast<size_t>(seed * 37 % 16'000);
    checked.push_back(manta::Task(IsPattern).Remote(Pattern(size, seed), size, seed));
  }
  for (const auto& good : checked) EXPECT_TRUE(*manta::Get(good));
}

TEST_F(Tasks, WithMediumResultsThatNobodyReadsForAWhile) {
  // More results than the channel's result ring holds: workers have to put them elsewhere.
  std::vector<manta::ObjectRef<std::string>> made;
  for (int seed = 0; seed < 3000; ++seed) {
    made.push_back(manta::Task(MakePattern).Remote(100 + static_cast<uint64_t>(seed * 53 % 30'000), seed));
  }
  usleep(300'000);
  for (int seed = 0; seed < 3000; ++seed) {
    const auto value = manta::Get(made[static_cast<size_t>(seed)]);
    ASSERT_TRUE(IsPattern(*value, 100 + static_cast<uint64_t>(seed * 53 % 30'000), seed)) << seed;
  }
}

TEST_F(Tasks, WithManyReferencesAmongTheArguments) {
  std::array<manta::ObjectRef<int>, 12> numbers;
  for (int i = 0; i < 12; ++i) numbers[static_cast<size_t>(i)] = manta::Task(Square).Remote(i);
  const auto sum = std::apply(
      [](const auto&... number) {
        return manta::Task([](int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k,
                              int l) { return a + b + c + d + e + f + g + h + i + j + k + l; })
            .Remote(number...);
      },
      numbers);
  EXPECT_EQ(*manta::Get(sum), 506);
}

}  // namespace
}  // namespace manta_test
