// What travels, and comes back as it was.
#include "manta/archive.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <complex>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "manta/manta.h"

namespace {

template <class T>
std::string Bytes(const T& value) {
  std::string bytes(manta::EncodedSize(value), '\0');
  manta::Encode(value, &bytes[0], bytes.size());
  return bytes;
}

template <class T>
T RoundTrip(const T& value) {
  const std::string bytes = Bytes(value);
  return manta::Decode<T>(bytes.data(), bytes.size());
}

template <class T>
void ExpectRoundTrip(const T& value) {
  EXPECT_EQ(RoundTrip(value), value);
}

// The message of the SerializationError that decoding throws.
template <class T>
std::string DecodeError(const std::string& bytes) {
  try {
    manta::Decode<T>(bytes.data(), bytes.size());
  } catch (const manta::SerializationError& error) {
    return error.what();
  }
  return "no error";
}

enum Plain { kPlainOne = 1 };
enum class Scoped : int8_t { kMinus = -5 };

TEST(Archive, Scalars) {
  ExpectRoundTrip(true);
  ExpectRoundTrip(false);
  ExpectRoundTrip('x');
  ExpectRoundTrip(int8_t{-1});
  ExpectRoundTrip(uint16_t{65535});
  ExpectRoundTrip(-123456789);
  ExpectRoundTrip(uint64_t{0xfedcba9876543210});
  ExpectRoundTrip(3.5f);
  ExpectRoundTrip(-1e300);
  ExpectRoundTrip(1.25L);
  ExpectRoundTrip(kPlainOne);
  ExpectRoundTrip(Scoped::kMinus);
  EXPECT_EQ(Bytes(int32_t{0x04030201}), std::string("\x01\x02\x03\x04"));
}

TEST(Archive, Strings) {
  ExpectRoundTrip(std::string());
  ExpectRoundTrip(std::string("a\0b", 3));
  ExpectRoundTrip(std::string(254, 'x'));
  ExpectRoundTrip(std::string(255, 'x'));
  ExpectRoundTrip(std::string(100000, 'x'));
  ExpectRoundTrip(std::u16string(u"abc"));
  ExpectRoundTrip(std::wstring(5000, L'w'));
  EXPECT_EQ(Bytes(std::string(254, 'x')).size(), 1u + 254);
  EXPECT_EQ(Bytes(std::string(255, 'x')).size(), 9u + 255);
}

TEST(Archive, Containers) {
  ExpectRoundTrip(std::vector<int>{});
  ExpectRoundTrip(std::vector<int>{1, 2, 3});
  ExpectRoundTrip(std::vector<double>(5000, 1.5));
  ExpectRoundTrip(std::vector<bool>{true, false, true});
  ExpectRoundTrip(std::vector<std::string>{"a", "", "ccc"});
  ExpectRoundTrip(std::vector<std::vector<int>>{{1}, {}, {2, 3}});
  ExpectRoundTrip(std::array<int, 3>{{1, 2, 3}});
  ExpectRoundTrip(std::array<std::string, 2>{{"a", "b"}});
  ExpectRoundTrip(std::array<int, 0>());
  ExpectRoundTrip(std::deque<int>{1, 2});
  ExpectRoundTrip(std::list<std::string>{"x", "y"});
  ExpectRoundTrip(std::set<int>{3, 1, 2});
  ExpectRoundTrip(std::multiset<int>{1, 1, 2});
  ExpectRoundTrip(std::unordered_set<std::string>{"a", "b"});
  ExpectRoundTrip(std::unordered_multiset<int>{1, 1});
  ExpectRoundTrip(std::map<std::string, int>{{"a", 1}, {"b", 2}});
  ExpectRoundTrip(std::multimap<int, int>{{1, 2}, {1, 3}});
  ExpectRoundTrip(std::unordered_map<int, std::vector<int>>{{1, {2, 3}}, {4, {}}});
  ExpectRoundTrip(std::unordered_multimap<int, int>{{1, 2}, {1, 3}});
}

TEST(Archive, ReadingReplacesWhatWasThere) {
  const std::string bytes = Bytes(std::map<int, int>{{1, 2}});
  std::map<int, int> value{{7, 8}, {1, 9}};
  manta::ReadArchive archive(bytes.data(), bytes.size());
  archive(value);
  EXPECT_EQ(value, (std::map<int, int>{{1, 2}}));
}

TEST(Archive, PairsTuplesOptionalsVariants) {
  ExpectRoundTrip(std::pair<int, std::string>(1, "x"));
  ExpectRoundTrip(std::tuple<>());
  ExpectRoundTrip(std::tuple<int, bool, std::string>(1, true, "x"));
  ExpectRoundTrip(std::optional<int>());
  ExpectRoundTrip(std::optional<std::string>("x"));
  ExpectRoundTrip(std::optional<std::optional<int>>(std::optional<int>()));
  ExpectRoundTrip(std::variant<int, std::string>(5));
  ExpectRoundTrip(std::variant<int, std::string>("x"));
  ExpectRoundTrip(std::variant<std::monostate, int>());
  ExpectRoundTrip(std::vector<std::monostate>(3));
}

TEST(Archive, DurationsComplexBitsets) {
  ExpectRoundTrip(std::chrono::milliseconds(5));
  ExpectRoundTrip(std::chrono::system_clock::now());
  ExpectRoundTrip(std::complex<double>(1, -2));
  ExpectRoundTrip(std::vector<std::complex<float>>{{1, 2}, {3, 4}});
  ExpectRoundTrip(std::bitset<70>(0x123456789abcdef0));
}

TEST(Archive, BitsetsIgnoreBitsBeyondTheirEnd) {
  std::string bytes = Bytes(std::bitset<3>(5));
  for (char& byte : bytes) byte = '\xff';
  const auto value = manta::Decode<std::bitset<3>>(bytes.data(), bytes.size());
  EXPECT_EQ(value, std::bitset<3>(7));
  EXPECT_EQ(value.count(), 3u);
}

TEST(Archive, OwningPointers) {
  EXPECT_EQ(*RoundTrip(std::make_unique<std::string>("x")), "x");
  EXPECT_EQ(RoundTrip(std::unique_ptr<int>()), nullptr);
  EXPECT_EQ(*RoundTrip(std::make_shared<int>(5)), 5);
  EXPECT_EQ(*RoundTrip(std::make_shared<const int>(5)), 5);
  EXPECT_EQ(RoundTrip(std::shared_ptr<int>()), nullptr);
}

// ---- Aggregates ---------------------------------------------------------------------------------

struct Empty {};
struct Point {
  double x, y;
};
struct Mixed {
  int number;
  std::string text;
  Point points[2];
  char name[8];
  Empty empty;
  std::array<int, 2> pair;
  std::optional<int> maybe;
  std::vector<Point> more;
  int matrix[2][3];
  bool flag;
};
struct TwentyFour {
  int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20,
      a21, a22;
  std::string last;
};
struct Tree {
  int value;
  std::vector<Tree> children;
};
struct Chain {
  int value = 0;
  std::unique_ptr<Chain> next;
};
struct WithDefaults {
  int a = 5;
  std::string b = "b";
};
struct BitFields {
  unsigned a : 3;
  unsigned b : 5;
};
struct LongText {
  char text[900];
  std::string more;
};
struct ConstMember {
  const int value = 3;
  int other = 4;
};
struct MoreThan24Numbers {
  int values[30];
  int a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z;
};
struct ExplicitDefault {
  explicit ExplicitDefault() = default;
  int value = 1;
};
struct HoldsExplicit {
  int first;
  std::string second;
};
union Either {
  int number;
  float real;
};
struct DerivedNumbers : Point {
  int z;
};

}  // namespace

