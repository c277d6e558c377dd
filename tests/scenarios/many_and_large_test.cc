// More than usual, and larger: what has to go another way than the quick one, or is bounded somewhere.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

using Text = std::string;
using Texts = std::vector<manta::ObjectRef<Text>>;

class ManyAndLarge : public ConnectedTest {
 protected:
  static Texts PutTexts(int count, size_t bytes) {
    Texts texts;
    for (int i = 0; i < count; ++i) texts.push_back(manta::Put(Text(bytes, 'x')));
    return texts;
  }
};

size_t Total(const Texts& texts) {
  size_t bytes = 0;
  for (const auto& text : manta::Get(texts)) bytes += text->size();
  return bytes;
}
size_t TotalOfAll(const std::vector<manta::ObjectRef<Texts>>& lists) {
  size_t bytes = 0;
  for (const auto& list : manta::Get(lists)) bytes += Total(*list);
  return bytes;
}
Texts Make(int count) {
  Texts texts;
  for (int i = 0; i < count; ++i) texts.push_back(manta::Put(Text(10, 'y')));
  return texts;
}

class Reader {
 public:
  size_t Total(const Texts& texts) { return manta_test::Total(texts); }
  size_t Sum(Text a, Text b, Text c, Text d, Text e, Text f, Text g, Text h, Text i) {
    return a.size() + b.size() + c.size() + d.size() + e.size() + f.size() + g.size() + h.size() + i.size();
  }
  int Add(int x) { return sum_ += x; }

 private:
  int sum_ = 0;
};

// The worker has to learn of the references in the value of an argument as of those in the argument itself.
TEST_F(ManyAndLarge, ReferencesInsideOfAnArgumentThatIsAnObject) {
  const Texts texts = PutTexts(10, 10);
  const auto put = manta::Put(texts);
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(put)), 100u);
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(put)), 100u) << "again";
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(manta::Put(PutTexts(10, 10)))), 100u) << "held by nobody else";
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(manta::Task(Make).Remote(10))), 100u) << "a result";
  EXPECT_EQ(*manta::Get(manta::Task(TotalOfAll).Remote(std::vector{put, manta::Task(Make).Remote(3)})), 130u);
  const auto reader = manta::Actor<Reader>().Remote();
  EXPECT_EQ(*manta::Get(reader.Task(&Reader::Total).Remote(put)), 100u);
  EXPECT_EQ(*manta::Get(reader.Task(&Reader::Total).Remote(manta::Task(Make).Remote(10))), 100u);
}

