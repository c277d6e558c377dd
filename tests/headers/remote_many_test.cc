// RemoteMany: as many results as the caller asks for when it runs.
#include <stdexcept>
#include <string>
#include <vector>

#include "manta/actor.h"
#include "manta/task.h"
#include "tests/headers/header_test.h"

namespace {

using manta::ObjectRef;
using manta::Task;
using RemoteManyTest = HeaderTest;

std::vector<std::string> Split(const std::string& text, size_t parts) {
  std::vector<std::string> result;
  for (size_t i = 0; i < parts; ++i) result.push_back(text + std::to_string(i));
  return result;
}
std::string Twice(const std::string& text) { return text + text; }
std::vector<bool> Flags(bool first, bool second) { return {first, second}; }
std::vector<int> Throws() { throw std::out_of_range("none"); }

class Dealer {
 public:
  std::vector<int> Deal(int hands) {
    std::vector<int> cards;
    for (int i = 0; i < hands; ++i) cards.push_back(next_++);
    return cards;
  }

 private:
  int next_ = 0;
};

TEST_F(RemoteManyTest, EachElementIsAnObject) {
  for (const size_t count : {1u, 2u, 3000u}) {
    const auto parts = Task(Split).RemoteMany(count, "p", count);
    static_assert(std::is_same_v<decltype(parts), const std::vector<ObjectRef<std::string>>>);
    ASSERT_EQ(parts.size(), count);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(*parts[i].Get(), "p" + std::to_string(i));
  }
  const auto parts = Task(Split).RemoteMany(2, "p", 2u);
  EXPECT_EQ(*Task(Twice).Remote(parts[1]).Get(), "p1p1");
  // The same function as one result.
  EXPECT_EQ(Task(Split).Remote("p", 2u).Get()->size(), 2u);
}

TEST_F(RemoteManyTest, NoResultAtAll) {
  EXPECT_TRUE(Task(Split).RemoteMany(0, "p", 0u).empty());
}

TEST_F(RemoteManyTest, VectorsOfBool) {
  const auto flags = Task(Flags).RemoteMany(2, false, true);
  EXPECT_FALSE(*flags[0].Get());
  EXPECT_TRUE(*flags[1].Get());
}

TEST_F(RemoteManyTest, AnotherNumberThanExpectedFailsAll) {
  for (const auto& part : Task(Split).RemoteMany(3, "p", 2u)) {
    const std::string message = MessageOf<manta::TaskError>([&] { part.Get(); });
    EXPECT_TRUE(Contains(message, "expect 3 results, but the function returned 2"));
  }
}

TEST_F(RemoteManyTest, AnExceptionFailsAll) {
  for (const auto& part : Task(Throws).RemoteMany(2)) EXPECT_THROW(part.Get(), std::out_of_range);
}

TEST_F(RemoteManyTest, NoRoomForOneFailsAll) {
  manta_fake::FailNext("allocate_result", MANTA_ERROR_OBJECT_STORE_FULL, "full");
  for (const auto& part : Task(Split).RemoteMany(2, "p", 2u)) {
    EXPECT_THROW(part.Get(), manta::ObjectStoreFullError);
  }
}

TEST_F(RemoteManyTest, TooManyAreRefused) {
  const std::string message = MessageOf<manta::InvalidArgumentError>(
      [] { Task(Split).RemoteMany(65536, "p", 65536u); });
  EXPECT_TRUE(Contains(message, "at most 65535 results, not 65536"));
}

TEST_F(RemoteManyTest, Methods) {
  const auto dealer = manta::Actor<Dealer>().Remote();
  const auto first = dealer.Task(&Dealer::Deal).RemoteMany(2, 2);
  const auto second = dealer.Task(&Dealer::Deal).RemoteMany(3, 3);
  static_assert(std::is_same_v<decltype(first), const std::vector<ObjectRef<int>>>);
  EXPECT_EQ(*first[1].Get(), 1);
  EXPECT_EQ(*second[2].Get(), 4);
}

}  // namespace
