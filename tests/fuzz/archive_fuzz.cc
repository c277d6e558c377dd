// Values of user types, decoded from bytes. Input: one byte for the type, then the bytes.
#include <array>
#include <chrono>
#include <complex>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <variant>

#include "manta/archive.h"
#include "manta/manta.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

struct Point {
  double x, y;
};
struct Tree {
  int value;
  std::vector<Tree> children;
};
struct Chain {
  uint8_t value = 0;
  std::unique_ptr<Chain> next;
};
class Hooked {
 public:
  MANTA_DEFINE(first_, second_)
  Hooked() = default;
  Hooked(int first, std::string second) : first_(first), second_(std::move(second)) {}

 private:
  int first_ = 0;
  std::string second_;
};
struct Everything {
  bool flag;
  std::string text;
  std::u16string wide;
  std::vector<Point> points;
  std::vector<bool> bits;
  std::map<std::string, std::vector<int>> lists;
  std::unordered_map<int, std::optional<std::string>> table;
  std::variant<int, std::string, Tree> choice;
  std::tuple<char, std::pair<int, bool>, std::array<uint16_t, 3>> parts;
  std::set<int> numbers;
  std::list<std::deque<uint8_t>> queues;
  std::shared_ptr<Tree> tree;
  std::chrono::milliseconds time;
  std::vector<Hooked> hooked;
  char name[5];
};

Tree SomeTree() { return {1, {{2, {}}, {3, {{4, {}}, {5, {}}}}}}; }

Everything SomeOfEverything() {
  Everything e = {};
  e.flag = true;
  e.text = "text";
  e.wide = u"wide";
  e.points.resize(3);
  e.bits = {true, false, true};
  e.lists = {{"x", {1, 2}}, {"y", {}}};
  e.table = {{1, "one"}, {2, std::nullopt}};
  e.choice = SomeTree();
  e.parts = {'c', {7, true}, {{1, 2, 3}}};
  e.numbers = {3, 1, 2};
  e.queues = {{1, 2}, {}};
  e.tree = std::make_shared<Tree>(SomeTree());
  e.time = std::chrono::milliseconds(5);
  e.hooked.emplace_back(1, "a");
  return e;
}

Chain SomeChain() {
  Chain chain;
  chain.next = std::make_unique<Chain>();
  chain.next->next = std::make_unique<Chain>();
  return chain;
}

using Nested = std::vector<std::vector<std::optional<std::monostate>>>;
using Maps = std::map<int, std::map<std::string, std::complex<float>>>;
using Arrays = std::vector<manta::Array<double>>;

template <class T>
std::string Encoded(const T& value) {
  std::string bytes(manta::EncodedSize(value), '\0');
  manta::Encode(value, bytes.data(), bytes.size());
  return bytes;
}

// A value that was accepted can be written, and its bytes are accepted again. (They need not be the same: a set may have come with
// an element twice.)
template <class T>
void Decode(const manta::fuzz::Exact& bytes) {
  std::string again;
  try {
    again = Encoded(manta::Decode<T>(bytes.data(), bytes.size()));
  } catch (const manta::SerializationError&) {
    return;
  }
  manta::Decode<T>(again.data(), again.size());
}

}  // namespace

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  return {'\0' + Encoded(SomeOfEverything()),
          '\1' + Encoded(SomeTree()),
          '\2' + Encoded(SomeChain()),
          '\3' + Encoded(std::vector<std::string>{"a", "bc", std::string(300, 'd')}),
          '\4' + Encoded(std::vector<double>(40, 1.5)),
          '\5' + Encoded(Arrays{Array<double>({1, 2, 3}), Array<double>()}),
          '\6' + Encoded(Nested{{std::monostate(), {}}, {}}),
          '\7' + Encoded(Maps{{1, {{"a", {1, 2}}}}, {2, {}}})};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  manta::fuzz::Input input(data, size);
  const auto type = input.Take<uint8_t>() % 8;
  const manta::fuzz::Exact bytes(input.rest());
  switch (type) {
    case 0: Decode<Everything>(bytes); break;
    case 1: Decode<Tree>(bytes); break;
    case 2: Decode<Chain>(bytes); break;
    case 3: Decode<std::vector<std::string>>(bytes); break;
    case 4: Decode<std::vector<double>>(bytes); break;
    case 5: Decode<Arrays>(bytes); break;
    case 6: Decode<Nested>(bytes); break;
    default: Decode<Maps>(bytes);
  }
  return 0;
}
