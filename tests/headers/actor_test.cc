// Actors: creation, methods of all kinds, handles.
#include "manta/actor.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/headers/header_test.h"

namespace {

using manta::Actor;
using manta::ActorHandle;
using manta::ObjectRef;

int living_counters = 0;

class Named {
 public:
  std::string OfBase() const { return "base"; }
  int base_value = 4;
};
class SecondBase {
 public:
  virtual ~SecondBase() = default;
  virtual std::string Describe() const { return "second base"; }
  int OfSecondBase(int x) { return x + second_value; }
  int second_value = 30;
};

class Counter : public Named, public SecondBase {
 public:
  Counter() : Counter(0) {}
  explicit Counter(int start) : value_(start) { ++living_counters; }
  Counter(int start, std::string name) : Counter(start) { name_ = std::move(name); }
  explicit Counter(const ObjectRef<std::string>& reference) : Counter(0) { name_ = reference.ID(); }
  Counter(const Counter&) = delete;
  ~Counter() override { --living_counters; }

  static Counter* Create(int start) { return new Counter(start); }
  static std::unique_ptr<Counter> CreateUnique(const std::string& name) {
    return std::make_unique<Counter>(0, name);
  }
  static std::shared_ptr<Counter> CreateShared() { return std::make_shared<Counter>(9); }
  static Counter* CreateNull() { return nullptr; }

  int Add(int x) { return value_ += x; }
  int Get() const { return value_; }
  std::string Name() const noexcept { return name_; }
  int Overloaded(int x) { return x; }
  int Overloaded(int x, int y) { return x * y; }
  int Overloaded() const { return -1; }
  std::string Describe() const override { return "counter"; }
  int OnLvalue() & { return 1; }
  int OnRvalue() && { return 2; }
  int OnConstLvalue() const& noexcept { return 3; }
  const std::string& NameReference() const { return name_; }
  void Fail() { throw std::invalid_argument("told to"); }
  void Exit() { manta::ExitActor(); }
  std::pair<int, std::string> Both() const { return {value_, name_}; }
  size_t Size(const std::vector<double>& values) { return values.size(); }
  ActorHandle<Counter> Pass(const ActorHandle<Counter>& other) { return other; }
  int AddOther(const ActorHandle<Counter>& other) {
    return value_ + *other.Task(&Counter::Get).Remote().Get();
  }

