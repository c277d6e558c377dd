// Task(f).Remote(...): what can be called, what can be passed, what comes back.
#include "manta/task.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "manta/runtime.h"
#include "tests/headers/header_test.h"

namespace {

using manta::Get;
using manta::ObjectRef;
using manta::Task;
using TaskTest = HeaderTest;

// ---- Functions that tests call ------------------------------------------------------------------

int Add(int a, int b) { return a + b; }
int Subtract(int a, int b) noexcept { return a - b; }
double Half(double x) { return x / 2; }
std::string Greet(const std::string& name) { return "hello " + name; }
std::string Consume(std::string&& text) { return std::move(text) + "!"; }
size_t Length(const std::vector<double>& values) { return values.size(); }
int Constant() { return 5; }
const std::string& Echo(const std::string& text) { return text; }
int Owned(std::unique_ptr<int> number) { return number == nullptr ? -1 : *number; }
std::unique_ptr<int> MakeOwned(int number) { return std::make_unique<int>(number); }

int nothing_calls = 0;
void Nothing() { ++nothing_calls; }

int Overloaded(int x) { return x + 1; }
std::string Overloaded(const std::string& x) { return x + "1"; }

std::tuple<int, std::string> Both(int number) { return {number, std::to_string(number)}; }
std::pair<double, double> Halves(double x) { return {x / 2, x - x / 2}; }
std::array<int, 3> Three(int x) { return {{x, x + 1, x + 2}}; }

int Sum(const std::vector<ObjectRef<int>>& numbers) {
  int sum = 0;
  for (const auto& number : numbers) sum += *number.Get();
  return sum;
}
std::string IdOf(ObjectRef<int> reference) { return reference.ID(); }
ObjectRef<int> Forward(const ObjectRef<int>& reference) { return reference; }
std::vector<ObjectRef<int>> Repeat(const ObjectRef<int>& reference, int times) {
  return std::vector<ObjectRef<int>>(static_cast<size_t>(times), reference);
}

struct Request {
  std::string name;
  std::vector<int> numbers;
  ObjectRef<int> extra;
};
int Handle(const Request& request) {
  int sum = request.extra ? *request.extra.Get() : 0;
  for (const int number : request.numbers) sum += number;
  return sum + static_cast<int>(request.name.size());
}

int ThrowOutOfRange(int) { throw std::out_of_range("index 9"); }
struct Odd : std::runtime_error {
  using std::runtime_error::runtime_error;
};
int ThrowOdd() { throw Odd("odd"); }
int ThrowNumber() { throw 42; }
int ThrowText() { throw "text"; }
int GetOf(const std::vector<ObjectRef<int>>& references) { return *references.at(0).Get(); }

// ---- Callables ----------------------------------------------------------------------------------

TEST_F(TaskTest, Functions) {
  EXPECT_EQ(*Task(Add).Remote(1, 2).Get(), 3);
  EXPECT_EQ(*Task(&Add).Remote(1, 2).Get(), 3);
  EXPECT_EQ(*Task(Subtract).Remote(5, 2).Get(), 3);
  EXPECT_EQ(*Get(Task(Greet).Remote("you")), "hello you");
  EXPECT_EQ(*Get(Task(Consume).Remote(std::string("x"))), "x!");
  EXPECT_EQ(*Get(Task(Constant).Remote()), 5);
  EXPECT_EQ(*Get(Task(Echo).Remote("echo")), "echo");
  static_assert(std::is_same_v<decltype(Task(Constant).Remote()), ObjectRef<int>>);
  static_assert(std::is_same_v<decltype(Task(Echo).Remote("")), ObjectRef<std::string>>);
}

TEST_F(TaskTest, FunctionsOfOneSignatureAreToldApart) {
  int (*const functions[])(int, int) = {Add, [](int a, int b) { return a * b; }, &Add,
                                        [](int a, int) { return a; }};
  const int expected[] = {5, 6, 5, 2};
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(*Task(functions[i]).Remote(2, 3).Get(), expected[i]);
  }
}

