// What goes wrong in a task, as the one who waits for it sees it.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <variant>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

class Errors : public ConnectedTest {};

int Checked(int x) {
  if (x < 0) throw std::out_of_range("x is negative: " + std::to_string(x));
  return x;
}
int Increment(int x) { return x + 1; }
int Add(int a, int b) { return a + b; }

TEST_F(Errors, AnExceptionArrivesWithTypeAndMessage) {
  const auto failed = manta::Task(Checked).Remote(-5);
  try {
    manta::Get(failed);
    FAIL() << "nothing was thrown";
  } catch (const manta::TaskError& error) {
    EXPECT_STREQ(error.type_name(), "std::out_of_range");
    EXPECT_STREQ(error.message(), "x is negative: -5");
    EXPECT_NE(std::string(error.what()).find("x is negative: -5"), std::string::npos);
  }
  EXPECT_THROW(manta::Get(failed), std::out_of_range);  // again, and as what it was
  EXPECT_THROW(manta::Get(failed), std::logic_error);
  EXPECT_EQ(*manta::Get(manta::Task(Checked).Remote(5)), 5);  // the worker goes on
}

// A task for each of the standard exceptions.
template <class E>
void Throw() {
  if constexpr (std::is_constructible_v<E, const char*>) {
    throw E("as asked");
  } else {
    throw E();
  }
}

template <class E>
class StandardErrors : public ConnectedTest {};
using Exceptions =
    testing::Types<std::runtime_error, std::logic_error, std::invalid_argument, std::out_of_range,
                   std::domain_error, std::length_error, std::range_error, std::overflow_error,
                   std::underflow_error, std::bad_alloc, std::bad_cast, std::bad_typeid,
                   std::bad_exception, std::bad_optional_access, std::bad_variant_access>;
TYPED_TEST_SUITE(StandardErrors, Exceptions);

TYPED_TEST(StandardErrors, KeepTheirClass) {
  const auto failed = manta::Task(Throw<TypeParam>).Remote();
  EXPECT_THROW(manta::Get(failed), TypeParam);
  EXPECT_THROW(manta::Get(failed), manta::TaskError);
  EXPECT_THROW(manta::Get(failed), manta::Error);
  EXPECT_THROW(manta::Get(failed), std::exception);
}

struct OwnError : std::runtime_error {
  explicit OwnError(int code) : std::runtime_error("code " + std::to_string(code)) {}
};
int ThrowOwn(int code) { throw OwnError(code); }
int ThrowNumber(int number) { throw number; }
int ThrowLong(int size) { throw std::runtime_error(std::string(static_cast<size_t>(size), 'e')); }

TEST_F(Errors, ExceptionsOfOtherTypesAreNamed) {
  const auto own = manta::Task(ThrowOwn).Remote(17);
  const std::string message = MessageOf<manta::TaskError>([&] { manta::Get(own); });
  EXPECT_NE(message.find("OwnError"), std::string::npos) << message;
  EXPECT_NE(message.find("code 17"), std::string::npos) << message;
  const auto number = manta::Task(ThrowNumber).Remote(17);
  EXPECT_NE(MessageOf<manta::TaskError>([&] { manta::Get(number); }).find("int"), std::string::npos);
}

TEST_F(Errors, LongMessagesArriveWhole) {
  for (int size : {10, 100, 5000, 60'000, 500'000}) {
    const auto failed = manta::Task(ThrowLong).Remote(size);
    try {
      manta::Get(failed);
      FAIL() << "nothing was thrown";
    } catch (const manta::TaskError& error) {
      EXPECT_EQ(error.message(), std::string(static_cast<size_t>(size), 'e'));
    }
  }
}

std::tuple<int, std::string> TwoOrNone(bool none) {
  if (none) throw std::runtime_error("neither");
  return {1, "one"};
}

TEST_F(Errors, OfATaskWithSeveralResultsShowInEach) {
  const auto [number, text] = manta::Task(TwoOrNone).RemoteMulti(true);
  EXPECT_THROW(manta::Get(number), std::runtime_error);
  EXPECT_THROW(manta::Get(text), std::runtime_error);
}

// ---- Dependants

