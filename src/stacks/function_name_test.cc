#include "stacks/function_name.h"

#include <gtest/gtest.h>

namespace manta::stacks {
namespace {

TEST(SymbolsTest, SignaturesAreCutOff) {
  EXPECT_EQ(WithoutSignature("Square(int)"), "Square");
  EXPECT_EQ(WithoutSignature("Counter::Add(int) const"), "Counter::Add");
  EXPECT_EQ(WithoutSignature("(anonymous namespace)::Square(int)"), "(anonymous namespace)::Square");
  EXPECT_EQ(WithoutSignature("int Twice<int>(int)"), "Twice<int>");
  EXPECT_EQ(WithoutSignature("Adder::operator()(int, void (*)(int))"), "Adder::operator()");
  EXPECT_EQ(WithoutSignature("main"), "main");
  EXPECT_EQ(WithoutSignature(")("), ")(");
}

}  // namespace
}  // namespace manta::stacks