TEST_F(TaskTest, VoidFunctions) {
  nothing_calls = 0;
  const ObjectRef<void> done = Task(Nothing).Remote();
  done.Get();
  Get(done);
  Get(std::vector<ObjectRef<void>>{done, done});
  EXPECT_EQ(nothing_calls, 1);
}

TEST_F(TaskTest, Overloads) {
  EXPECT_EQ(*Task(manta::Overload<int(int)>(Overloaded)).Remote(1).Get(), 2);
  EXPECT_EQ(*Task(manta::Overload<std::string(const std::string&)>(Overloaded)).Remote("x").Get(),
            "x1");
  EXPECT_EQ(*Task(static_cast<int (*)(int)>(Overloaded)).Remote(1).Get(), 2);
}

TEST_F(TaskTest, Lambdas) {
  EXPECT_EQ(*Task([](int x) { return x * 2; }).Remote(4).Get(), 8);
  EXPECT_EQ(*Task([](const std::string& x) { return x + x; }).Remote("ab").Get(), "abab");
  const int factor = 3;
  const double offset = 0.5;
  EXPECT_EQ(*Task([factor, offset](int x) { return x * factor + offset; }).Remote(4).Get(), 12.5);
  EXPECT_EQ(*Task([n = 0]() mutable { return ++n; }).Remote().Get(), 1);
}

TEST_F(TaskTest, GenericLambdas) {
  const auto twice = [](auto x) { return x + x; };
  EXPECT_EQ(*Task(twice).Remote(4).Get(), 8);
  EXPECT_EQ(*Task(twice).Remote("ab").Get(), "abab");
  EXPECT_EQ(*Task(twice).Remote(manta::Put(2.5)).Get(), 5.0);
  const auto id = [](const ObjectRef<int>& reference, auto) { return reference.ID(); };
  const ObjectRef<int> reference = manta::Put(1);
  EXPECT_EQ(*Task(id).Remote(reference, manta::Put(5)).Get(), reference.ID());
}

struct Scale {
  int factor;
  std::string unit;
  std::string operator()(int x) const { return std::to_string(x * factor) + unit; }
};
struct Stateless {
  int operator()(int x) const noexcept { return -x; }
};
struct Large {
  std::vector<int> table;
  int operator()(int i) { return table.at(static_cast<size_t>(i)); }
};

TEST_F(TaskTest, FunctionObjects) {
  EXPECT_EQ(*Task(Scale{2, "kg"}).Remote(4).Get(), "8kg");
  EXPECT_EQ(*Task(Stateless()).Remote(4).Get(), -4);
  Large large;
  large.table.resize(10000, 7);
  EXPECT_EQ(*Task(large).Remote(9999).Get(), 7);
  EXPECT_EQ(manta_fake::Puts(), 1u);
}

// ---- Arguments ----------------------------------------------------------------------------------

TEST_F(TaskTest, ArgumentsConvertAsInACall) {
  EXPECT_EQ(*Task(Half).Remote(5).Get(), 2.5);
  EXPECT_EQ(*Task(Add).Remote(1.9, 'a').Get(), 1 + 'a');
  const char* text = "c";
  EXPECT_EQ(*Task(Greet).Remote(text).Get(), "hello c");
  EXPECT_EQ(*Task(Greet).Remote(std::string_view("view")).Get(), "hello view");
  const std::string constant = "const";
  EXPECT_EQ(*Task(Greet).Remote(constant).Get(), "hello const");
  EXPECT_EQ(*Task(Consume).Remote(constant).Get(), "const!");
  EXPECT_EQ(*Task(Owned).Remote(std::make_unique<int>(6)).Get(), 6);
  EXPECT_EQ(*Task(Owned).Remote(nullptr).Get(), -1);
}