template <>
struct manta::TravelsAsBytes<Either> : std::true_type {};

namespace {

TEST(Archive, CountsFields) {
  using manta::detail::CountFields;
  EXPECT_EQ(CountFields<Empty>(), 0u);
  EXPECT_EQ(CountFields<Point>(), 2u);
  EXPECT_EQ(CountFields<Mixed>(), 10u);
  EXPECT_EQ(CountFields<TwentyFour>(), 24u);
  EXPECT_EQ(CountFields<Tree>(), 2u);
  EXPECT_EQ(CountFields<Chain>(), 2u);
  EXPECT_EQ(CountFields<BitFields>(), 2u);
  EXPECT_EQ(CountFields<LongText>(), 2u);
}

TEST(Archive, Aggregates) {
  Mixed mixed = {1,   "two",    {{1, 2}, {3, 4}},       "name", {}, {{5, 6}},
                 {7}, {{8, 9}}, {{1, 2, 3}, {4, 5, 6}}, true};
  const Mixed copy = RoundTrip(mixed);
  EXPECT_EQ(copy.number, 1);
  EXPECT_EQ(copy.text, "two");
  EXPECT_EQ(copy.points[1].y, 4);
  EXPECT_STREQ(copy.name, "name");
  EXPECT_EQ(copy.pair[1], 6);
  EXPECT_EQ(copy.maybe, 7);
  EXPECT_EQ(copy.more.at(0).y, 9);
  EXPECT_EQ(copy.matrix[1][2], 6);
  EXPECT_TRUE(copy.flag);

  TwentyFour many = {};
  many.a22 = 22;
  many.last = "last";
  EXPECT_EQ(RoundTrip(many).a22, 22);
  EXPECT_EQ(RoundTrip(many).last, "last");

  const WithDefaults defaults = RoundTrip(WithDefaults{6, "c"});
  EXPECT_EQ(defaults.a, 6);
  EXPECT_EQ(defaults.b, "c");

  LongText text = {};
  text.text[899] = 'x';
  text.more = "more";
  EXPECT_EQ(RoundTrip(text).text[899], 'x');
  EXPECT_EQ(RoundTrip(text).more, "more");
}

TEST(Archive, TriviallyCopyableTypesAreCopiedAsMemory) {
  EXPECT_EQ(Bytes(Point{1, 2}).size(), sizeof(Point));
  EXPECT_EQ(Bytes(std::vector<Point>(10)).size(), 1 + 10 * sizeof(Point));
  EXPECT_TRUE(manta::detail::Codec<Point>::kIsBits);
  EXPECT_TRUE((manta::detail::Codec<std::array<Point, 3>>::kIsBits));
  BitFields fields = {5, 17};
  EXPECT_EQ(RoundTrip(fields).b, 17u);
  EXPECT_EQ(RoundTrip(ConstMember{8, 9}).value, 8);
  MoreThan24Numbers numbers = {};
  numbers.z = 26;
  EXPECT_EQ(RoundTrip(numbers).z, 26);
  Either either;
  either.number = 7;
  EXPECT_EQ(RoundTrip(either).number, 7);
  DerivedNumbers derived = {};
  derived.z = 8;
  EXPECT_EQ(RoundTrip(derived).z, 8);
}

// What only their codecs know: structured bindings name one field of an array.
struct HoldsArrays {
  int number;
  std::array<int, 5> numbers;
  std::array<std::array<double, 2>, 3> nested;
  std::pair<int, std::array<int, 2>> pair;
};
struct DerivedArrays : Point {
  std::array<int, 5> numbers;
  std::chrono::milliseconds time;
};

TEST(Archive, AggregatesHoldArrays) {
  HoldsArrays holds = {};
  holds.numbers[4] = 5;
  holds.nested[2][1] = 0.5;
  holds.pair.second[1] = 6;
  const HoldsArrays back = RoundTrip(holds);
  EXPECT_EQ(back.numbers[4], 5);
  EXPECT_EQ(back.nested[2][1], 0.5);
  EXPECT_EQ(back.pair.second[1], 6);
  DerivedArrays derived = {};
  derived.numbers[4] = 7;
  derived.time = std::chrono::milliseconds(8);
  EXPECT_EQ(RoundTrip(derived).numbers[4], 7);
  EXPECT_EQ(RoundTrip(derived).time.count(), 8);
}

TEST(Archive, EmptyTypesTakeNoSpaceExceptInContainers) {
  EXPECT_EQ(Bytes(Empty()).size(), 0u);
  EXPECT_EQ(Bytes(std::vector<Empty>(5)).size(), 1u + 5);
  EXPECT_EQ(RoundTrip(std::vector<Empty>(5)).size(), 5u);
}

TEST(Archive, RecursiveTypes) {
  const Tree tree = RoundTrip(Tree{1, {{2, {}}, {3, {{4, {}}}}}});
  EXPECT_EQ(tree.children.at(1).children.at(0).value, 4);
  Chain chain;
  chain.next = std::make_unique<Chain>();
  chain.next->value = 5;
  EXPECT_EQ(RoundTrip(chain).next->value, 5);
}

TEST(Archive, RefusesWhatWouldOverrunTheStack) {
  Chain chain;
  Chain* last = &chain;
  for (int i = 0; i < 2000; ++i) {
    last->next = std::make_unique<Chain>();
    last = last->next.get();
  }
  EXPECT_THROW(manta::EncodedSize(chain), manta::SerializationError);
  // 5 bytes each: value, and "there is another".
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += std::string("\0\0\0\0\1", 5);
  EXPECT_NE(DecodeError<Chain>(bytes).find("nested deeper than 1000"), std::string::npos);
}

// ---- Hooks --------------------------------------------------------------------------------------

class Account {
 public:
  Account() = default;
  Account(std::string owner, int balance) : owner_(std::move(owner)), balance_(balance) {}
  bool operator==(const Account& other) const {
    return owner_ == other.owner_ && balance_ == other.balance_;
  }
  MANTA_DEFINE(owner_, balance_)

