// Types that programs mostly meet through `auto`, by their names: prepared calls, archives, errors.
#include <manta/manta.h>

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

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

TEST_F(PublicTypes, TheLibraryKnowsItsVersion) { EXPECT_EQ(std::string(manta_version()).find("0."), 0u) << manta_version(); }

}  // namespace
}  // namespace manta_test