// Too many to stand in the task's arguments.
TEST_F(ManyAndLarge, ReferencesInOneArgument) {
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(PutTexts(20'000, 10))), 200'000u);
}

TEST_F(ManyAndLarge, BorrowedValuesInOneGet) {
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(PutTexts(400, 60'000))), 24'000'000u);
}

TEST_F(ManyAndLarge, BorrowedLargeObjectsInOneGet) {
  EXPECT_EQ(*manta::Get(manta::Task(Total).Remote(PutTexts(1'000, 70'000))), 70'000'000u);
}

TEST_F(ManyAndLarge, ArgumentsOfACallOfAnActor) {
  const auto reader = manta::Actor<Reader>().Remote();
  const auto before = reader.Task(&Reader::Add).Remote(1);
  const Text text(60'000, 'x');
  const auto large = reader.Task(&Reader::Sum).Remote(text, text, text, text, text, text, text, text, text);
  const auto behind = reader.Task(&Reader::Add).Remote(2);
  EXPECT_EQ(*manta::Get(before), 1);
  EXPECT_EQ(*manta::Get(large), 540'000u);
  EXPECT_EQ(*manta::Get(behind), 3);
  const auto again = reader.Task(&Reader::Sum).Remote(manta::Put(text), text, text, text, text, text, text, text, text);
  EXPECT_EQ(*manta::Get(again), 540'000u);
}

// Ends its worker the first time.
size_t Stumble(const Text& path, Text a, Text b, Text c, Text d, Text e, Text f, Text g, Text h, const Texts& inside) {
  if (std::ofstream(path, std::ios::app).tellp() == 0) {
    std::ofstream(path) << "was here";
    _exit(1);
  }
  return a.size() + b.size() + c.size() + d.size() + e.size() + f.size() + g.size() + h.size() + inside[0].Get()->size();
}

TEST_F(ManyAndLarge, ArgumentsOfATaskThatIsTriedAgain) {
  // Eight of these in a task's own arguments would be too many: they are objects that travel with it.
  const auto text = manta::Put(Text(60'000, 'x'));
  const Text path = Sessions().front() + "/logs/stumbled.log";
  const auto task =
      manta::Task(Stumble).Remote(path, text, text, text, text, text, text, text, text, PutTexts(1, 1));
  EXPECT_EQ(*manta::Get(task), 480'001u);
}

// Shutdown ends what other threads wait for.
TEST_F(ManyAndLarge, APutThatWaitsForSpaceEndsWithShutdown) {
  manta::Shutdown();
  manta::Config config;
  config.object_store_bytes = 128 << 20;
  manta::Init(config);
  auto held = manta::Put(Text(100 << 20, 'x'));
  std::string message;
  const Text more(60 << 20, 'y');
  std::thread waits([&] { message = MessageOf<manta::NotInitializedError>([&] { manta::Put(more); }); });
  std::this_thread::sleep_for(100ms);
  manta::Shutdown();
  waits.join();
  EXPECT_NE(message.find("was shut down"), std::string::npos) << message;
  held = {};
  manta::Shutdown();  // of the last that anybody held
}

// Workers that die give back what their channels took, and so do actors.
TEST_F(ManyAndLarge, ChannelsOfTheDeadAreGivenBack) {
  const auto channels = [] {
    const std::string status = RunProgram({std::getenv("MANTA_EXECUTABLE"), "status", "--json"}).out;
    const std::string key = "\"channels\":{\"count\":";
    const size_t at = status.find(key);
    return at == std::string::npos ? -1 : std::atoi(status.c_str() + at + key.size());
  };
  for (int i = 0; i < 50; ++i) {
    const auto reader = manta::Actor<Reader>().Remote();
    EXPECT_EQ(*manta::Get(reader.Task(&Reader::Add).Remote(i)), i);
  }
  EXPECT_TRUE(Eventually(5s, [&] { return channels() >= 0 && channels() <= 8; })) << channels();
}

TEST_F(ManyAndLarge, WhoWritesIntoAViewLeavesTheObjectAsItIs) {
  const auto bytes_of = [](const manta::ObjectRef<Text>& text) {
    manta_bytes bytes;
    manta_ref* const ref = text.handle();
    EXPECT_EQ(manta_get(manta_current(), &ref, 1, -1, &bytes), nullptr);
    return bytes;
  };
  const auto view_of = [](const manta::ObjectRef<Text>& text, const manta_bytes& bytes) {
    void* view = &view;
    EXPECT_EQ(manta_copy_on_write(text.handle(), bytes.data, bytes.size, &view), nullptr);
    return static_cast<char*>(view);
  };
  const auto text = manta::Put(Text(1 << 20, 'x'));
  const manta_bytes bytes = bytes_of(text);
  char* const one = view_of(text, bytes);
  char* const other = view_of(text, bytes);
  ASSERT_NE(one, nullptr);
  const size_t last = bytes.size - 1;
  one[last] = 'y';
  EXPECT_EQ(one[last - 1], 'x');
  EXPECT_EQ(other[last], 'x');
  EXPECT_EQ(*text.Get(), Text(1 << 20, 'x'));
  manta_copy_on_write_end(one, bytes.size);
  manta_copy_on_write_end(other, bytes.size);

  const auto small = manta::Put(Text(100, 'x'));
  EXPECT_EQ(view_of(small, bytes_of(small)), nullptr) << "it is not in shared memory";
}

// As when a hook throws while it writes.
TEST_F(ManyAndLarge, APutThatIsGivenUpLeavesNothing) {
  for (const size_t size : {size_t{10}, size_t{1'000}, size_t{128} << 20}) {
    for (int i = 0; i < 100; ++i) {
      void* data = nullptr;
      manta_ref* object = nullptr;
      manta_error* error = manta_put_begin(manta_current(), size, nullptr, 0, nullptr, &data, &object);
      ASSERT_EQ(error, nullptr) << manta_error_message(error);
      manta_ref_release(object);
    }
  }
}

}  // namespace
}  // namespace manta_test
