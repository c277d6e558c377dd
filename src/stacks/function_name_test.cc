#include "stacks/function_name.h"

#include <gtest/gtest.h>

#include <typeinfo>

namespace manta::v1 {
class WorkerCrashed {};
}  // namespace manta::v1

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

TEST(SymbolsTest, TheVersionOfTheInterfaceIsNotSaid) {
  EXPECT_EQ(Demangled("_ZN5manta2v13GetERKNS0_9ObjectRefE"), "manta::Get(manta::ObjectRef const&)");
  EXPECT_EQ(Demangled(typeid(v1::WorkerCrashed).name()), "manta::WorkerCrashed");
}

TEST(SymbolsTest, TheInterfaceOfStringsIsNotSaid) {
  EXPECT_EQ(WithoutSignature(Demangled("_Z4NameB5cxx11i")), "Name");
}

}  // namespace
}  // namespace manta::stacks
