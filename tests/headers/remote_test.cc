// MANTA_REMOTE: what other languages get to know.
#include "manta/remote.h"

#include <map>
#include <string>
#include <vector>

#include "tests/headers/header_test.h"

namespace {

int Add(int a, const std::string& b) { return a + static_cast<int>(b.size()); }
[[maybe_unused]] int Pick(int x) { return x; }
int Pick(int x, int y) { return x + y; }
int* NotToTravel(int) { return nullptr; }

class Counter {
 public:
  static Counter* Create(int start) { return new Counter(start); }
  static std::unique_ptr<Counter> Make() { return std::unique_ptr<Counter>(new Counter(0)); }
  void Reset() { value_ = 0; }
  virtual double Scaled(double by) const { return value_ * by; }
  virtual ~Counter() = default;

 private:
  explicit Counter(int start) : value_(start) {}
  int value_;
};

MANTA_REMOTE(Add, Counter::Create, Counter::Make, &Counter::Reset, &Counter::Scaled, NotToTravel,
             manta::Overload<int(int, int)>(Pick));

const manta_named_function& Named(uint32_t index) {
  for (const manta_fake::NamedFunction& named : manta_fake::NamedFunctions()) {
    if (named.index == index) return named.function;
  }
  ADD_FAILURE() << "there is none with the index " << index;
  static const manta_named_function none = {};
  return none;
}

TEST(Remote, NamesFunctionsAsTheyStandInTheSource) {
  const std::string& names = manta_fake::NamedFunctions().at(0).names;
  EXPECT_TRUE(Contains(names, "Add, Counter::Create, Counter::Make, &Counter::Reset"));
  EXPECT_TRUE(Contains(names, "manta::Overload<int(int, int)>(Pick)"));
  EXPECT_EQ(manta_fake::NamedFunctions().size(), 7u);
}

TEST(Remote, SaysHowTheyAreCalled) {
  EXPECT_EQ(Named(0).kind, MANTA_NAMED_FUNCTION);
  EXPECT_EQ(Named(0).target, reinterpret_cast<const void*>(&Add));
  EXPECT_STREQ(Named(0).signature(), "(i4s)i4");
  EXPECT_EQ(Named(0).prefix_size, 0u);
  EXPECT_EQ(Named(1).kind, MANTA_NAMED_FACTORY);
  EXPECT_STREQ(Named(1).signature(), "(i4)e");
  EXPECT_EQ(Named(2).kind, MANTA_NAMED_FACTORY);
  EXPECT_EQ(Named(3).kind, MANTA_NAMED_METHOD);
  EXPECT_STREQ(Named(3).signature(), "()e");
  EXPECT_NE(Named(3).target, nullptr);
  EXPECT_EQ(Named(4).kind, MANTA_NAMED_METHOD);
  EXPECT_STREQ(Named(4).signature(), "(f8)f8");
  EXPECT_EQ(Named(4).target, nullptr) << "a virtual one is found by its object";
  EXPECT_EQ(Named(5).invoker, nullptr);
  EXPECT_STREQ(Named(6).signature(), "(i4i4)i4");
}

}  // namespace