 private:
  std::string owner_;
  int balance_ = 0;
};

class PrivateHook {
 public:
  explicit PrivateHook(int value) : value_(value) {}
  int value() const { return value_; }

 private:
  friend struct manta::Access;
  PrivateHook() = default;
  int value_ = 0;
  MANTA_DEFINE(value_)
};

struct AsInRay {
  int a = 0;
  std::string b;
  MSGPACK_DEFINE(a, b)
};

class OneFunction {
 public:
  int doubled = 0;
  template <class Archive>
  void Serialize(Archive& archive) {
    int half = doubled / 2;
    archive(half);
    if (Archive::kReading) doubled = half * 2;
  }
};

// A hook wins over copying the memory.
struct Counted {
  int value = 0;
  int not_sent = 0;
  template <class Archive>
  void Serialize(Archive& archive) {
    archive(value);
  }
};
struct HoldsCounted {
  Counted counted;
  int other = 0;
};

class NothingToSay {
 public:
  template <class Archive>
  void Serialize(Archive&) {}
};

TEST(Archive, MemberHooks) {
  ExpectRoundTrip(Account("me", 100));
  ExpectRoundTrip(std::vector<Account>{{"a", 1}, {"b", 2}});
  EXPECT_EQ(RoundTrip(PrivateHook(5)).value(), 5);
  std::vector<PrivateHook> hooks(3, PrivateHook(6));
  EXPECT_EQ(RoundTrip(hooks).at(2).value(), 6);
  EXPECT_EQ(RoundTrip(std::optional<PrivateHook>(PrivateHook(7)))->value(), 7);
  AsInRay as_in_ray;
  as_in_ray.b = "b";
  EXPECT_EQ(RoundTrip(as_in_ray).b, "b");
  OneFunction function;
  function.doubled = 10;
  EXPECT_EQ(Bytes(function).size(), sizeof(int));
  EXPECT_EQ(RoundTrip(function).doubled, 10);
  HoldsCounted holds;
  holds.counted.value = 1;
  holds.counted.not_sent = 2;
  EXPECT_EQ(RoundTrip(holds).counted.value, 1);
  EXPECT_EQ(RoundTrip(holds).counted.not_sent, 0);
  EXPECT_EQ(RoundTrip(std::vector<NothingToSay>(3)).size(), 3u);
}

struct InheritsAll : Account {
  using Account::Account;
};
TEST(Archive, InheritedHooksServeClassesThatAddNothing) {
  ExpectRoundTrip(InheritsAll("me", 1));
  EXPECT_TRUE(manta::detail::kCanTravel<InheritsAll>);
}

}  // namespace

