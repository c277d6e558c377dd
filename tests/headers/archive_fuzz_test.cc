// Decoding bytes that are not a value: it either works or throws SerializationError, reads nothing
// beyond the end (the sanitizers watch), and takes memory in proportion to the bytes. The seeds are
// fixed; MANTA_FUZZ_ROUNDS makes it run longer.
#include <malloc.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "tests/headers/header_test.h"

// ---- Memory in use
// -------------------------------------------------------------------------------

namespace {
size_t memory_now = 0;
size_t memory_peak = 0;

void* Count(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  memory_now += malloc_usable_size(memory);
  if (memory_now > memory_peak) memory_peak = memory_now;
  return memory;
}
void CountFree(void* memory) {
  if (memory != nullptr) memory_now -= malloc_usable_size(memory);
  std::free(memory);
}
}  // namespace

void* operator new(size_t size) { return Count(std::malloc(size)); }
void* operator new(size_t size, std::align_val_t alignment) {
  const auto align = static_cast<size_t>(alignment);
  return Count(std::aligned_alloc(align, (size + align - 1) / align * align));
}
void operator delete(void* memory) noexcept { CountFree(memory); }
void operator delete(void* memory, size_t) noexcept { CountFree(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { CountFree(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { CountFree(memory); }

namespace {

// ---- Values
// --------------------------------------------------------------------------------------

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
struct Everything {
  bool flag;
  std::string text;
  std::u16string wide;
  std::vector<Point> points;
  std::vector<bool> bits;
  std::vector<std::string> words;
  std::map<std::string, std::vector<int>> lists;
  std::unordered_map<int, std::optional<std::string>> table;
  std::variant<int, std::string, Tree> choice;
  std::tuple<char, std::pair<int, bool>, std::array<uint16_t, 3>> parts;
  std::set<int> numbers;
  std::list<std::deque<uint8_t>> queues;
  std::shared_ptr<Tree> tree;
  std::chrono::milliseconds time;
  char name[5];
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
struct Nothing {};

Tree SomeTree() { return {1, {{2, {}}, {3, {{4, {}}, {5, {}}}}}}; }

Everything SomeOfEverything() {
  Everything e = {};
  e.flag = true;
  e.text = std::string(300, 't');
  e.wide = u"wide";
  e.points.resize(100);
  e.bits = {true, false, true};
  e.words = {"a", "", "long enough not to fit into the string itself"};
  e.lists = {{"x", {1, 2}}, {"y", {}}};
  e.table = {{1, "one"}, {2, std::nullopt}};
  e.choice = SomeTree();
  e.parts = {'c', {7, true}, {{1, 2, 3}}};
  e.numbers = {3, 1, 2};
  e.queues = {{1, 2}, {}};
  e.tree = std::make_shared<Tree>(SomeTree());
  e.time = std::chrono::milliseconds(5);
  return e;
}

Chain SomeChain() {
  Chain chain;
  Chain* last = &chain;
  for (int i = 0; i < 50; ++i) {
    last->next = std::make_unique<Chain>();
    last = last->next.get();
  }
  return chain;
}

// ---- Mutations
// -----------------------------------------------------------------------------------

using Random = std::mt19937_64;

size_t Below(Random& random, size_t limit) { return limit == 0 ? 0 : random() % limit; }

uint8_t InterestingByte(Random& random) {
  constexpr uint8_t kBytes[] = {0, 1, 2, 127, 128, 254, 255, 16, 64, 8};
  return random() % 2 == 0 ? kBytes[Below(random, sizeof(kBytes))] : static_cast<uint8_t>(random());
}

std::string Garbage(Random& random) {
  std::string bytes(Below(random, 400), '\0');
  for (char& byte : bytes) byte = static_cast<char>(InterestingByte(random));
  return bytes;
}

std::string Mutate(const std::string& valid, Random& random) {
  std::string bytes = valid;
  const size_t changes = 1 + Below(random, 4);
  for (size_t i = 0; i < changes; ++i) {
    const size_t at = Below(random, bytes.size());
    switch (random() % 5) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(at, std::string(1 + Below(random, 9), static_cast<char>(random())));
        break;
      case 2:
        bytes.erase(at, 1 + Below(random, 9));
        break;
      case 3:  // a count of 8 bytes
        bytes.insert(at, 1, '\xff');
        for (int k = 0; k < 8; ++k) {
          bytes.insert(at + 1, 1, random() % 3 == 0 ? static_cast<char>(random()) : '\0');
        }
        break;
      default:
        if (!bytes.empty()) bytes[at] = static_cast<char>(InterestingByte(random));
    }
  }
  return bytes;
}

// ---- The test
// ------------------------------------------------------------------------------------

int Rounds() {
  const char* text = std::getenv("MANTA_FUZZ_ROUNDS");
  return text != nullptr ? std::atoi(text) : 3000;
}

class ArchiveFuzz : public HeaderTest {
 protected:
  // Decodes a copy that ends where its memory ends. True if it was a valid value.
  template <class T>
  static bool TryDecode(const std::string& bytes) {
    const std::unique_ptr<char[]> exact(new char[bytes.size()]);
    bytes.copy(exact.get(), bytes.size());
    memory_peak = memory_now;
    const size_t before = memory_now;
    try {
      manta::Decode<T>(exact.get(), bytes.size(), manta_current());
      CheckMemory(bytes, before);
      return true;
    } catch (const manta::SerializationError&) {
      CheckMemory(bytes, before);
      return false;
    }
  }

  static void CheckMemory(const std::string& bytes, size_t before) {
    // One byte may stand for an element of a list, a map or a set of small values: 100 bytes in
    // memory. What is beside of that does not depend on the input.
    ASSERT_LE(memory_peak - before, 10000 + 200 * bytes.size()) << bytes.size();
  }

  template <class T>
  static void Fuzz(const T& value) {
    Random random(42);
    std::string valid(manta::EncodedSize(value), '\0');
    manta::Encode(value, &valid[0], valid.size());
    ASSERT_TRUE(TryDecode<T>(valid));
    int accepted = 0;
    for (int round = 0; round < Rounds() && !HasFatalFailure(); ++round) {
      accepted += TryDecode<T>(Mutate(valid, random)) ? 1 : 0;
      accepted += TryDecode<T>(Garbage(random)) ? 1 : 0;
    }
    RecordProperty("accepted", accepted);
  }
};

TEST_F(ArchiveFuzz, Everything) { Fuzz(SomeOfEverything()); }
TEST_F(ArchiveFuzz, Tree) { Fuzz(SomeTree()); }
TEST_F(ArchiveFuzz, Chain) { Fuzz(SomeChain()); }
TEST_F(ArchiveFuzz, Strings) { Fuzz(std::vector<std::string>{"a", "bc", std::string(1000, 'd')}); }
TEST_F(ArchiveFuzz, Numbers) { Fuzz(std::vector<double>(300, 1.5)); }
TEST_F(ArchiveFuzz, Hooks) { Fuzz(std::vector<Hooked>{{1, "a"}, {2, "b"}}); }
TEST_F(ArchiveFuzz, Arrays) {
  Fuzz(std::vector<manta::Array<double>>{manta::Array<double>({1, 2, 3}), manta::Array<double>()});
}
TEST_F(ArchiveFuzz, Nested) {
  Fuzz(std::vector<std::vector<std::vector<std::optional<Nothing>>>>{{{Nothing(), {}}, {}}, {}});
}
TEST_F(ArchiveFuzz, Maps) {
  Fuzz(std::map<int, std::map<std::string, bool>>{{1, {{"a", true}}}, {2, {}}});
}
TEST_F(ArchiveFuzz, References) {
  Fuzz(std::vector<manta::ObjectRef<int>>{manta::Put(1), {}, manta::Put(2)});
}
TEST_F(ArchiveFuzz, Handles) { Fuzz(std::vector<manta::ActorHandle<Point>>(3)); }

}  // namespace
