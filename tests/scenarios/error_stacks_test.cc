// Where the exception of a task was thrown, as the one who waits for it sees it.
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

class ErrorStacks : public ConnectedTest {};

bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

template <class Reference>
std::string StackOf(const Reference& failed) {
  try {
    manta::Get(failed);
  } catch (const manta::TaskError& error) {
    EXPECT_TRUE(Contains(error.what(), error.stack())) << "what() shows the stack";
    return error.stack();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

// `volatile` and `noinline` keep the frames that an optimiser would join.
[[gnu::noinline]] int CheckedAge(int age) {
  if (age < 0) throw std::out_of_range("a negative age");
  return age;
}
[[gnu::noinline]] int Birthday(int age) { return CheckedAge(age) + 1; }

TEST_F(ErrorStacks, OfATaskNamesItsFunctionsAndNoneOfTheRuntimes) {
  const std::string stack = StackOf(manta::Task(Birthday).Remote(-3));
  EXPECT_TRUE(stack.starts_with("thrown in process ")) << stack;
  EXPECT_TRUE(Contains(stack, "#0 manta_test::(anonymous namespace)::CheckedAge(int) ")) << stack;
  EXPECT_TRUE(Contains(stack, "#1 manta_test::(anonymous namespace)::Birthday(int) ")) << stack;
  EXPECT_TRUE(Contains(stack, "scenario_error_stacks_test+0x")) << stack;
  EXPECT_FALSE(Contains(stack, "manta::v1::detail")) << stack;
  EXPECT_FALSE(Contains(stack, "__cxa_throw")) << stack;
  EXPECT_FALSE(Contains(stack, "libmanta")) << stack;
}

TEST_F(ErrorStacks, OfALambda) {
  const std::string stack = StackOf(manta::Task([](int age) { return CheckedAge(age) + 1; }).Remote(-1));
  EXPECT_TRUE(Contains(stack, "CheckedAge(int)")) << stack;
}

[[gnu::noinline]] int ThrowNumber(int number) { throw number; }

TEST_F(ErrorStacks, OfWhatIsNoException) {
  EXPECT_TRUE(Contains(StackOf(manta::Task(ThrowNumber).Remote(42)), "ThrowNumber(int)"));
}

class Person {
 public:
  explicit Person(int age) : age_(CheckedAge(age)) {}
  static Person* Born() { return new Person(0); }
  static Person* Old(int age) { return new Person(age); }
  [[gnu::noinline]] int Grow(int years) { return age_ = CheckedAge(age_ + years); }

 private:
  int age_;
};

TEST_F(ErrorStacks, OfAMethod) {
  auto person = manta::Actor(Person::Born).Remote();
  const std::string stack = StackOf(person.Task(&Person::Grow).Remote(-5));
  EXPECT_TRUE(Contains(stack, "CheckedAge(int)")) << stack;
  EXPECT_TRUE(Contains(stack, "Person::Grow(int)")) << stack;
}

TEST_F(ErrorStacks, OfAMethodOnAThreadOfItsOwn) {
  auto person = manta::Actor(Person::Born).SetMaxConcurrency(4).Remote();
  EXPECT_TRUE(Contains(StackOf(person.Task(&Person::Grow).Remote(-5)), "Person::Grow(int)"));
}

TEST_F(ErrorStacks, OfAConstructorComesWithTheCallsThatItPrevents) {
  auto person = manta::Actor(Person::Old).Remote(-7);
  for (int call = 0; call < 2; ++call) {  // one that the process refuses, and one when the death is known
    const auto grown = person.Task(&Person::Grow).Remote(1);
    const std::string message = MessageOf<manta::ActorDiedError>([&] { manta::Get(grown); });
    EXPECT_TRUE(Contains(message, "std::out_of_range: a negative age")) << message;
    EXPECT_TRUE(Contains(message, "CheckedAge(int)")) << message;
    EXPECT_TRUE(Contains(message, "Person::Old(int)")) << message;
  }
}

int GrowOther(manta::ActorHandle<Person> person) { return *manta::Get(person.Task(&Person::Grow).Remote(1)); }

TEST_F(ErrorStacks, OfAConstructorComesToOtherCallersToo) {
  auto person = manta::Actor(Person::Old).Remote(-7);
  const auto grown = manta::Task(GrowOther).Remote(person);
  const std::string message = MessageOf<manta::TaskError>([&] { manta::Get(grown); });
  EXPECT_TRUE(Contains(message, "std::out_of_range: a negative age")) << message;
  EXPECT_TRUE(Contains(message, "Person::Old(int)")) << message;
}

[[gnu::noinline]] int Party(int age) { return *manta::Get(manta::Task(Birthday).Remote(age)); }

TEST_F(ErrorStacks, OfANestedTaskShowsBothTasks) {
  const auto failed = manta::Task(Party).Remote(-3);
  const std::string stack = StackOf(failed);
  const size_t passed = stack.find("\npassed on in process ");
  ASSERT_NE(passed, std::string::npos) << stack;
  EXPECT_LT(stack.find("Birthday(int)"), passed) << stack;
  EXPECT_GT(stack.find("Party(int)"), passed) << stack;
  try {
    manta::Get(failed);
  } catch (const manta::TaskError& error) {
    EXPECT_STREQ(error.message(), "a negative age");  // the stack is not part of it
    EXPECT_STREQ(error.type_name(), "std::out_of_range");
  }
}

int Matryoshka(int depth) {
  if (depth == 0) return CheckedAge(-1);
  return *manta::Get(manta::Task(Matryoshka).Remote(depth - 1));
}

TEST_F(ErrorStacks, OfALongChainIsBounded) {
  const std::string stack = StackOf(manta::Task(Matryoshka).Remote(120));
  EXPECT_LE(stack.size(), 16u * 1024);
  EXPECT_TRUE(Contains(stack, "CheckedAge(int)")) << stack;
  const size_t shown = Count(stack, "\npassed on in process ");
  EXPECT_GT(shown, 3u);
  EXPECT_TRUE(stack.ends_with("... and passed on " + std::to_string(120 - shown) + " more times")) << stack;
}

int CatchAndThrowAgain(int age) {
  try {
    return CheckedAge(age);
  } catch (const std::exception&) {
    throw;
  }
}

TEST_F(ErrorStacks, OfWhatIsThrownAgainShowsWhere) {
  EXPECT_TRUE(Contains(StackOf(manta::Task(CatchAndThrowAgain).Remote(-1)), "CatchAndThrowAgain(int)"));
}

#ifdef __cpp_impl_coroutine
manta::Coroutine<int> Grown(int age) { co_return CheckedAge(age) + co_await manta::Task(CheckedAge).Remote(1); }
[[gnu::noinline]] int RunGrown(int age) { return manta::RunCoroutine(Grown(age)); }

TEST_F(ErrorStacks, OfACoroutineShowsWhoRanIt) {
  EXPECT_TRUE(Contains(StackOf(manta::Task(RunGrown).Remote(-1)), "RunGrown(int)"));
}
#endif

// Runs this program again, stripped, for the test below.
TEST_F(ErrorStacks, OfAStrippedProgramNamesModuleAndOffset) {
  const std::string stripped = root() + "/stripped";
  const std::string whole = std::filesystem::read_symlink("/proc/self/exe");
  const ProgramResult strip = RunProgram({"/usr/bin/env", "strip", "-o", stripped, whole});
  ASSERT_EQ(strip.status, 0) << strip.err;
  const ProgramResult result = RunProgram({stripped, "--gtest_also_run_disabled_tests",
                                           "--gtest_filter=ErrorStacks.DISABLED_WhileStripped"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_TRUE(Contains(result.out, "1 test from")) << result.out;
}

TEST_F(ErrorStacks, DISABLED_WhileStripped) {
  const std::string stack = StackOf(manta::Task(Birthday).Remote(-3));
  EXPECT_TRUE(Contains(stack, "#0 ?? (")) << stack;
  EXPECT_TRUE(Contains(stack, "/stripped+0x")) << stack;
}

}  // namespace
}  // namespace manta_test