namespace elsewhere {
class Foreign {
 public:
  int secret() const { return secret_; }
  void set_secret(int secret) { secret_ = secret; }

 private:
  int secret_ = 0;
  std::string padding_;
};
template <class Archive>
void Serialize(Archive& archive, Foreign& foreign) {
  int secret = foreign.secret();
  archive(secret);
  foreign.set_secret(secret);
}
}  // namespace elsewhere

namespace {

TEST(Archive, FreeHooks) {
  elsewhere::Foreign foreign;
  foreign.set_secret(42);
  EXPECT_EQ(RoundTrip(foreign).secret(), 42);
  EXPECT_EQ(RoundTrip(std::map<int, elsewhere::Foreign>{{1, foreign}}).at(1).secret(), 42);
}

struct Unsteady {
  mutable int calls = 0;
  template <class Archive>
  void Serialize(Archive& archive) {
    ++calls;
    for (int i = 0; i < calls; ++i) archive(calls);
  }
};
struct Shrinking {
  mutable int calls = 0;
  template <class Archive>
  void Serialize(Archive& archive) {
    if (calls++ == 0) archive(calls);
  }
};
TEST(Archive, NoticesValuesThatChangeWhileTheyAreWritten) {
  EXPECT_THROW(Bytes(Unsteady()), manta::SerializationError);
  EXPECT_THROW(Bytes(Shrinking()), manta::SerializationError);
}

struct Valueless {
  Valueless() = default;
  explicit Valueless(int) { throw 1; }
  std::string text;
  MANTA_DEFINE(text)
};
TEST(Archive, AVariantWithoutValueIsRefused) {
  std::variant<int, Valueless> value;
  EXPECT_THROW(value.emplace<1>(1), int);
  ASSERT_TRUE(value.valueless_by_exception());
  EXPECT_THROW(manta::EncodedSize(value), manta::SerializationError);
}

// ---- Bytes that are not a value -----------------------------------------------------------------

TEST(Archive, TruncatedValuesAreRefused) {
  const std::string bytes = Bytes(std::tuple<int, std::string, std::vector<double>>(1, "abc", {1}));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    const std::string error = DecodeError<std::tuple<int, std::string, std::vector<double>>>(part);
    EXPECT_NE(error.find("not a valid value"), std::string::npos) << size << ": " << error;
  }
}