 private:
  int value_;
  std::string name_;
};

struct Plain {  // an aggregate
  int a;
  std::string b;
  std::string Text() { return std::to_string(a) + b; }
};

class ActorTest : public HeaderTest {
 protected:
  ~ActorTest() override { EXPECT_EQ(living_counters, 0); }
};

// ---- Creation -----------------------------------------------------------------------------------

TEST_F(ActorTest, ByConstructor) {
  ActorHandle<Counter> counter = Actor<Counter>().Remote(10);
  EXPECT_EQ(*counter.Task(&Counter::Add).Remote(5).Get(), 15);
  EXPECT_EQ(*counter.Task(&Counter::Get).Remote().Get(), 15);
  EXPECT_EQ(*Actor<Counter>().Remote().Task(&Counter::Get).Remote().Get(), 0);
  const auto named = Actor<Counter>().Remote(1, "me");
  EXPECT_EQ(*named.Task(&Counter::Name).Remote().Get(), "me");
  EXPECT_EQ(*Actor<Plain>().Remote(1, "x").Task(&Plain::Text).Remote().Get(), "1x");
}

TEST_F(ActorTest, ReferencesAsArgumentsOfConstructors) {
  const auto number = manta::Put(5);
  EXPECT_EQ(*Actor<Counter>().Remote(number).Task(&Counter::Get).Remote().Get(), 5);
  const auto text = manta::Put("text");
  EXPECT_EQ(*Actor<Counter>().Remote(1, text).Task(&Counter::Name).Remote().Get(), "text");
  // No constructor takes a string alone, but one takes the reference.
  EXPECT_EQ(*Actor<Counter>().Remote(text).Task(&Counter::Name).Remote().Get(), text.ID());
}

TEST_F(ActorTest, ByFactory) {
  const auto raw = Actor(Counter::Create).Remote(7);
  static_assert(std::is_same_v<decltype(raw), const ActorHandle<Counter>>);
  EXPECT_EQ(*raw.Task(&Counter::Get).Remote().Get(), 7);
  EXPECT_EQ(*Actor(Counter::CreateUnique).Remote("u").Task(&Counter::Name).Remote().Get(), "u");
  EXPECT_EQ(*Actor(&Counter::CreateShared).Remote().Task(&Counter::Get).Remote().Get(), 9);
  const int start = 3;
  const auto by_lambda = Actor([start](int more) {
                           return std::make_unique<Counter>(start + more);
                         }).Remote(manta::Put(4));
  EXPECT_EQ(*by_lambda.Task(&Counter::Get).Remote().Get(), 7);
}

TEST_F(ActorTest, AFactoryThatReturnsNothing) {
  const auto counter = Actor(Counter::CreateNull).Remote();
  EXPECT_TRUE(Contains(
      MessageOf<manta::ActorDiedError>([&] { counter.Task(&Counter::Get).Remote().Get(); }),
      "null pointer"));
}

TEST_F(ActorTest, AConstructorThatThrows) {
  const auto counter = Actor([]() -> Counter* { throw std::runtime_error("no counter"); }).Remote();
  const auto result = counter.Task(&Counter::Get).Remote();
  EXPECT_TRUE(Contains(MessageOf<manta::ActorDiedError>([&] { result.Get(); }), "no counter"));
  EXPECT_THROW(result.Get(), manta::ActorError);
}

TEST_F(ActorTest, GetIfExistsNeedsAName) {
  EXPECT_TRUE(Contains(
      MessageOf<manta::InvalidArgumentError>([] { Actor<Counter>().SetGetIfExists().Remote(1); }),
      "SetName is missing"));
}

TEST_F(ActorTest, OptionsOfActors) {
  const auto counter = Actor<Counter>()
                           .SetName("name", "space")
                           .SetDetached()
                           .SetGetIfExists()
                           .SetMaxRestarts(-1)
                           .SetMaxTaskRetries(2)
                           .SetMaxPendingCalls(100)
                           .SetMaxConcurrency(4)
                           .SetConcurrencyGroup("io", 2)
                           .SetConcurrencyGroup("io", 3)
                           .SetNumCpus(0)
                           .SetResource("special", 1)
                           .Remote(1);
  const manta_fake::ActorOptions& options = manta_fake::LastActorOptions();
  EXPECT_EQ(options.name, "name");
  EXPECT_EQ(options.ray_namespace, "space");
  EXPECT_TRUE(options.detached);
  EXPECT_TRUE(options.get_if_exists);
  EXPECT_EQ(options.max_restarts, -1);
  EXPECT_EQ(options.max_task_retries, 2);
  EXPECT_EQ(options.max_pending_calls, 100);
  EXPECT_EQ(options.max_concurrency, 4);
  ASSERT_EQ(options.concurrency_groups.size(), 1u);
  EXPECT_EQ(options.concurrency_groups[0].second, 3);
  const auto& task_options = manta_fake::OptionsOf(manta_fake::Submissions().back().options);
  EXPECT_EQ(task_options.num_cpus, 0);
  EXPECT_EQ(task_options.resources.at(0).first, "special");

  Actor<Counter>().SetLifetime("non_detached").SetName("x").SetNamespace("y").Remote();
  EXPECT_FALSE(manta_fake::LastActorOptions().detached);
  EXPECT_EQ(manta_fake::LastActorOptions().max_pending_calls, -1);
  EXPECT_EQ(manta_fake::LastActorOptions().max_concurrency, 1);
  EXPECT_EQ(manta_fake::LastActorOptions().ray_namespace, "y");
  EXPECT_THROW(Actor<Counter>().SetLifetime("for ever"), manta::InvalidArgumentError);
}

TEST_F(ActorTest, ErrorsOfTheCreation) {
  manta_fake::FailNext("manta_actor_create", MANTA_ERROR_ACTOR_NAME_TAKEN, "taken");
  EXPECT_THROW(Actor<Counter>().SetName("x").Remote(1), manta::ActorNameTakenError);
}

// ---- Methods ------------------------------------------------------------------------------------

TEST_F(ActorTest, MethodsOfAllKinds) {
  const auto counter = Actor<Counter>().Remote(1, "name");
  EXPECT_EQ(*counter.Task(&Counter::OnLvalue).Remote().Get(), 1);
  EXPECT_EQ(*counter.Task(&Counter::OnRvalue).Remote().Get(), 2);
  EXPECT_EQ(*counter.Task(&Counter::OnConstLvalue).Remote().Get(), 3);
  EXPECT_EQ(*counter.Task(&Counter::NameReference).Remote().Get(), "name");
  EXPECT_EQ(*counter.Task(manta::Overload<int(int)>(&Counter::Overloaded)).Remote(5).Get(), 5);
  EXPECT_EQ(*counter.Task(manta::Overload<int(int, int)>(&Counter::Overloaded)).Remote(5, 6).Get(),
            30);
  EXPECT_EQ(*counter.Task(manta::Overload<int() const>(&Counter::Overloaded)).Remote().Get(), -1);
  EXPECT_EQ(*counter.Task(&Counter::Size).Remote(std::vector<double>(50000)).Get(), 50000u);
}

TEST_F(ActorTest, MethodsOfBasesAndVirtualOnes) {
  const auto counter = Actor<Counter>().Remote(1);
  EXPECT_EQ(*counter.Task(&Counter::OfBase).Remote().Get(), "base");
  EXPECT_EQ(*counter.Task(&Named::OfBase).Remote().Get(), "base");
  EXPECT_EQ(*counter.Task(&Counter::OfSecondBase).Remote(1).Get(), 31);
  EXPECT_EQ(*counter.Task(&Counter::Describe).Remote().Get(), "counter");
  EXPECT_EQ(*counter.Task(&SecondBase::Describe).Remote().Get(), "counter");
  // Moved to the derived class: the pointer carries an offset.
  int (Counter::*const moved)(int) = &SecondBase::OfSecondBase;
  EXPECT_EQ(*counter.Task(moved).Remote(2).Get(), 32);
  std::string (Counter::*const moved_virtual)() const = &SecondBase::Describe;
  EXPECT_EQ(*counter.Task(moved_virtual).Remote().Get(), "counter");
  int (Counter::*const null)(int) = nullptr;
  EXPECT_THROW(counter.Task(null).Remote(1), manta::InvalidArgumentError);
}

TEST_F(ActorTest, MethodsWithSeveralResults) {
  const auto counter = Actor<Counter>().Remote(3, "x");
  auto [number, text] = counter.Task(&Counter::Both).RemoteMulti();
  EXPECT_EQ(*number.Get(), 3);
  EXPECT_EQ(*text.Get(), "x");
}

TEST_F(ActorTest, MethodsThatThrow) {
  const auto counter = Actor<Counter>().Remote();
  EXPECT_THROW(counter.Task(&Counter::Fail).Remote().Get(), std::invalid_argument);
  EXPECT_EQ(*counter.Task(&Counter::Add).Remote(1).Get(), 1) << "it lives on";
}

TEST_F(ActorTest, OptionsOfCalls) {
  const auto counter = Actor<Counter>().Remote();
  auto add = counter.Task(&Counter::Add).SetName("add").SetMaxRetries(2).SetRetryExceptions();
  add.Remote(1);
  add.Remote(1);
  EXPECT_EQ(manta_fake::InternCalls(), 1u);
  EXPECT_EQ(manta_fake::Submissions().back().name, "add");
  EXPECT_EQ(manta_fake::OptionsOf(1).max_retries, 2);
  manta_fake::FailNext("manta_actor_submit", MANTA_ERROR_PENDING_CALLS_LIMIT, "too many");
  EXPECT_THROW(add.Remote(1), manta::PendingCallsLimitExceededError);
}

TEST_F(ActorTest, ACallerMadeFromATemporaryHandleKeepsTheActor) {
  auto get = Actor<Counter>().Remote(5).Task(&Counter::Get);
  EXPECT_EQ(manta_fake::LiveActors(), 1u);
  EXPECT_EQ(*get.Remote().Get(), 5);
}

// ---- Handles ------------------------------------------------------------------------------------

TEST_F(ActorTest, HandlesTravel) {
  const auto first = Actor<Counter>().Remote(1);
  const auto second = Actor<Counter>().Remote(2);
  EXPECT_EQ(*first.Task(&Counter::AddOther).Remote(second).Get(), 3);
  EXPECT_EQ(*first.Task(&Counter::Pass).Remote(second).Get(), second);
  EXPECT_TRUE(first.Task(&Counter::Pass).Remote(ActorHandle<Counter>()).Get()->IsNil());
  const auto stored = manta::Put(std::vector<ActorHandle<Counter>>{first, second, {}});
  EXPECT_EQ(stored.Get()->at(1), second);
  const auto task = [](const ActorHandle<Counter>& counter) {
    return *counter.Task(&Counter::Add).Remote(10).Get();
  };
  EXPECT_EQ(*manta::Task(task).Remote(first).Get(), 11);
}

TEST_F(ActorTest, TheActorLivesAsLongAsHandles) {
  auto counter = Actor<Counter>().Remote(1);
  auto copy = counter;
  EXPECT_EQ(copy, counter);
  counter = ActorHandle<Counter>();
  EXPECT_NE(copy, counter);
  EXPECT_EQ(living_counters, 1);
  auto moved = std::move(copy);
  EXPECT_TRUE(copy.IsNil());  // NOLINT: it is what the test is about
  EXPECT_EQ(living_counters, 1);
  moved = {};
  EXPECT_EQ(living_counters, 0);
}

TEST_F(ActorTest, IdsAndHashes) {
  const auto counter = Actor<Counter>().Remote();
  EXPECT_EQ(counter.ID().size(), 32u);
  EXPECT_EQ(counter.ID().substr(0, 16), "0000000000000007");
  EXPECT_EQ(ActorHandle<Counter>().ID(), std::string(32, '0'));
  std::unordered_set<ActorHandle<Counter>> set{counter, counter, Actor<Counter>().Remote()};
  EXPECT_EQ(set.size(), 2u);
}

TEST_F(ActorTest, Kill) {
  const auto counter = Actor<Counter>().Remote();
  counter.Kill();
  EXPECT_TRUE(Contains(
      MessageOf<manta::ActorDiedError>([&] { counter.Task(&Counter::Get).Remote().Get(); }),
      "killed"));
  const auto other = Actor<Counter>().Remote();
  other.Kill(false);
  EXPECT_TRUE(
      Contains(MessageOf<manta::ActorDiedError>([&] { other.Task(&Counter::Get).Remote().Get(); }),
               "may restart"));
}

TEST_F(ActorTest, EmptyHandlesAreRefused) {
  const ActorHandle<Counter> empty;
  EXPECT_FALSE(empty);
  EXPECT_THROW(empty.Kill(), manta::InvalidArgumentError);
  EXPECT_TRUE(
      Contains(MessageOf<manta::InvalidArgumentError>([&] { empty.Task(&Counter::Get).Remote(); }),
               "ActorHandle is empty"));
}

TEST_F(ActorTest, GetActor) {
  EXPECT_FALSE(manta::GetActor<Counter>("nobody"));
  const auto counter = Actor<Counter>().SetName("somebody").Remote(8);
  const auto found = manta::GetActor<Counter>("somebody");
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, counter);
  EXPECT_EQ(*found->Task(&Counter::Get).Remote().Get(), 8);
  EXPECT_FALSE(manta::GetActor<Counter>("somebody", "elsewhere"));
  manta_fake::FailNext("manta_actor_find", MANTA_ERROR_NODE_DIED, "gone");
  EXPECT_THROW(manta::GetActor<Counter>("somebody"), manta::NodeDiedError);
}

TEST_F(ActorTest, HandlesOfTheWrongTypeAreNoticed) {
  const auto counter = Actor<Counter>().SetName("counter").Remote(8);
  const auto wrong = manta::GetActor<Plain>("counter");
  const auto result = wrong->Task(&Plain::Text).Remote();
  EXPECT_TRUE(Contains(MessageOf<manta::TaskError>([&] { result.Get(); }),
                       "but the handle that was used says ActorHandle<"));
}

TEST_F(ActorTest, ExitActor) {
  const auto counter = Actor<Counter>().Remote();
  counter.Task(&Counter::Exit).Remote().Get();
  EXPECT_THROW(counter.Task(&Counter::Get).Remote().Get(), manta::ActorDiedError);
  EXPECT_THROW(manta::ExitActor(), manta::InvalidArgumentError);
}

}  // namespace
