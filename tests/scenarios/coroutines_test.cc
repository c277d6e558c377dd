// co_await on references: many waits in one thread.
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

using manta::Coroutine;

class Coroutines : public ConnectedTest {};

int Square(int x) { return x * x; }
int Fail(int x) { throw std::invalid_argument("no square of " + std::to_string(x)); }
void Nothing() {}
int SleepFor(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return milliseconds;
}

Coroutine<int> SumOfSquares(int a, int b) {
  const int first = co_await manta::Task(Square).Remote(a);
  const int second = co_await manta::Task(Square).Remote(b);
  co_return first + second;
}

TEST_F(Coroutines, AwaitReferences) {
  EXPECT_EQ(manta::RunCoroutine(SumOfSquares(3, 4)), 25);
}

Coroutine<std::string> Steps() {
  std::string text = co_await manta::Put("a");
  co_await manta::Task(Nothing).Remote();
  text += std::to_string(co_await SumOfSquares(1, 2));  // another coroutine
  std::vector<manta::ObjectRef<int>> references;
  for (const int x : {6, 1, 7}) references.push_back(manta::Task(Square).Remote(x));
  for (const int one : co_await references) text += " " + std::to_string(one);
  co_return text;
}

TEST_F(Coroutines, AwaitValuesVoidsListsAndCoroutines) {
  EXPECT_EQ(manta::RunCoroutine(Steps()), "a5 36 1 49");
}

Coroutine<int> One() { co_return 1; }
Coroutine<int> Sum(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await One();
  co_return sum;
}
Coroutine<int> Nest(int depth) {
  if (depth == 0) co_return co_await manta::Task(Square).Remote(1);
  co_return 1 + co_await Nest(depth - 1);
}

// The stack grows neither with the steps of a loop nor with the depth of the nesting.
TEST_F(Coroutines, NeedNoStackOfTheirOwn) {
  EXPECT_EQ(manta::RunCoroutine(Sum(300'000)), 300'000);
  EXPECT_EQ(manta::RunCoroutine(Nest(100'000)), 100'001);
}

TEST_F(Coroutines, RunManyAtOnceOnOneThread) {
  const std::thread::id here = std::this_thread::get_id();
  int running = 0, most = 0;
  const auto step = [&](int i) -> Coroutine<int> {
    most = std::max(most, ++running);
    int sum = 0;
    for (int k = 0; k < 5; ++k) sum += co_await manta::Task(Square).Remote(i + k);
    EXPECT_EQ(std::this_thread::get_id(), here);
    --running;
    co_return sum;
  };
  std::vector<Coroutine<int>> many;
  for (int i = 0; i < 2000; ++i) many.push_back(step(i));
  const std::vector<int> sums = manta::RunCoroutines(std::move(many));
  ASSERT_EQ(sums.size(), 2000u);
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(sums[i], 5 * i * i + 20 * i + 30);
  EXPECT_GT(most, 1) << "they wait beside each other";
}

TEST_F(Coroutines, GoOnInTheOrderInWhichTheirReferencesBecomeReady) {
  std::vector<int> order;
  const auto wait = [&](int milliseconds) -> Coroutine<> {
    order.push_back(co_await manta::Task(SleepFor).Remote(milliseconds));
  };
  std::vector<Coroutine<>> both;
  both.push_back(wait(400));
  both.push_back(wait(1));
  manta::RunCoroutines(std::move(both));
  EXPECT_EQ(order, (std::vector<int>{1, 400}));
}

Coroutine<int> CatchInside() {
  try {
    co_return co_await manta::Task(Fail).Remote(3);
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("no square of 3"), std::string::npos);
  }
  co_return co_await manta::Task(Square).Remote(2);
}
Coroutine<int> LetItPass() { co_return co_await manta::Task(Fail).Remote(3); }
Coroutine<int> Outer() { co_return 1 + co_await LetItPass(); }
Coroutine<int> Own() {
  co_await manta::Task(Nothing).Remote();
  throw std::logic_error("of its own");
}

TEST_F(Coroutines, RethrowErrors) {
  EXPECT_EQ(manta::RunCoroutine(CatchInside()), 4);
  EXPECT_THROW(manta::RunCoroutine(Outer()), std::invalid_argument);
  EXPECT_THROW(manta::RunCoroutine(Outer()), manta::TaskError);
  EXPECT_THROW(manta::RunCoroutine(Own()), std::logic_error);
  std::vector<Coroutine<int>> several;
  several.push_back(SumOfSquares(1, 1));
  several.push_back(LetItPass());
  EXPECT_THROW(manta::RunCoroutines(std::move(several)), manta::TaskError);
}

TEST_F(Coroutines, SayWhatIsEmpty) {
  const auto await_empty = []() -> Coroutine<int> { co_return co_await manta::ObjectRef<int>(); };
  EXPECT_THROW(manta::RunCoroutine(await_empty()), manta::InvalidArgumentError);
  Coroutine<int> moved = SumOfSquares(1, 1);
  EXPECT_EQ(manta::RunCoroutine(std::move(moved)), 2);
  EXPECT_THROW(manta::RunCoroutine(std::move(moved)), manta::InvalidArgumentError);
}

TEST_F(Coroutines, ThatAreDestroyedGiveUpWhatTheyAwait) {
  { const Coroutine<int> never_started = SumOfSquares(1, 2); }
  const auto long_wait = []() -> Coroutine<int> {
    co_return co_await manta::Task(SleepFor).Remote(200) + co_await manta::Put(1);
  };
  EXPECT_EQ(manta::RunCoroutine(long_wait()), 201);
}

int SquaresInATask(int n) {
  std::vector<Coroutine<int>> many;
  for (int i = 0; i < n; ++i) many.push_back(SumOfSquares(i, i));
  int sum = 0;
  for (const int one : manta::RunCoroutines(std::move(many))) sum += one;
  return sum;
}

TEST_F(Coroutines, RunInsideOfTasks) {
  EXPECT_EQ(*manta::Task(SquaresInATask).Remote(4).Get(), 28);
}

TEST(CoroutinesWithoutCluster, NeedInit) {
  EXPECT_THROW(manta::RunCoroutine(SumOfSquares(1, 1)), manta::NotInitializedError);
}

}  // namespace
}  // namespace manta_test
