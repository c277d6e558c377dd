// Calls of Python by name, as they are submitted.
#include "manta/python.h"

#include <string>
#include <variant>
#include <vector>

#include "manta/objects.h"
#include "tests/headers/header_test.h"

namespace {

using PythonTest = HeaderTest;

const manta_fake::Submission& Last() { return manta_fake::Submissions().back(); }

// The text in front of the arguments: a tag and a count of one byte each, then the text.
std::string Described() { return Last().args.substr(2, static_cast<unsigned char>(Last().args[1])); }

TEST_F(PythonTest, AFunctionIsToldByNameWithItsTypes) {
  const manta::PyFunction<double> function{"package.module", "f"};
  manta::Task(function).Remote(1, "text", std::vector<float>{1.5f});
  EXPECT_EQ(Last().function.module, 0u);
  EXPECT_EQ(Last().function.invoker, static_cast<uint32_t>(MANTA_LANGUAGE_PYTHON));
  EXPECT_EQ(Last().function_name, "package.module.f");
  EXPECT_EQ(Last().name, "package.module.f");
  EXPECT_EQ(Last().num_results, 1u);
  EXPECT_EQ(Described(), "f(i4sv4:f4)f8\npackage.module\nf");
  EXPECT_EQ(manta_fake::OptionsOf(Last().options).language, MANTA_LANGUAGE_PYTHON);
}

TEST_F(PythonTest, ReferencesAreDependencies) {
  manta::Task(manta::PyFunction<void>{"m", "f"}).Remote(manta::Put(1), manta::Put(std::string("s")));
  EXPECT_EQ(Described(), "f(i4s)e\nm\nf");
  EXPECT_EQ(Last().num_dependencies, 2u);
  EXPECT_EQ(Last().num_nested, 0u);
}

TEST_F(PythonTest, LargeArgumentsBecomeObjects) {
  manta::Task(manta::PyFunction<void>{"m", "f"}).Remote(std::string(100'000, 'x'));
  EXPECT_EQ(Last().num_dependencies, 1u);
  EXPECT_EQ(manta_fake::Puts(), 1u);
}

TEST_F(PythonTest, AnActorIsMadeAndCalled) {
  manta::PyActorHandle actor = manta::Actor(manta::PyActorClass{"m", "Counter"})
                                   .SetName("counter")
                                   .SetMaxConcurrency(3)
                                   .Remote(10);
  EXPECT_EQ(Described(), "c(i4)e\nm\nCounter");
  EXPECT_EQ(Last().function_name, "m.Counter");
  EXPECT_EQ(manta_fake::OptionsOf(Last().options).language, MANTA_LANGUAGE_PYTHON);
  EXPECT_EQ(manta_fake::LastActorOptions().name, "counter");
  EXPECT_EQ(manta_fake::LastActorOptions().max_concurrency, 3);
  actor.Task(manta::PyActorMethod<int>{"add"}).SetName("mine").SetConcurrencyGroup("group").Remote(1);
  EXPECT_EQ(Described(), "m(i4)i4\n\nadd");
  EXPECT_EQ(Last().function_name, "add");
  EXPECT_EQ(Last().name, "mine");
  auto call = manta::Actor(manta::PyActorClass{"m", "Counter"}).Remote().Task(manta::PyActorMethod<void>{"go"});
  call.Remote();
  EXPECT_EQ(Described(), "m()e\n\ngo") << "the handle was a temporary";
  EXPECT_TRUE(manta::GetActor<manta::PyActorClass>("counter"));
  EXPECT_THROW(manta::PyActorHandle().Task(manta::PyActorMethod<int>{"add"}).Remote(1), manta::InvalidArgumentError);
}

TEST_F(PythonTest, TypesWithoutAPythonValueAreNamed) {
  const manta::PyFunction<int> function{"m", "f"};
  EXPECT_TRUE(Contains(
      MessageOf<manta::InvalidArgumentError>([&] { manta::Task(function).Remote(std::variant<int, bool>(1)); }),
      "std::variant<int, bool>, for which Python has no value"));
  EXPECT_THROW(manta::Task(manta::PyFunction<manta::ObjectRef<int>>{"m", "f"}).Remote(), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Task(function).Remote(std::vector<manta::ObjectRef<int>>()), manta::InvalidArgumentError);
  EXPECT_TRUE(manta_fake::Submissions().empty());
}

}  // namespace
