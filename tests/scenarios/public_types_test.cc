// Types that programs mostly meet through `auto`, by their names: prepared calls, archives, errors.
#include <manta/manta.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

class PublicTypes : public ConnectedTest {};

int Plus(int x, int y) { return x + y; }

class Sum {
 public:
  explicit Sum(int start) : sum_(start) {}
  int Add(int x) { return sum_ += x; }

 private:
  int sum_;
};
Sum* MakeSum(int start) { return new Sum(start); }

// What is prepared once can be called again and again, and copied.
TEST_F(PublicTypes, PreparedCallsAreValues) {
  const manta::TaskCaller<int (*)(int, int)> plus = manta::Task(Plus).SetName("plus");
  const auto copy = plus;
  EXPECT_EQ(*manta::Get(plus.Remote(1, 2)) + *manta::Get(copy.Remote(3, 4)), 10);

  const manta::ActorCreator<Sum* (*)(int)> sums = manta::Actor(MakeSum).SetNumCpus(0);
  const manta::ActorHandle<Sum> one = sums.Remote(1);
  const manta::ActorHandle<Sum> other = sums.Remote(100);
  const manta::ActorTaskCaller<Sum, int (Sum::*)(int)> add = one.Task(&Sum::Add);
  add.Remote(1);
  EXPECT_EQ(*manta::Get(add.Remote(1)), 3);
  EXPECT_EQ(*manta::Get(other.Task(&Sum::Add).Remote(1)), 101);
}

// A type that travels differently from what it holds: the length of a run and its letter.
class RunLength {
 public:
  RunLength() = default;
  explicit RunLength(std::string text) : text_(std::move(text)) {}
  const std::string& text() const { return text_; }

  void Serialize(manta::SizeArchive& archive) { Write(archive); }
  void Serialize(manta::WriteArchive& archive) { Write(archive); }
  void Serialize(manta::ReadArchive& archive) {
    uint32_t count = 0;
    char letter = 0;
    archive(count, letter);
    text_.assign(count, letter);
  }

 private:
  template <class Archive>
  void Write(Archive& archive) {
    auto count = static_cast<uint32_t>(text_.size());
    char letter = text_.empty() ? ' ' : text_.front();
    archive(count, letter);
  }

  std::string text_;
};
RunLength Twice(const RunLength& run) { return RunLength(run.text() + run.text()); }

TEST_F(PublicTypes, AHookMayTreatEachArchiveInItsOwnWay) {
  EXPECT_EQ(manta::Get(manta::Task(Twice).Remote(RunLength("zzz")))->text(), "zzzzzz");
}

int Fail() { throw std::out_of_range("far out"); }

TEST_F(PublicTypes, ErrorsAreStandardExceptionsToo) {
  const auto says = [](const std::exception& error) { return std::string(error.what()); };
  try {
    manta::Get(manta::Task(Fail).Remote());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const manta::TaskErrorOf<std::out_of_range>& error) {
    EXPECT_EQ(says(error.AsException()), error.what());
    const manta::Error& base = error;
    EXPECT_EQ(says(base), says(base.AsException()));
  }
}

TEST_F(PublicTypes, ErrorsOfTheCInterfaceAreThrownByOneFunction) {
  EXPECT_THROW(manta::ThrowError(manta_not_initialized_error("Put")), manta::NotInitializedError);
}

std::vector<int> UpTo(int count) {
  std::vector<int> numbers;
  for (int i = 1; i <= count; ++i) numbers.push_back(i);
  return numbers;
}

class Lists {
 public:
  std::vector<int> UpTo(int count) { return manta_test::UpTo(count); }
  std::string Namespace() { return manta::GetNamespace(); }
};
Lists* MakeLists() { return new Lists; }