TEST_F(TaskTest, AReferenceStandsForItsValue) {
  const ObjectRef<int> three = Task(Add).Remote(1, 2);
  EXPECT_EQ(*Task(Add).Remote(three, 4).Get(), 7);
  EXPECT_EQ(*Task(Add).Remote(three, three).Get(), 6);
  EXPECT_EQ(manta_fake::Submissions().back().num_dependencies, 2u);
  EXPECT_EQ(*Task(Half).Remote(three).Get(), 1.5) << "an int where a double is expected";
  EXPECT_EQ(*Task(Greet).Remote(manta::Put("put")).Get(), "hello put");
  EXPECT_EQ(*Task(Add).Remote(Task(Add).Remote(1, 1), Task(Add).Remote(2, 2)).Get(), 6);
}

TEST_F(TaskTest, AReferenceTravelsAsItselfWhereThatIsExpected) {
  const ObjectRef<int> number = manta::Put(5);
  EXPECT_EQ(*Task(IdOf).Remote(number).Get(), number.ID());
  EXPECT_EQ(manta_fake::Submissions().back().num_dependencies, 0u);
  EXPECT_EQ(manta_fake::Submissions().back().num_nested, 1u);
  EXPECT_EQ(*Task(Forward).Remote(number).Get()->Get(), 5);
  EXPECT_EQ(*Task(Sum).Remote(std::vector<ObjectRef<int>>{number, manta::Put(6)}).Get(), 11);
  EXPECT_EQ(manta_fake::Submissions().back().num_nested, 2u);
  const auto twenty = Task(Repeat).Remote(number, 20).Get();
  EXPECT_EQ(twenty->size(), 20u);
  EXPECT_EQ(*Task(Sum).Remote(*twenty).Get(), 100);
  EXPECT_EQ(manta_fake::Submissions().back().num_nested, 20u);
}

TEST_F(TaskTest, StructsWithReferences) {
  EXPECT_EQ(*Task(Handle).Remote(Request{"abc", {1, 2}, {}}).Get(), 6);
  EXPECT_EQ(*Task(Handle).Remote(Request{"abc", {1, 2}, manta::Put(10)}).Get(), 16);
  const ObjectRef<Request> stored = manta::Put(Request{"", {}, manta::Put(1)});
  EXPECT_EQ(*Task(Handle).Remote(stored).Get(), 1);
}

TEST_F(TaskTest, LargeArgumentsBecomeObjects) {
  const std::vector<double> small(MANTA_INLINE_ARG_LIMIT / sizeof(double) - 2, 1);
  EXPECT_EQ(*Task(Length).Remote(small).Get(), small.size());
  EXPECT_EQ(manta_fake::Puts(), 0u);
  const std::vector<double> large(MANTA_INLINE_ARG_LIMIT / sizeof(double), 1);
  EXPECT_EQ(*Task(Length).Remote(large).Get(), large.size());
  EXPECT_EQ(manta_fake::Puts(), 1u);
  EXPECT_EQ(manta_fake::Submissions().back().num_dependencies, 1u);
  EXPECT_LT(manta_fake::Submissions().back().args.size(), 16u);
}

struct Block {
  char bytes[16000];
};
int Many(const Block&, const Block&, const Block&, const Block&, const Block&, const Block&,
         const Block&, const Block&, const Block&, const Block&, const Block&, const Block&,
         const Block&, const Block&, const Block&, const Block&, const Block&, const Block& last,
         ObjectRef<int> number) {
  return last.bytes[15999] + *number.Get();
}
TEST_F(TaskTest, ManyArgumentsBelowTheLimitStayBelowItTogether) {
  const auto b = std::make_unique<Block>();
  b->bytes[15999] = 3;
  const Block& c = *b;
  EXPECT_EQ(
      *Task(Many).Remote(c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, manta::Put(4)).Get(),
      7);
  EXPECT_LE(manta_fake::Submissions().back().args.size(), size_t{MANTA_ARGS_LIMIT});
  EXPECT_GE(manta_fake::Submissions().back().num_dependencies, 2u);
  EXPECT_EQ(manta_fake::Submissions().back().num_nested, 1u);
}