int Leave(const std::string& file, int) {
  std::ofstream(file) << "ran";
  return 0;
}

TEST_F(Errors, PassThroughDependantsWithoutRunningThem) {
  const std::string file = root() + "/ran";
  const auto failed = manta::Task(Checked).Remote(-1);
  const auto dependant = manta::Task(Leave).Remote(file, failed);
  const auto further = manta::Task(Add).Remote(dependant, 1);
  EXPECT_THROW(manta::Get(further), std::out_of_range);
  EXPECT_THROW(manta::Get(dependant), std::out_of_range);
  // One that is submitted when the failure is known.
  EXPECT_THROW(manta::Get(manta::Task(Leave).Remote(file, failed)), std::out_of_range);
  EXPECT_NE(access(file.c_str(), F_OK), 0) << "a task ran although its argument has failed";
  EXPECT_EQ(access(root().c_str(), F_OK), 0);
}

TEST_F(Errors, PassThroughAChainOfAHundredThousand) {
  const auto first = manta::Task([] {
                       usleep(300'000);
                       return Checked(-7);
                     }).Remote();
  auto value = manta::Task(Increment).Remote(first);
  for (int i = 0; i < 100'000; ++i) value = manta::Task(Increment).Remote(value);
  const std::string message = MessageOf<manta::TaskError>([&] { manta::Get(value); });
  EXPECT_NE(message.find("x is negative: -7"), std::string::npos);
}

TEST_F(Errors, PassThroughManyDependantsOfOneTask) {
  const auto first = manta::Task([] {
                       usleep(200'000);
                       return Checked(-7);
                     }).Remote();
  std::vector<manta::ObjectRef<int>> dependants;
  for (int i = 0; i < 20'000; ++i) dependants.push_back(manta::Task(Add).Remote(first, i));
  for (const auto& dependant : dependants) EXPECT_THROW(manta::Get(dependant), std::out_of_range);
}

TEST_F(Errors, OnlySomeOfManyFail) {
  std::vector<manta::ObjectRef<int>> results;
  for (int i = 0; i < 10'000; ++i) results.push_back(manta::Task(Checked).Remote(i % 7 == 3 ? -i : i));
  int failures = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (i % 7 == 3) {
      EXPECT_THROW(manta::Get(results[static_cast<size_t>(i)]), std::out_of_range);
      ++failures;
    } else {
      ASSERT_EQ(*manta::Get(results[static_cast<size_t>(i)]), i);
    }
  }
  EXPECT_EQ(failures, 1429);
}

TEST_F(Errors, GetOfManyThrowsWithoutWaitingForTheOthers) {
  std::vector<manta::ObjectRef<int>> results;
  results.push_back(manta::Task(Checked).Remote(-1));
  results.push_back(manta::Task([] {
                      sleep(3);
                      return 1;
                    }).Remote());
  Stopwatch watch;
  EXPECT_THROW(manta::Get(results), std::out_of_range);
  EXPECT_LT(watch.seconds(), 2.0);
}

TEST_F(Errors, GetOfManyThrowsAlsoWhenALaterOneFails) {
  std::vector<manta::ObjectRef<int>> results;
  results.push_back(manta::Task([] {
                      sleep(3);
                      return 1;
                    }).Remote());
  results.push_back(manta::Task(Checked).Remote(-1));
  Stopwatch watch;
  EXPECT_THROW(manta::Get(results), std::out_of_range);
  EXPECT_LT(watch.seconds(), 2.0) << "the failure of the second one was known at once";
}

// ---- Retries

// Throws until it has been called `times` times; the calls are counted in a file.
int ThrowAtFirst(const std::string& file, int times) {
  std::ofstream(file, std::ios::app) << ".";
  struct stat status;
  stat(file.c_str(), &status);
  if (status.st_size < times) throw std::runtime_error("not yet");
  return static_cast<int>(status.st_size);
}
int ThrowOwnAtFirst(const std::string& file, int times) {
  try {
    return ThrowAtFirst(file, times);
  } catch (const std::runtime_error&) {
    throw OwnError(times);
  }
}

TEST_F(Errors, AreNotRetriedUnlessAskedFor) {
  const std::string file = root() + "/calls";
  EXPECT_THROW(manta::Get(manta::Task(ThrowAtFirst).Remote(file, 2)), std::runtime_error);
  EXPECT_EQ(*manta::Get(manta::Task(ThrowAtFirst).Remote(file, 2)), 2);
}

TEST_F(Errors, AreRetriedIfAskedFor) {
  EXPECT_EQ(*manta::Get(manta::Task(ThrowAtFirst).SetRetryExceptions().Remote(root() + "/a", 4)), 4);
  EXPECT_THROW(manta::Get(manta::Task(ThrowAtFirst).SetRetryExceptions().Remote(root() + "/b", 5)),
               std::runtime_error);
  EXPECT_EQ(
      *manta::Get(
          manta::Task(ThrowAtFirst).SetRetryExceptions().SetMaxRetries(9).Remote(root() + "/c", 10)),
      10);
  EXPECT_EQ(
      *manta::Get(
          manta::Task(ThrowAtFirst).SetRetryExceptions().SetMaxRetries(-1).Remote(root() + "/d", 50)),
      50);
  EXPECT_THROW(
      manta::Get(
          manta::Task(ThrowAtFirst).SetRetryExceptions().SetMaxRetries(0).Remote(root() + "/e", 2)),
      std::runtime_error);
}

// Its process dies each time; the times are counted in a file.
int Die(const std::string& file) {
  std::ofstream(file, std::ios::app) << "." << std::flush;
  raise(SIGKILL);
  return 0;
}

TEST_F(Errors, ATaskThatKillsItsProcessEachTimeUsesUpItsRetries) {
  for (const int retries : {0, 1, 3}) {
    const std::string file = root() + "/" + std::to_string(retries);
    EXPECT_THROW(manta::Get(manta::Task(Die).SetMaxRetries(retries).Remote(file), 20s), manta::WorkerCrashedError);
    EXPECT_EQ(std::filesystem::file_size(file), static_cast<size_t>(retries) + 1);
  }
}

int WaitFor(const std::string& file) {
  if (!std::filesystem::exists(file)) throw std::runtime_error("not yet");
  return 1;
}
int Make(const std::string& file) {
  std::ofstream(file).flush();
  return 2;
}

TEST_F(Errors, ThatComeOverAndOverKeepNoOtherTaskFromRunning) {
  LimitTime(60s);
  std::vector<manta::ObjectRef<int>> crashing, polling;
  for (int i = 0; i < 2; ++i) crashing.push_back(manta::Task(Die).SetMaxRetries(-1).Remote(root() + "/crashes"));
  const auto other = manta::Task(Increment).Remote(1);
  EXPECT_EQ(*other.Get(30s), 2);
  manta::CancelOptions forced;
  forced.force = true;
  for (const auto& each : crashing) manta::Cancel(each, forced);

  for (int i = 0; i < 200; ++i) {
    polling.push_back(manta::Task(WaitFor).SetRetryExceptions().SetMaxRetries(-1).Remote(root() + "/flag"));
  }
  const auto made = manta::Task(Make).Remote(root() + "/flag");
  EXPECT_EQ(*made.Get(30s), 2);
  for (const auto& each : polling) EXPECT_EQ(*each.Get(30s), 1);
}

TEST_F(Errors, OfListedTypesAreRetried) {
  EXPECT_EQ(*manta::Get(manta::Task(ThrowOwnAtFirst)
                            .SetRetryExceptions<std::logic_error, OwnError>()
                            .Remote(root() + "/a", 3)),
            3);
  EXPECT_THROW(manta::Get(manta::Task(ThrowOwnAtFirst)
                              .SetRetryExceptions<std::runtime_error>()  // its base: not exactly it
                              .Remote(root() + "/b", 3)),
               manta::TaskError);
  EXPECT_EQ(*manta::Get(manta::Task(ThrowAtFirst)
                            .SetRetryExceptions<std::runtime_error>()
                            .Remote(root() + "/c", 3)),
            3);
}

TEST_F(Errors, OptionsOfOneTaskDoNotApplyToAnother) {
  const std::string file = root() + "/calls";
  EXPECT_EQ(*manta::Get(manta::Task(ThrowAtFirst).SetRetryExceptions().Remote(root() + "/a", 3)), 3);
  // The same resources, but no retries.
  EXPECT_THROW(manta::Get(manta::Task(ThrowAtFirst).SetMaxRetries(3).Remote(file, 3)),
               std::runtime_error);
  EXPECT_THROW(manta::Get(manta::Task(ThrowAtFirst).Remote(root() + "/b", 3)), std::runtime_error);
  // And the other way round.
  EXPECT_EQ(
      *manta::Get(
          manta::Task(ThrowAtFirst).SetMaxRetries(5).SetRetryExceptions().Remote(root() + "/c", 5)),
      5);
  EXPECT_EQ(*manta::Get(manta::Task(ThrowOwnAtFirst)
                            .SetRetryExceptions<OwnError>()
                            .Remote(root() + "/d", 3)),
            3);
  EXPECT_THROW(manta::Get(manta::Task(ThrowOwnAtFirst)
                              .SetRetryExceptions<std::logic_error>()
                              .Remote(root() + "/e", 3)),
               manta::TaskError);
}

// ---- Time limits

int SleepAndReturn(int milliseconds) {
  usleep(static_cast<useconds_t>(milliseconds) * 1000);
  return milliseconds;
}

TEST_F(Errors, GetGivesUpWhenItsTimeIsUp) {
  const auto slow = manta::Task(SleepAndReturn).Remote(1000);
  Stopwatch watch;
  EXPECT_THROW(manta::Get(slow, 100), manta::GetTimeoutError);
  EXPECT_GE(watch.seconds(), 0.099);
  EXPECT_LT(watch.seconds(), 0.6);
  EXPECT_THROW(manta::Get(slow, 0), manta::GetTimeoutError);
  EXPECT_THROW(slow.Get(10ms), manta::GetTimeoutError);
  EXPECT_EQ(*manta::Get(slow), 1000);  // the task went on
  EXPECT_EQ(*manta::Get(slow, 0), 1000);
}

TEST_F(Errors, GetOfManyGivesUpWhenItsTimeIsUp) {
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(manta::Task(SleepAndReturn).Remote(400));
  const std::string message = MessageOf<manta::GetTimeoutError>([&] { manta::Get(tasks, 100); });
  EXPECT_NE(message.find("4"), std::string::npos) << message;
  EXPECT_EQ(manta::Get(tasks).size(), 4u);
}

// ---- Cancel

const manta::CancelOptions kForce = [] {
  manta::CancelOptions options;
  options.force = true;
  return options;
}();

TEST_F(Errors, CancelWithForceEndsATaskThatRuns) {
  const auto stubborn = manta::Task(SleepAndReturn).SetMaxRetries(3).Remote(60'000);
  EXPECT_THROW(manta::Get(stubborn, 300), manta::GetTimeoutError);  // it runs by now
  manta::Cancel(stubborn, kForce);
  EXPECT_THROW(manta::Get(stubborn, 10'000), manta::TaskCancelledError);
  EXPECT_EQ(*manta::Get(manta::Task(Increment).Remote(1)), 2);
}

bool CancelIt(std::vector<manta::ObjectRef<int>> task) {
  manta::Cancel(task[0], kForce);
  return true;
}

TEST_F(Errors, CancelReachesTheOwnerOfATask) {
  const auto stubborn = manta::Task(SleepAndReturn).Remote(60'000);
  EXPECT_THROW(manta::Get(stubborn, 300), manta::GetTimeoutError);
  EXPECT_TRUE(*manta::Get(manta::Task(CancelIt).Remote(std::vector{stubborn})));
  EXPECT_THROW(manta::Get(stubborn, 10'000), manta::TaskCancelledError);
}

int ThrowWhenCancelled(const std::string& file) {
  std::ofstream(file, std::ios::app) << "x" << std::flush;
  while (!manta::GetRuntimeContext().IsCancelled()) usleep(1000);
  throw std::runtime_error("cancelled");
}

TEST_F(Errors, ACancelledTaskIsNotTriedAgain) {
  const std::string file = root() + "/tries";
  const auto task = manta::Task(ThrowWhenCancelled).SetRetryExceptions().SetMaxRetries(3).Remote(file);
  ASSERT_TRUE(Eventually(5s, [&] { return access(file.c_str(), F_OK) == 0; }));
  manta::Cancel(task);
  EXPECT_THROW(manta::Get(task, 10'000), std::exception);
  std::string tries;
  std::ifstream(file) >> tries;
  EXPECT_EQ(tries, "x");
}

// ---- What waits for its arguments

class Adder {
 public:
  int Add(int x) { return sum_ += x; }

 private:
  int sum_ = 0;
};

TEST_F(Errors, CancelNeedNotWaitForTheArgumentsOfTheTask) {
  const auto slow = manta::Task(SleepAndReturn).Remote(2'000);
  auto adder = manta::Actor<Adder>().Remote();
  const auto task = manta::Task(Increment).Remote(slow);
  const auto after = manta::Task(Increment).Remote(task);
  const auto call = adder.Task(&Adder::Add).Remote(slow);
  const auto behind = adder.Task(&Adder::Add).Remote(1);
  Stopwatch watch;
  manta::Cancel(task);
  manta::Cancel(call);
  EXPECT_THROW(manta::Get(task), manta::TaskCancelledError);
  EXPECT_THROW(manta::Get(after), manta::TaskCancelledError);
  EXPECT_THROW(manta::Get(call), manta::TaskCancelledError);
  EXPECT_EQ(*manta::Get(behind), 1) << "a later call goes on";
  EXPECT_LT(watch.seconds(), 1.5);
  EXPECT_EQ(*manta::Get(slow), 2'000);
  EXPECT_EQ(*manta::Get(adder.Task(&Adder::Add).Remote(2)), 3);
}

TEST_F(Errors, ADeadActorsCallsNeedNotWaitForTheirArguments) {
  const auto slow = manta::Task(SleepAndReturn).Remote(2'000);
  auto adder = manta::Actor<Adder>().Remote();
  const auto call = adder.Task(&Adder::Add).Remote(slow);
  Stopwatch watch;
  adder.Kill();
  EXPECT_THROW(manta::Get(call), manta::ActorDiedError);
  EXPECT_LT(watch.seconds(), 1.5);
  EXPECT_EQ(*manta::Get(slow), 2'000);
}

int Identity(int x) { return x; }

// Results of others that come in meanwhile do not prolong it.
TEST_F(Errors, GetGivesUpInTimeAmidOtherResults) {
  std::vector<manta::ObjectRef<int>> tasks;
  for (int i = 0; i < 100'000; ++i) tasks.push_back(manta::Task(Identity).Remote(i));
  const auto slow = manta::Task(SleepAndReturn).Remote(3'000);
  Stopwatch watch;
  EXPECT_THROW(manta::Get(slow, 5), manta::GetTimeoutError);
  EXPECT_LT(watch.seconds(), 0.5);
  manta::Cancel(slow);
  EXPECT_EQ(*manta::Get(tasks.back()), 99'999);
}

// ---- Mistakes

TEST_F(Errors, AnEmptyReferenceIsRefused) {
  const manta::ObjectRef<int> nothing;
  EXPECT_THROW(manta::Get(nothing), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(Increment).Remote(nothing), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Get(std::vector<manta::ObjectRef<int>>{nothing}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Wait(std::vector<manta::ObjectRef<int>>{nothing}, 1), manta::InvalidArgumentError);
}

TEST_F(Errors, WrongOptionsAreRefused) {
  EXPECT_THROW(manta::Task(Increment).SetNumCpus(0.00001).Remote(1), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(Increment).SetMaxRetries(-2).Remote(1), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(Increment).SetResource("disk", -1).Remote(1), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(Increment).SetResource("", 1).Remote(1), manta::InvalidArgumentError);
  EXPECT_EQ(*manta::Get(manta::Task(Increment).Remote(1)), 2);
}

int ExitNoActor() {
  manta::ExitActor();
  return 0;
}

TEST_F(Errors, ExitActorIsRefusedInATask) {
  EXPECT_THROW(manta::Get(manta::Task(ExitNoActor).Remote()), manta::TaskError);
  EXPECT_THROW(manta::ExitActor(), manta::InvalidArgumentError);
}

}  // namespace
}  // namespace manta_test