TEST(Archive, BytesLeftOverAreRefused) {
  EXPECT_NE(DecodeError<int>(std::string(8, 'x')).find("4 bytes are left over"), std::string::npos);
}

TEST(Archive, CountsThatTheBytesCannotHoldAreRefused) {
  const std::string huge = '\xff' + std::string(8, '\x7f') + "abc";
  EXPECT_NE(DecodeError<std::string>(huge).find("claims"), std::string::npos);
  EXPECT_NE(DecodeError<std::vector<int>>(huge).find("claims"), std::string::npos);
  EXPECT_NE(DecodeError<std::vector<Empty>>(huge).find("claims"), std::string::npos);
  EXPECT_NE(DecodeError<std::vector<NothingToSay>>(huge).find("claims"), std::string::npos);
  EXPECT_NE(DecodeError<std::vector<std::string>>(huge).find("claims"), std::string::npos);
  using Map = std::map<int, int>;
  EXPECT_NE(DecodeError<Map>(huge).find("claims"), std::string::npos);
  EXPECT_NE(DecodeError<std::vector<bool>>(huge).find("claims"), std::string::npos);
  EXPECT_NE(DecodeError<std::list<std::tuple<>>>(huge).find("claims"), std::string::npos);
}

TEST(Archive, WrongAlternativesAreRefused) {
  using Variant = std::variant<int, double>;
  EXPECT_NE(DecodeError<Variant>(std::string("\x02") + std::string(8, 'x')).find("alternative"),
            std::string::npos);
}

TEST(Archive, BoolsAreZeroOrOneWhateverTheByte) {
  const bool value = manta::Decode<bool>("\x7f", 1);
  EXPECT_TRUE(value);
  unsigned char byte;
  std::memcpy(&byte, &value, 1);
  EXPECT_EQ(byte, 1);
}

TEST(Archive, ReferencesNeedARuntime) {
  const std::string bytes(16, '\1');
  EXPECT_NE(DecodeError<manta::ObjectRef<int>>(bytes).find("no runtime"), std::string::npos);
  EXPECT_TRUE(manta::Decode<manta::ObjectRef<int>>(std::string(16, '\0').data(), 16).IsNil());
}

// ---- What is refused at compile time (the texts are tested by compile_errors) -------------------

struct HasPointer {
  int a;
  const char* b;
};
struct DeepPointer {
  std::vector<std::map<int, std::optional<HasPointer>>> all;
};
struct HasReference {
  int& reference;
};
struct Base {
  int a;
};
struct Derived : Base {
  std::string b;
};
struct DerivedPointer : Base {
  const char* text;
};
struct Pointer25th {
  int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, a19, a20, a21, a22, a23;
  const char* text;
};
union NumberOrPointer {
  int number;
  const char* text;
};
struct HoldsUnion {
  int which;
  NumberOrPointer value;
};
class Secretive {
 public:
  Secretive() {}