TEST_F(TaskTest, LargeArgumentsMayHoldReferences) {
  std::vector<ObjectRef<int>> references(2000, manta::Put(1));
  EXPECT_EQ(*Task(Sum).Remote(references).Get(), 2000);
  EXPECT_EQ(manta_fake::Submissions().back().num_nested, 0u) << "they stand in the object";
}

TEST_F(TaskTest, EncodesSmallArgumentsDensely) {
  Task(Add).Remote(1, 2);
  EXPECT_EQ(manta_fake::Submissions().back().args, std::string("\0\1\0\0\0\0\2\0\0\0", 10));
  Task(Greet).Remote("ab");
  EXPECT_EQ(manta_fake::Submissions().back().args, std::string("\0\2ab", 4));
  Task(Add).Remote(1, manta::Put(2));
  EXPECT_EQ(manta_fake::Submissions().back().args, std::string("\0\1\0\0\0\1\0\0\0\0", 10));
}

TEST_F(TaskTest, DoesNotDependOnAlignment) {
  manta_fake::SetMisalignment(1);
  EXPECT_EQ(*Task(Add).Remote(1, manta::Put(2)).Get(), 3);
  EXPECT_EQ(*Task(Length).Remote(std::vector<double>(1000)).Get(), 1000u);
  EXPECT_EQ(*Task(Length).Remote(std::vector<double>(10000)).Get(), 10000u);
  EXPECT_EQ(*Task(Handle).Remote(Request{"abc", std::vector<int>(1000, 1), {}}).Get(), 1003);
}

TEST_F(TaskTest, EmptyReferencesAreRefused) {
  const ObjectRef<int> empty;
  EXPECT_TRUE(Contains(MessageOf<manta::InvalidArgumentError>([&] { Task(Add).Remote(1, empty); }),
                       "empty ObjectRef"));
  const auto with_text = [](int, const std::string&) {};
  EXPECT_THROW(Task(with_text).Remote(empty, "x"), manta::InvalidArgumentError);
}

// ---- Results ------------------------------------------------------------------------------------

TEST_F(TaskTest, ResultsOfAnySize) {
  const auto repeat = [](size_t size) { return std::string(size, 'x'); };
  for (const size_t size : {0, 1, 62, 63, 64, 65, 300, 100000}) {
    EXPECT_EQ(Task(repeat).Remote(size).Get()->size(), size);
  }
  EXPECT_EQ(**Task(MakeOwned).Remote(5).Get(), 5);
  manta_fake::SetInlineCapacity(0);
  EXPECT_EQ(*Task(Add).Remote(1, 2).Get(), 3);
}

TEST_F(TaskTest, SeveralResults) {
  auto [number, text] = Task(Both).RemoteMulti(7);
  static_assert(std::is_same_v<decltype(number), ObjectRef<int>>);
  static_assert(std::is_same_v<decltype(text), ObjectRef<std::string>>);
  EXPECT_EQ(*number.Get(), 7);
  EXPECT_EQ(*Task(Greet).Remote(text).Get(), "hello 7");
  auto [low, high] = Task(Halves).RemoteMulti(3);
  EXPECT_EQ(*low.Get() + *high.Get(), 3);
  EXPECT_EQ(*std::get<2>(Task(Three).RemoteMulti(1)).Get(), 3);
  // The same function as one result.
  EXPECT_EQ(std::get<1>(*Task(Both).Remote(8).Get()), "8");
}

TEST_F(TaskTest, SeveralResultsFailTogether) {
  const auto fails = []() -> std::tuple<int, int> { throw std::logic_error("no"); };
  auto [first, second] = Task(fails).RemoteMulti();
  EXPECT_THROW(first.Get(), std::logic_error);
  EXPECT_THROW(second.Get(), std::logic_error);
}

