// C++ programs that call functions and actors of Python by their names.
#include <array>
#include <csignal>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "tests/support/python_test.h"
#include "tests/support/standing_cluster_test.h"

namespace manta_test {
namespace {

struct Size {
  int width = 0;
  double height = 0;
};
struct Person {
  std::string name;
  std::vector<Size> sizes;
};

class CrossLanguage : public WithPython<ClusterTest> {
 protected:
  manta::Config Config() const {
    manta::Config config;
    config.num_cpus = 2;
    config.code_search_path = {module_->folder()};
    return config;
  }
};

class CallsPython : public CrossLanguage {
 protected:
  void SetUp() override {
    CrossLanguage::SetUp();
    if (!IsSkipped()) manta::Init(Config());
  }
};

template <class R>
auto Function(const char* name) {
  manta::PyFunction<R> function;
  function.module_name = "mine";
  function.function_name = name;
  return manta::Task(function);
}
template <class R>
manta::PyActorMethod<R> Method(const char* name) {
  return {name};
}
manta::PyActorClass Class(const char* name) {
  manta::PyActorClass made;
  made.module_name = "mine";
  made.class_name = name;
  return made;
}

template <class T>
T ThereAndBack(const T& value) {
  return *Function<T>("same").Remote(value).Get();
}

template <class Call>
std::string WhatIsThrown(const Call& call) {
  try {
    call();
  } catch (const manta::TaskError& error) {
    return error.AsException().what();
  } catch (const std::exception& error) {
    return std::string("no TaskError: ") + error.what();
  }
  return "nothing";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(CallsPython, ValuesOfManyTypesGoThereAndBack) {
  EXPECT_EQ(ThereAndBack<int8_t>(-7), -7);
  EXPECT_EQ(ThereAndBack<uint64_t>(~0ull), ~0ull);
  EXPECT_EQ(ThereAndBack(-0.25f), -0.25f);
  EXPECT_EQ(ThereAndBack(true), true);
  EXPECT_EQ(ThereAndBack<std::string>("Grüße"), "Grüße");
  EXPECT_EQ(ThereAndBack(std::vector<uint8_t>{0, 255}), (std::vector<uint8_t>{0, 255}));
  EXPECT_EQ(ThereAndBack(std::vector<std::string>{"a", ""}), (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(ThereAndBack(std::vector<bool>{true, false}), (std::vector<bool>{true, false}));
  EXPECT_EQ(ThereAndBack(std::map<std::string, int>{{"a", 1}}), (std::map<std::string, int>{{"a", 1}}));
  EXPECT_EQ(ThereAndBack(std::optional<int>()), std::nullopt);
  EXPECT_EQ(ThereAndBack(std::optional<int>(3)), 3);
  EXPECT_EQ(ThereAndBack(std::make_tuple(1, 2.5, std::string("c"))), std::make_tuple(1, 2.5, std::string("c")));
  EXPECT_EQ(ThereAndBack(std::array<int16_t, 2>{1, -1}), (std::array<int16_t, 2>{1, -1}));
  const Person person = ThereAndBack(Person{"Ada", {{1, 1.5}, {2, 2.5}}});
  EXPECT_EQ(person.name, "Ada");
  ASSERT_EQ(person.sizes.size(), 2u);
  EXPECT_EQ(person.sizes[1].height, 2.5);
  Function<void>("nothing").Remote().Get();
  Function<void>("same").Remote(1).Get();
  using Texts = std::vector<std::string>;
  EXPECT_EQ(*Function<Texts>("kinds").Remote(1, 1.5f, "text", false, std::vector<char>(), Size()).Get(),
            (Texts{"int", "float", "str", "bool", "bytes", "list"}));
}

TEST_F(CallsPython, LargeValuesGoThereAndBack) {
  for (const size_t size : {200u, 20'000u, 300'000u, 3'000'000u}) {
    const std::string text(size, 'x');
    EXPECT_EQ(ThereAndBack(text), text);
  }
  std::vector<double> numbers(50'000);
  std::iota(numbers.begin(), numbers.end(), 0.5);
  EXPECT_EQ(ThereAndBack(numbers), numbers);
  using Numbers = std::vector<std::vector<double>>;
  EXPECT_EQ(*Function<Numbers>("same").Remote(numbers, numbers).Get(), (Numbers{numbers, numbers}));
}

TEST_F(CallsPython, ReferencesStandForTheirValues) {
  const auto of_python = Function<int>("decorated").Remote(manta::Put(1));
  EXPECT_EQ(*Function<int>("decorated").Remote(of_python).Get(), 3);
  const std::vector<double> numbers(5000, 2.0);
  EXPECT_EQ(*Function<std::vector<double>>("same").Remote(manta::Put(numbers)).Get(), numbers);
}

int Twice(int x) { return 2 * *Function<int>("decorated").Remote(x).Get(); }
int Half(int x) { return x / 2; }
int AddTo(const manta::PyActorHandle& counter, int x) { return *counter.Task(Method<int>("add")).Remote(x).Get(); }

TEST_F(CallsPython, BothLanguagesCallOneAnother) {
  EXPECT_EQ(*manta::Task(Twice).Remote(Function<int>("decorated").Remote(1)).Get(), 6);
  EXPECT_EQ(*Function<int>("with_tasks").Remote(10).Get(), 55);
  const auto counter = manta::Actor(Class("Counter")).Remote(1);
  EXPECT_EQ(*manta::Task(AddTo).Remote(counter, 2).Get(), 3);
}

MANTA_REMOTE(Half, Twice);

TEST_F(CallsPython, FunctionsAreNamedForPython) {
  manta_named_function function{};
  function.struct_size = sizeof function;
  ASSERT_EQ(manta_named_function_find("Half", &function), nullptr);
  EXPECT_STREQ(function.signature(), "(i4)i4");
  manta_error* const error = manta_named_function_find("Third", &function);
  ASSERT_NE(error, nullptr);
  EXPECT_STREQ(manta_error_message(error), "no C++ function is registered as 'Third' here; there are Half, Twice");
  manta_error_free(error);
}

TEST_F(CallsPython, OptionsApply) {
  EXPECT_EQ(*Function<int>("decorated").SetNumCpus(2).SetName("mine").Remote(1).Get(), 2);
  EXPECT_EQ(*manta::Task(manta::PyFunction<int>{"mine", "Shapes.area"}).Remote(std::make_pair(2, 3)).Get(), 6);
  const std::string mark = module_->folder() + "/crashed";
  EXPECT_THROW(Function<std::string>("crash_once").SetMaxRetries(0).Remote(mark).Get(), manta::WorkerCrashedError);
  EXPECT_EQ(*Function<std::string>("crash_once").Remote(mark + "2").Get(), "again");
}

TEST_F(CallsPython, ATaskCanBeCancelled) {
  const auto sleeping = Function<void>("sleep").Remote(60);
  EXPECT_THROW(sleeping.Get(500ms), manta::GetTimeoutError);
  manta::Cancel(sleeping);
  EXPECT_THROW(sleeping.Get(10s), manta::TaskCancelledError);
}

TEST_F(CallsPython, AnErrorArrivesWithItsTraceback) {
  const std::string said = WhatIsThrown([] { Function<int>("fail").Remote("as planned").Get(); });
  EXPECT_SAYS(said, "LookupError: as planned");
  EXPECT_SAYS(said, "mine.py\", line");
  EXPECT_SAYS(said, "in fail");
}

TEST_F(CallsPython, MistakesAreNamed) {
  const auto of = [](const char* module, const char* name) {
    return WhatIsThrown([=] { manta::Task(manta::PyFunction<int>{module, name}).Remote(1).Get(); });
  };
  EXPECT_SAYS(of("yours", "f"), "there is no Python module yours");
  EXPECT_SAYS(of("yours", "f"), "code_search_path");
  EXPECT_SAYS(of("mine.more", "f"), "there is no Python module mine.more");
  EXPECT_SAYS(of("mine", "f"), "mine.py) has no f");
  EXPECT_SAYS(of("mine", "text"), "mine.text cannot be called");
  EXPECT_SAYS(of("mine", "Decorated"), "mine.Decorated is an actor's class");
  EXPECT_SAYS(of("mine", "nothing"), "nothing() takes 0 positional arguments but 1 was given");
  EXPECT_SAYS(of("mine", "kinds"), "the result is not what the caller expects: C++ expects an int, and got ['int']");
  EXPECT_SAYS(WhatIsThrown([] { ThereAndBack<int>(1); Function<int8_t>("same").Remote(1000).Get(); }), "an int of 8 bits, and got 1000");
  EXPECT_THROW(Function<int>("same").Remote(std::set<std::variant<int, bool>>()), manta::InvalidArgumentError);
  EXPECT_SAYS(WhatIsThrown([] { Function<manta::ObjectRef<int>>("same").Remote(1); }), "for which Python has no value");
}

TEST_F(CallsPython, AnActorKeepsItsState) {
  const auto counter = manta::Actor(Class("Counter")).SetName("counter").Remote(10);
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(*counter.Task(Method<int>("add")).Remote(1).Get(), 10 + i);
  EXPECT_EQ(*manta::GetActor<manta::PyActorClass>("counter")->Task(Method<double>("add")).Remote(0.5).Get(), 13.5);
  EXPECT_SAYS(WhatIsThrown([&] { counter.Task(Method<int>("subtract")).Remote(1).Get(); }), "no attribute 'subtract'");
  counter.Kill();
  EXPECT_THROW(counter.Task(Method<int>("add")).Remote(1).Get(), manta::ActorDiedError);
}

TEST_F(CallsPython, AnActorStartsAgain) {
  const auto counter = manta::Actor(Class("Decorated")).SetMaxRestarts(1).SetMaxTaskRetries(-1).Remote(5);
  EXPECT_EQ(*counter.Task(Method<int>("add")).Remote(1).Get(), 6);
  kill(*counter.Task(Method<int>("pid")).Remote().Get(), SIGKILL);
  EXPECT_TRUE(Eventually(10s, [&] { return *counter.Task(Method<int>("add")).Remote(0).Get() == 5; }));
}

TEST_F(CallsPython, AConstructorThatRaisesEndsTheActor) {
  const auto counter = manta::Actor(Class("Counter")).Remote(-1);
  try {
    counter.Task(Method<int>("add")).Remote(1).Get();
    FAIL();
  } catch (const manta::ActorDiedError& error) {
    EXPECT_SAYS(std::string(error.what()), "ValueError: negative");
  }
  const auto none = manta::Actor(Class("same")).Remote();
  try {
    none.Task(Method<int>("add")).Remote(1).Get();
    FAIL();
  } catch (const manta::ActorDiedError& error) {
    EXPECT_SAYS(std::string(error.what()), "mine.same is no class");
  }
}

TEST_F(CallsPython, CoroutinesOfAnActorOverlap) {
  const auto gate = manta::Actor(Class("Gate")).SetMaxConcurrency(10).Remote();
  const auto first = gate.Task(Method<int>("wait")).Remote(1);
  const auto wrong = gate.Task(Method<int>("wait")).Remote("text");
  gate.Task(Method<void>("open")).Remote().Get();
  EXPECT_EQ(*first.Get(), 1);
  EXPECT_SAYS(WhatIsThrown([&] { wrong.Get(); }), "C++ expects an int, and got 'text'");
}

class DetachedPython : public WithPython<StandingClusterTest> {};

TEST_F(DetachedPython, AnActorStartsAgainThoughItsDriverHasLeft) {
  config_.ray_namespace = "space";
  config_.code_search_path = {module_->folder()};
  RunDriver([] {
    const auto counter = manta::Actor(Class("Counter")).SetName("counter").SetDetached().SetMaxRestarts(1).SetMaxTaskRetries(-1).Remote(5);
    EXPECT_EQ(*counter.Task(Method<int>("add")).Remote(1).Get(), 6);
  });
  manta::Init(config_);
  const auto counter = *manta::GetActor<manta::PyActorClass>("counter");
  EXPECT_EQ(*counter.Task(Method<int>("add")).Remote(1).Get(), 7);
  kill(*counter.Task(Method<int>("pid")).Remote().Get(), SIGKILL);
  EXPECT_TRUE(Eventually(10s, [&] { return *counter.Task(Method<int>("add")).Remote(0).Get() == 5; }));
  counter.Kill();
}

TEST_F(CrossLanguage, LibrariesOfThePathAreLoaded) {
  std::ofstream(module_->folder() + "/broken.so") << "no library";
  manta::Init(Config());
  EXPECT_EQ(*Function<std::vector<std::string>>("broken_libraries").Remote().Get(), std::vector<std::string>{"broken.so"});
}

TEST_F(CrossLanguage, WithoutPythonSaysWhatToDo) {
  manta::Config config = Config();
  config.python = root() + "/python3";
  manta::Init(config);
  EXPECT_SAYS(WhatIsThrown([] { Function<int>("decorated").Remote(1).Get(); }), "MANTA_PYTHON");
  EXPECT_EQ(*manta::Task(Half).Remote(2).Get(), 1) << "C++ goes on";
}

TEST_F(CrossLanguage, APlaceThatIsNotThereIsNamed) {
  manta::Config config = Config();
  config.code_search_path.push_back(root() + "/nowhere");
  try {
    manta::Init(config);
    FAIL();
  } catch (const manta::InvalidArgumentError& error) {
    EXPECT_SAYS(std::string(error.what()), "code_search_path: there is no " + root() + "/nowhere");
  }
}

}  // namespace
}  // namespace manta_test
