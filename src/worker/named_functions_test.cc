#include "worker/named_functions.h"

#include <gtest/gtest.h>

namespace manta::worker {
namespace {

void One(manta_call*) {}
void Two(manta_call*) {}

manta_named_function Function(manta_invoker invoker) {
  manta_named_function function{};
  function.struct_size = sizeof function;
  function.invoker = invoker;
  return function;
}

TEST(NamedFunctions, AreFoundAsTheyStandInTheSourceAndPlainly) {
  NamedFunctions functions;
  const char* names = "Add, RAY_FUNC(Counter::Create, int), &Counter::Add, manta::Overload<int(int)>(&Counter::Get)";
  for (uint32_t i = 0; i < 4; ++i) functions.Register(names, i, Function(i % 2 == 0 ? One : Two));
  EXPECT_EQ(functions.Find("Add")->invoker, One);
  for (const char* name : {"RAY_FUNC(Counter::Create, int)", "RAY_FUNC(Counter::Create,int)", "Counter::Create"}) {
    EXPECT_EQ(functions.Find(name)->invoker, Two) << name;
  }
  EXPECT_EQ(functions.Find("&Counter::Add")->invoker, One);
  EXPECT_EQ(functions.Find("Counter::Add")->invoker, One);
  EXPECT_EQ(functions.Find("Counter::Get")->invoker, Two);
}

TEST(NamedFunctions, OfOneNameNeedToBeToldApart) {
  NamedFunctions functions;
  functions.Register("RAY_FUNC(Make), RAY_FUNC(Make, int)", 0, Function(One));
  functions.Register("RAY_FUNC(Make), RAY_FUNC(Make, int)", 1, Function(Two));
  EXPECT_EQ(functions.Find("RAY_FUNC(Make, int)")->invoker, Two);
  const auto found = functions.Find("Make");
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("RAY_FUNC(Make), RAY_FUNC(Make,int)"), std::string::npos) << found.error().message;
}

TEST(NamedFunctions, AreTheSameWhenTheyAreRegisteredTwice) {
  NamedFunctions functions;
  for (int i = 0; i < 2; ++i) functions.Register("Add", 0, Function(One));
  EXPECT_TRUE(functions.Find("Add"));
  functions.Register("Add", 0, Function(Two));
  EXPECT_FALSE(functions.Find("Add"));
}

TEST(NamedFunctions, OfTemplatesKeepTheirCommas) {
  EXPECT_EQ(NamedFunctions::Split("Sum<int, 2>, Add"), (std::vector<std::string>{"Sum<int,2>", "Add"}));
}

TEST(NamedFunctions, ThatAreNotThereAreToldWithThoseThatAre) {
  NamedFunctions functions;
  EXPECT_NE(functions.Find("Add").error().message.find("code_search_path"), std::string::npos);
  functions.Register("Plus", 0, Function(One));
  EXPECT_NE(functions.Find("Add").error().message.find("there are Plus"), std::string::npos);
}

}  // namespace
}  // namespace manta::worker