TEST_F(TaskTest, NoRoomForTheResult) {
  manta_fake::FailNext("allocate_result", MANTA_ERROR_OBJECT_STORE_FULL, "full");
  const auto large = [] { return std::string(1000, 'x'); };
  EXPECT_THROW(Task(large).Remote().Get(), manta::ObjectStoreFullError);
  manta_fake::FailNext("allocate_result", MANTA_ERROR_OBJECT_STORE_FULL, "full");
  auto [first, second] = Task(Both).RemoteMulti(1);
  EXPECT_THROW(first.Get(), manta::ObjectStoreFullError);
  EXPECT_THROW(second.Get(), manta::ObjectStoreFullError);
}

// ---- Exceptions ---------------------------------------------------------------------------------

TEST_F(TaskTest, ExceptionsArriveAsTaskErrorAndAsWhatTheyWere) {
  const auto result = Task(ThrowOutOfRange).Remote(9);
  EXPECT_THROW(result.Get(), manta::TaskError);
  EXPECT_THROW(result.Get(), std::out_of_range);
  EXPECT_THROW(result.Get(), std::logic_error);
  EXPECT_THROW(result.Get(), std::exception);
  EXPECT_THROW(result.Get(), manta::Error);
  try {
    result.Get();
  } catch (const manta::TaskError& error) {
    EXPECT_STREQ(error.type_name(), "std::out_of_range");
    EXPECT_STREQ(error.message(), "index 9");
    EXPECT_TRUE(Contains(error.stack(), "in task"));
    EXPECT_TRUE(Contains(error.what(), "std::out_of_range: index 9\nin task"));
  }
}

TEST_F(TaskTest, ExceptionsOfOtherTypes) {
  try {
    Task(ThrowOdd).Remote().Get();
    FAIL();
  } catch (const std::runtime_error&) {
    FAIL() << "Odd is not exactly a std::runtime_error";
  } catch (const manta::TaskError& error) {
    EXPECT_TRUE(Contains(error.type_name(), "Odd"));
    EXPECT_STREQ(error.message(), "odd");
  }
  EXPECT_TRUE(Contains(MessageOf<manta::TaskError>([] { Task(ThrowNumber).Remote().Get(); }),
                       "int: (the exception is not a std::exception"));
  EXPECT_TRUE(Contains(MessageOf<manta::TaskError>([] { Task(ThrowText).Remote().Get(); }),
                       "char const*: text"));
}

TEST_F(TaskTest, AFailurePassesThroughTasksThatDependOnIt) {
  const auto failed = Task(ThrowOutOfRange).Remote(9);
  EXPECT_THROW(Task(Add).Remote(failed, 1).Get(), std::out_of_range);
  // Through a Get inside of a task.
  const auto through = Task(GetOf).Remote(std::vector<ObjectRef<int>>{failed});
  EXPECT_THROW(through.Get(), std::out_of_range);
  try {
    through.Get();
  } catch (const manta::TaskError& error) {
    EXPECT_STREQ(error.type_name(), "std::out_of_range");
    EXPECT_STREQ(error.message(), "index 9");
    const std::string stack = error.stack();  // of both tasks
    EXPECT_NE(stack.find("in task"), stack.rfind("in task")) << stack;
  }
  const auto odd = Task(ThrowOdd).Remote();
  const auto odd_through = Task(GetOf).Remote(std::vector<ObjectRef<int>>{odd});
  EXPECT_TRUE(Contains(MessageOf<manta::TaskError>([&] { odd_through.Get(); }), "Odd: odd"));
}