 private:
  std::string text_;
};
struct Virtual {
  virtual ~Virtual() = default;
};
struct ExtendsHook : Account {
  int more = 0;
};
class NoDefault {
 public:
  explicit NoDefault(int value) : value_(value) {}
  MANTA_DEFINE(value_)

 private:
  int value_;
};
// A view like std::span, which C++17 lacks.
struct Span {
  Span() : data_(nullptr), size_(0) {}
  int* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  int* data_;
  size_t size_;
};
struct Letter {
  char text[2048];
  int length;
};
struct LetterFrom {
  char text[2048];
  const char* sender;
};
class Watches {
 public:
  Watches() = default;
  explicit Watches(const std::vector<int>& numbers) : numbers_(&numbers) {}

 private:
  const std::vector<int>* numbers_ = nullptr;
};
template <class T>
constexpr manta::detail::Problem ProblemOf() {
  return manta::detail::DiagnosisOf<T>::kProblem;
}

TEST(Archive, KnowsWhatCannotTravel) {
  using manta::detail::Problem;
  EXPECT_EQ(ProblemOf<int*>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<void (*)()>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<int Base::*>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<std::nullptr_t>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<HasPointer>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<DeepPointer>(), Problem::kPointer);
  EXPECT_TRUE((std::is_same_v<manta::detail::DiagnosisOf<DeepPointer>::Culprit, const char*>));
  EXPECT_EQ(ProblemOf<std::vector<void*>>(), Problem::kPointer);
  EXPECT_EQ((ProblemOf<std::pair<int, int&>>()), Problem::kReference);
  EXPECT_NE(ProblemOf<HasReference>(), Problem::kNone);
  EXPECT_EQ(ProblemOf<std::reference_wrapper<int>>(), Problem::kReference);
  EXPECT_EQ(ProblemOf<std::string_view>(), Problem::kView);
  EXPECT_EQ(ProblemOf<Span>(), Problem::kView);
  EXPECT_EQ(ProblemOf<std::vector<int>::iterator>(), Problem::kIterator);
  EXPECT_EQ(ProblemOf<LetterFrom>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<Letter>(), Problem::kNone);
  EXPECT_EQ(ProblemOf<Derived>(), Problem::kBaseClass);
  EXPECT_EQ(ProblemOf<DerivedPointer>(), Problem::kBaseClass);
  EXPECT_EQ(ProblemOf<Pointer25th>(), Problem::kTooManyFields);
  EXPECT_EQ(ProblemOf<NumberOrPointer>(), Problem::kUnion);
  EXPECT_EQ(ProblemOf<HoldsUnion>(), Problem::kUnion);
  EXPECT_EQ(ProblemOf<Secretive>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<Virtual>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<Watches>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<std::initializer_list<int>>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<std::thread::id>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<std::function<void()>>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<std::atomic<int>>(), Problem::kUnknownClass);
  EXPECT_EQ(ProblemOf<std::unique_ptr<Virtual>>(), Problem::kPolymorphicPointer);
  EXPECT_EQ(ProblemOf<std::unique_ptr<int[]>>(), Problem::kArrayPointer);
  EXPECT_EQ(ProblemOf<std::shared_ptr<void>>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<ExtendsHook>(), Problem::kInheritedHook);
  EXPECT_EQ(ProblemOf<NoDefault>(), Problem::kNoDefaultConstructor);
  EXPECT_EQ((ProblemOf<std::map<int, NoDefault>>()), Problem::kNoDefaultConstructor);
  EXPECT_EQ(ProblemOf<manta::Array<HasPointer>>(), Problem::kPointer);
  EXPECT_EQ(ProblemOf<Tree>(), Problem::kNone);
  EXPECT_EQ(ProblemOf<Mixed>(), Problem::kNone);
  EXPECT_EQ(ProblemOf<std::complex<float>>(), Problem::kNone);
  EXPECT_EQ(ProblemOf<std::chrono::milliseconds>(), Problem::kNone);
  EXPECT_EQ(ProblemOf<std::vector<std::chrono::steady_clock::time_point>>(), Problem::kNone);
}

}  // namespace
