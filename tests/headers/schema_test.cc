// The descriptions of archives, which other languages write and read by.
#include "manta/detail/schema.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "manta/actor.h"

namespace {

using manta::detail::SchemaOf;

enum class Color : int16_t { kRed };
struct Empty {};
struct Size {
  int8_t width;
  double height;
};
struct Person {
  std::string name;
  std::vector<Size> sizes;
};
class Hooked {
 public:
  MANTA_DEFINE(number_, text_)

 private:
  int number_ = 0;
  std::string text_;
};
struct Tree {
  std::string name;
  std::vector<Tree> children;
};

TEST(Schema, OfNumbersAndText) {
  EXPECT_EQ(SchemaOf<bool>(), "?");
  EXPECT_EQ(SchemaOf<int8_t>() + SchemaOf<int16_t>() + SchemaOf<int>() + SchemaOf<int64_t>(), "i1i2i4i8");
  EXPECT_EQ(SchemaOf<uint8_t>() + SchemaOf<uint64_t>(), "u1u8");
  EXPECT_EQ(SchemaOf<float>() + SchemaOf<double>(), "f4f8");
  EXPECT_EQ(SchemaOf<Color>(), "i2");
  EXPECT_EQ(SchemaOf<std::string>(), "s");
  EXPECT_EQ(SchemaOf<const std::string>(), "s");
  EXPECT_EQ(SchemaOf<void>(), "e");
}

TEST(Schema, OfContainers) {
  EXPECT_EQ(SchemaOf<std::vector<char>>(), "b");
  EXPECT_EQ(SchemaOf<std::vector<uint8_t>>(), "b");
  EXPECT_EQ(SchemaOf<std::vector<int>>(), "v4:i4");
  EXPECT_EQ(SchemaOf<std::vector<bool>>(), "l?");
  EXPECT_EQ(SchemaOf<std::vector<std::string>>(), "ls");
  EXPECT_EQ(SchemaOf<std::vector<Empty>>(), "l~e");
  EXPECT_EQ(SchemaOf<std::deque<int>>() + SchemaOf<std::list<int>>() + SchemaOf<std::set<int>>(), "li4li4li4");
  EXPECT_EQ((SchemaOf<std::map<std::string, std::vector<double>>>()), "msv8:f8");
  EXPECT_EQ((SchemaOf<std::array<int, 3>>()), "a3:i4");
  EXPECT_EQ((SchemaOf<std::array<int, 0>>()), "()");
  EXPECT_EQ(SchemaOf<std::optional<int>>() + SchemaOf<std::unique_ptr<int>>(), "oi4oi4");
  EXPECT_EQ((SchemaOf<std::tuple<int, std::string>>()), "(i4s)");
  EXPECT_EQ(SchemaOf<manta::Array<float>>(), "Vf4");
}

TEST(Schema, OfClasses) {
  EXPECT_EQ(SchemaOf<Empty>(), "e");
  EXPECT_EQ(SchemaOf<Size>(), "B16{0:i18:f8}");
  EXPECT_EQ(SchemaOf<Person>(), "(sv8:B16{0:i18:f8})");
  EXPECT_EQ(SchemaOf<Hooked>(), "(i4s)");
}

TEST(Schema, SaysWhatHasNoDescription) {
  EXPECT_EQ((SchemaOf<std::variant<int, bool>>()), "!std::variant<int, bool>;");
  EXPECT_EQ(SchemaOf<manta::ObjectRef<int>>().front(), '!');
  EXPECT_EQ(SchemaOf<long double>().front(), '!');
  EXPECT_NE(SchemaOf<Tree>().find("!a type that holds itself;"), std::string::npos);
}

}  // namespace