int GetPending(const std::vector<ObjectRef<int>>& references) {
  manta_fake::FailNext("manta_get", MANTA_ERROR_TASK_CANCELLED, "cancelled while it waited");
  return *references.at(0).Get();
}
TEST_F(TaskTest, ACancelledTaskFailsAsCancelled) {
  const std::vector<ObjectRef<int>> references{manta::Put(1)};
  manta_fake::SetCancelled(true);
  const auto cancelled = Task(GetPending).Remote(references);
  EXPECT_EQ(MessageOf<manta::TaskCancelledError>([&] { cancelled.Get(); }),
            "cancelled while it waited");
  // The task that it waited for was cancelled, not this one: to this one's caller it is an
  // exception that user code did not catch.
  manta_fake::SetCancelled(false);
  const auto not_cancelled = Task(GetPending).Remote(references);
  EXPECT_TRUE(Contains(MessageOf<manta::TaskError>([&] { not_cancelled.Get(); }),
                       "manta::v1::TaskCancelledError: cancelled while it waited"));
}
TEST_F(TaskTest, ATaskMayAskWhetherItIsCancelled) {
  const auto ask = [] { return manta::GetRuntimeContext().IsCancelled(); };
  EXPECT_FALSE(*Task(ask).Remote().Get());
  manta_fake::SetCancelled(true);
  EXPECT_TRUE(*Task(ask).Remote().Get());
  EXPECT_FALSE(manta::GetRuntimeContext().IsCancelled()) << "the driver is not a task";
}

TEST_F(TaskTest, ArgumentsThatAreNotWhatWasPromised) {
  // An int where the reference says string: another program's object, or a bug.
  const auto wrong =
      ObjectRef<std::string>::FromHandle(manta_fake::MakeObject(std::string(8, 'x')));
  const auto result = Task(Greet).Remote(wrong);
  EXPECT_TRUE(Contains(MessageOf<manta::TaskError>([&] { result.Get(); }),
                       "manta::v1::SerializationError: not a valid value"));
}

struct FailsToWrite {
  int value = 0;
  template <class Archive>
  void Serialize(Archive& archive) {
    if (!Archive::kReading && value == 13) throw std::runtime_error("will not be written");
    archive(value);
  }
};
TEST_F(TaskTest, ValuesThatFailToBeWritten) {
  const auto take = [](const FailsToWrite& value) { return value.value; };
  const auto make = [](int value) { return FailsToWrite{value}; };
  FailsToWrite bad;
  bad.value = 13;
  EXPECT_THROW(Task(take).Remote(bad), std::runtime_error);
  EXPECT_TRUE(manta_fake::Submissions().empty());
  EXPECT_THROW(manta::Put(bad), std::runtime_error);
  EXPECT_THROW(Task(make).Remote(13).Get(), std::runtime_error);
  EXPECT_EQ(Task(make).Remote(14).Get()->value, 14);
}

// ---- Options and errors of the call -------------------------------------------------------------

TEST_F(TaskTest, OptionsAreInternedOncePerCaller) {
  EXPECT_EQ(*Task(Add).Remote(1, 2).Get(), 3);
  EXPECT_EQ(manta_fake::InternCalls(), 0u);
  EXPECT_EQ(manta_fake::Submissions().back().options, 0u);

  auto caller = Task(Add)
                    .SetName("adder")
                    .SetNumCpus(0.5)
                    .SetResource("special", 2)
                    .SetMaxRetries(-1)
                    .SetRetryExceptions<std::runtime_error, Odd>();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*caller.Remote(i, 2).Get(), i + 2);
  EXPECT_EQ(manta_fake::InternCalls(), 1u);
  const manta_fake::TaskOptions& options =
      manta_fake::OptionsOf(manta_fake::Submissions().back().options);
  EXPECT_EQ(manta_fake::Submissions().back().name, "adder");
  EXPECT_EQ(options.num_cpus, 0.5);
  EXPECT_TRUE(std::isnan(options.num_gpus));
  EXPECT_TRUE(std::isnan(options.memory));
  ASSERT_EQ(options.resources.size(), 1u);
  EXPECT_EQ(options.resources[0].first, "special");
  EXPECT_EQ(options.resources[0].second, 2);
  EXPECT_EQ(options.max_retries, -1);
  EXPECT_EQ(options.retry_exceptions, 2);
  EXPECT_EQ(options.retry_exception_types.at(0), typeid(std::runtime_error).name());
  EXPECT_EQ(options.retry_exception_types.at(1), typeid(Odd).name());

  // A change makes new options; the copy keeps the old ones.
  auto copy = caller;
  caller.SetNumGpus(1);
  caller.Remote(1, 2);
  EXPECT_EQ(manta_fake::OptionsOf(manta_fake::Submissions().back().options).num_gpus, 1);
  copy.Remote(1, 2);
  EXPECT_TRUE(std::isnan(manta_fake::OptionsOf(manta_fake::Submissions().back().options).num_gpus));
}

