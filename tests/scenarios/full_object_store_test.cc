// A full object store: what needs no room there goes its way, and what does says so without holding others up.
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/cluster_test.h"
#include "tests/support/timeline.h"

namespace manta_test {
namespace {

using Text = std::string;
using Texts = std::vector<manta::ObjectRef<Text>>;

Text Letters(int count) { return Text(static_cast<size_t>(count), 'a'); }
std::tuple<Text, Text, Text> ThreeTimes(int count) { return {Letters(count), Letters(count), Letters(count)}; }
double Room() { return manta::AvailableResources()["object_store_memory"]; }
void Throw(int count) { throw std::runtime_error(Letters(count)); }

std::string PutOrSayWhyNot(int count) {
  try {
    manta::Put(Letters(count));
    return "there was room";
  } catch (const manta::TaskCancelledError&) {
    return "cancelled";
  } catch (const manta::ObjectStoreFullError&) {
    return "full";
  }
}

class Writer {
 public:
  Text Write(int count) { return Letters(count); }
  std::tuple<Text, Text, Text> WriteThreeTimes(int count) { return ThreeTimes(count); }
  void Fail(int count) { Throw(count); }
  int One() { return 1; }

  int FillUp() {
    while (Room() >= 1.5 * 100'000) made_.push_back(manta::Put(Letters(100'000)));
    return static_cast<int>(made_.size());
  }
  std::vector<std::pair<Text, Texts>> WriteWithReferences(int parts, Texts kept) {
    kept_ = kept;
    return std::vector(static_cast<size_t>(parts), std::pair(Letters(60'000), std::exchange(made_, {})));
  }
  int KeepAndFillUp(Texts texts) {
    kept_ = std::move(texts);
    FillUp();
    return static_cast<int>(kept_.size());
  }
  Text ReadKept() { return *kept_.at(0).Get(10s); }

 private:
  Texts made_, kept_;
};

class FullObjectStore : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    manta::Config config;
    config.num_cpus = 2;
    config.object_store_bytes = 64 << 20;
    manta::Init(config);
    Fill();
  }
  void TearDown() override {
    held_.clear();
    ClusterTest::TearDown();
  }

  void Fill() {
    for (int bytes = 1 << 20; bytes > 64 << 10; bytes /= 2) {
      while (Room() >= 1.5 * bytes) held_.push_back(manta::Put(Letters(bytes)));
    }
  }
  static manta::ActorHandle<Writer> Start(int threads) {
    auto writer = manta::Actor<Writer>().SetMaxConcurrency(threads).Remote();
    EXPECT_EQ(*writer.Task(&Writer::One).Remote().Get(), 1);
    return writer;
  }
  // `count` of the largest of those that fill it.
  void MakeRoom(int count) { held_.erase(held_.begin(), held_.begin() + count); }

  Texts held_;
};

// Far more than the ring between two processes holds at once.
TEST_F(FullObjectStore, HoldsUpNoResultThatTravelsByCopy) {
  LimitTime(30s);
  for (const int threads : {1, 4}) {
    auto writer = Start(threads);
    Texts texts;
    for (int i = 0; i < 300; ++i) texts.push_back(writer.Task(&Writer::Write).Remote(60'000));
    EXPECT_EQ(*writer.Task(&Writer::One).Remote().Get(), 1);
    for (const auto& text : texts) EXPECT_EQ(text.Get()->size(), 60'000u);
  }
  Texts texts;
  for (int i = 0; i < 3'000; ++i) texts.push_back(manta::Task(Letters).Remote(60'000));
  for (const auto& text : texts) EXPECT_EQ(text.Get()->size(), 60'000u);
}

TEST_F(FullObjectStore, TakesNoErrorsPlace) {
  LimitTime(60s);
  auto writer = Start(1);
  for (const int count : {1'000, 33'000, 500'000}) {
    const std::string message = MessageOf<manta::TaskError>([&] { writer.Task(&Writer::Fail).Remote(count).Get(); });
    EXPECT_NE(message.find("std::runtime_error"), std::string::npos) << count << ": " << message.substr(0, 200);
    EXPECT_NE(message.find("aaaa"), std::string::npos) << count << ": " << message.substr(0, 200);
  }
}

TEST_F(FullObjectStore, RefusesWhatFitsNowhereElseAndHoldsUpNobodyMeanwhile) {
  LimitTime(60s);
  auto writer = Start(4);
  const auto three = writer.Task(&Writer::WriteThreeTimes).RemoteMulti(60'000);
  const auto& first = std::get<0>(three);
  std::this_thread::sleep_for(100ms);  // for its thread to ask for room
  EXPECT_EQ(*writer.Task(&Writer::One).Remote().Get(), 1);
  EXPECT_TRUE(manta::Wait(std::vector{first}, 1, 0).ready.empty()) << "nobody was to wait until it is refused";
  const std::string status = RunManta({"status"}).out;
  EXPECT_NE(status.find("wants 0.2 MiB: the object store is full"), std::string::npos) << status;
  EXPECT_NE(status.find("refused after 10 s"), std::string::npos) << status;
  EXPECT_NE(MessageOf<manta::ObjectStoreFullError>([&] { first.Get(); }).find("no room"), std::string::npos);
}

// The room that comes when nobody waits for it any more is nobody's.
TEST_F(FullObjectStore, LetsGoOfPutsThatAreGivenUp) {
  LimitTime(60s);
  const double before = Room();
  const auto cancelled = manta::Task(PutOrSayWhyNot).Remote(1 << 20);
  EXPECT_TRUE(Eventually(8s, [] { return RunManta({"status"}).out.find("wants 1.0 MiB") != std::string::npos; }));
  manta::Cancel(cancelled);
  EXPECT_EQ(*cancelled.Get(), "cancelled");

  int asked = 0;
  const manta_patience patience{[](void* context) { return ++*static_cast<int*>(context) == 3 ? 1 : 0; }, &asked};
  void* data;
  manta_ref* object;
  manta_error* const error = manta_put_begin(manta_current(), 1 << 20, nullptr, 0, &patience, &data, &object);
  ASSERT_NE(error, nullptr) << "there was room";
  EXPECT_EQ(manta_error_get_kind(error), MANTA_ERROR_TASK_CANCELLED) << manta_error_message(error);
  EXPECT_EQ(asked, 3);
  manta_error_free(error);

  MakeRoom(3);
  EXPECT_TRUE(Eventually(5s, [&] { return Room() >= before + (3 << 20); })) << Room() - before << " bytes came back";
}

// What the refused results refer to is freed. What their actor holds of its arguments is not.
TEST_F(FullObjectStore, KeepsNothingForResultsThatItRefuses) {
  LimitTime(60s);
  auto writer = Start(1);
  held_.resize(held_.size() - 3);
  const double before = Room();
  ASSERT_GT(*writer.Task(&Writer::FillUp).Remote().Get(), 0);
  auto kept = manta::Task(Letters).Remote(100);
  kept.Get();
  auto results = writer.Task(&Writer::WriteWithReferences).RemoteMany(3, 3, std::vector{kept});
  kept = manta::Task(Letters).Remote(101);
  EXPECT_NE(MessageOf<manta::ObjectStoreFullError>([&] { results[0].Get(); }).find("no room"), std::string::npos);
  kept.Get();
  EXPECT_TRUE(Eventually(10s, [&] { return Room() >= before; })) << before - Room() << " bytes are held";
  EXPECT_EQ(writer.Task(&Writer::ReadKept).Remote().Get()->size(), 100u);
}

// More than the ring between two processes holds: what the actor keeps is told at any rate, if late.
TEST_F(FullObjectStore, HearsOfAllThatAnActorKeepsOnceThereIsRoom) {
  LimitTime(80s);
  for (const int threads : {1, 4}) {
    auto writer = Start(threads);
    held_.resize(held_.size() - 3);
    Texts texts;
    for (int i = 0; i < 8'000; ++i) texts.push_back(manta::Put(Letters(i % 10 + 1)));
    const auto kept = writer.Task(&Writer::KeepAndFillUp).Remote(texts);
    texts.clear();
    EXPECT_TRUE(manta::Wait(std::vector{kept}, 1, 12'000).ready.empty()) << "there was room";
    held_.resize(held_.size() - 10);
    EXPECT_THROW(kept.Get(20s), manta::ObjectStoreFullError);
    EXPECT_EQ(writer.Task(&Writer::ReadKept).Remote().Get(20s)->size(), 1u);
    writer.Kill();
    Fill();
  }
}

}  // namespace
}  // namespace manta_test