TEST_F(PublicTypes, AListAsResultMayBeAnObjectForEachElement) {
  const std::vector<manta::ObjectRef<int>> of_task = manta::Task(UpTo).RemoteMany(3, 3);
  ASSERT_EQ(of_task.size(), 3u);
  EXPECT_EQ(*manta::Get(manta::Task(Plus).Remote(of_task[1], of_task[2])), 5);
  const auto lists = manta::Actor(MakeLists).Remote();
  const std::vector<manta::ObjectRef<int>> of_call = lists.Task(&Lists::UpTo).RemoteMany(2, 2);
  ASSERT_EQ(of_call.size(), 2u);
  EXPECT_EQ(*manta::Get(of_call[1]), 2);
  EXPECT_THROW(manta::Get(manta::Task(UpTo).RemoteMany(2, 3)[0]), manta::TaskError) << "another number of elements";
}

// References and handles cross the border to the C interface and back, and may be empty.
TEST_F(PublicTypes, HandlesAreCountedByWhoeverOwnsThem) {
  manta::ObjectRef<int> number = manta::Put(5);
  EXPECT_FALSE(number.IsNil());
  manta_ref_retain(number.handle());
  const auto same = manta::ObjectRef<int>::FromHandle(number.handle());
  number = {};
  EXPECT_TRUE(number.IsNil());
  EXPECT_EQ(*manta::Get(same), 5);

  manta::ActorHandle<Sum> sum = manta::Actor(MakeSum).Remote(1);
  EXPECT_FALSE(sum.IsNil());
  manta_actor_retain(sum.handle());
  const auto twin = manta::ActorHandle<Sum>::FromHandle(sum.handle());
  sum = {};
  EXPECT_TRUE(sum.IsNil());
  EXPECT_EQ(*manta::Get(twin.Task(&Sum::Add).Remote(1)), 2);
}

TEST_F(PublicTypes, NamesOfActorsBelongToANamespace) {
  const manta::ActorHandle<Lists> lists =
      manta::Actor(MakeLists).SetName("lists").SetNamespace("elsewhere").SetLifetime("detached").Remote();
  EXPECT_FALSE(manta::GetActor<Lists>("lists"));
  const auto found = manta::GetActor<Lists>("lists", "elsewhere");
  ASSERT_TRUE(found);
  EXPECT_EQ(*manta::Get(found->Task(&Lists::Namespace).Remote()), manta::GetNamespace())
      << "the actor's own namespace is that of its job";
  found->Kill();
  EXPECT_THROW(manta::Actor(MakeLists).SetLifetime("forever"), manta::InvalidArgumentError);
}

int WaitForCancel() {
  while (!manta::GetRuntimeContext().IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  throw std::runtime_error("cancelled");
}

TEST_F(PublicTypes, WaitTellsWhatIsNotThere) {
  const manta::ObjectRef<int> there = manta::Put(1);
  const manta::ObjectRef<int> never = manta::Task(WaitForCancel).Remote();
  const manta::WaitResult<int> result = manta::Wait(std::vector{there, never}, 2, std::chrono::milliseconds(20));
  ASSERT_EQ(result.ready.size(), 1u);
  EXPECT_EQ(result.ready.front(), there);
  ASSERT_EQ(result.unready.size(), 1u);
  EXPECT_EQ(result.unready.front(), never);

  manta::CancelOptions gently;
  gently.force = false;
  gently.recursive = false;
  manta::Cancel(never, gently);
  EXPECT_THROW(manta::Get(never, manta::Timeout::Never()), manta::Error);
  EXPECT_EQ(manta::Timeout(std::chrono::seconds(2)).nanoseconds(), 2'000'000'000);
}

int64_t SumOf(manta::Array<int64_t> numbers) {
  int64_t sum = 0;
  for (const int64_t number : numbers.ToVector()) sum += number;
  return sum;
}

TEST_F(PublicTypes, AnArrayIsCopiedWhenAVectorIsWanted) {
  EXPECT_EQ(*manta::Get(manta::Task(SumOf).Remote(manta::Array<int64_t>(std::vector<int64_t>(100, 2)))), 200);
}

TEST_F(PublicTypes, TheLibraryKnowsItsVersion) { EXPECT_EQ(std::string(manta_version()).find("0."), 0u) << manta_version(); }

}  // namespace
}  // namespace manta_test