TEST_F(TaskTest, ResourcesByTheirNamesInRay) {
  Task(Nothing)
      .SetResources(std::map<std::string, double>{{"CPU", 2}, {"GPU", 1}, {"memory", 1e9}})
      .SetResources({{"a", 1.0}, {"b", 2.0}, {"a", 3.0}})
      .SetRetryExceptions(true)
      .Remote();
  const manta_fake::TaskOptions& options = manta_fake::OptionsOf(1);
  EXPECT_EQ(options.num_cpus, 2);
  EXPECT_EQ(options.num_gpus, 1);
  EXPECT_EQ(options.memory, 1e9);
  ASSERT_EQ(options.resources.size(), 2u);
  EXPECT_EQ(options.resources[0].second, 3);
  EXPECT_EQ(options.retry_exceptions, 1);
  EXPECT_EQ(options.max_retries, MANTA_DEFAULT_INT);
}

// In the C interface it stands for the default.
TEST_F(TaskTest, AmountsAreNumbers) {
  const double no_number = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [](const auto& set, const char* setter) {
    EXPECT_TRUE(Contains(MessageOf<manta::InvalidArgumentError>(set), setter));
  };
  refused([&] { Task(Add).SetNumCpus(no_number); }, "SetNumCpus");
  refused([&] { Task(Add).SetNumGpus(no_number); }, "SetNumGpus");
  refused([&] { Task(Add).SetMemory(no_number); }, "SetMemory");
  refused([&] { Task(Add).SetResource("CPU", no_number); }, "SetResource");
}

TEST_F(TaskTest, ErrorsOfTheCall) {
  manta_fake::FailNext("manta_task_options_intern", MANTA_ERROR_INVALID_ARGUMENT, "no such thing");
  EXPECT_THROW(Task(Add).SetNumCpus(-3).Remote(1, 2), manta::InvalidArgumentError);
  manta_fake::FailNext("manta_submit", MANTA_ERROR_NODE_DIED, "gone");
  EXPECT_THROW(Task(Add).Remote(1, 2), manta::NodeDiedError);
  manta_fake::FailNext("manta_put_begin", MANTA_ERROR_OBJECT_STORE_FULL, "full");
  EXPECT_THROW(Task(Length).Remote(std::vector<double>(100000)), manta::ObjectStoreFullError);
  manta::Shutdown();
  EXPECT_TRUE(Contains(MessageOf<manta::NotInitializedError>([] { Task(Add).Remote(1, 2); }),
                       "Remote: after Shut"));
}

TEST_F(TaskTest, AFunctionThatCannotBeFoundIsAskedForAgain) {
  const auto unique = [] { return 77; };
  manta_fake::FailNext("manta_function_find", MANTA_ERROR_INVALID_ARGUMENT, "not there");
  EXPECT_THROW(Task(unique).Remote(), manta::InvalidArgumentError);
  EXPECT_EQ(*Task(unique).Remote().Get(), 77);
}

// ---- Registration -------------------------------------------------------------------------------

// Never called. That it is compiled registers what it mentions.
[[maybe_unused]] void NeverCalled() {
  Task([](long double marker) { return marker; }).Remote(1.0L);
}

bool IsRegistered(const std::string& part) {
  for (const std::string& signature : manta_fake::Signatures()) {
    if (signature.find(part) != std::string::npos) return true;
  }
  return false;
}

TEST_F(TaskTest, CodeIsRegisteredBeforeMain) {
  // Tests run after main has started, and nothing of this signature has been called.
  EXPECT_TRUE(IsRegistered("NeverCalled()::<lambda(long double)>") ||
              IsRegistered("lambda at"))  // as Clang writes it
      << manta_fake::Signatures().front();
}

}  // namespace
