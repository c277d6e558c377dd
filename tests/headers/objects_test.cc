// Put, Get, Wait, Cancel, ObjectRef and Array.
#include "manta/objects.h"

#include <chrono>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "manta/actor.h"
#include "manta/array.h"
#include "tests/headers/header_test.h"

namespace {

using manta::Array;
using manta::Get;
using manta::ObjectRef;
using manta::Put;
using ObjectsTest = HeaderTest;
using std::chrono::milliseconds;

int Identity(int x) { return x; }

// A task that has not run yet; RunHeld makes it.
ObjectRef<int> Pending(int value) {
  manta_fake::HoldTasks();
  return manta::Task(Identity).Remote(value);
}

// ---- Put and Get --------------------------------------------------------------------------------

TEST_F(ObjectsTest, PutAndGet) {
  EXPECT_EQ(*Get(Put(5)), 5);
  EXPECT_EQ(*Get(Put(std::string(1000, 'x'))), std::string(1000, 'x'));
  static_assert(std::is_same_v<decltype(Put("text")), ObjectRef<std::string>>);
  EXPECT_EQ(*Get(Put("text")), "text");
  const std::vector<int> numbers{1, 2, 3};
  EXPECT_EQ(*Put(numbers).Get(), numbers);
}

TEST_F(ObjectsTest, ObjectsHoldReferences) {
  const auto outer = Put(std::vector<ObjectRef<int>>{Put(1), ObjectRef<int>(), Put(2)});
  EXPECT_EQ(manta_fake::LiveObjects(), 3u) << "the outer one keeps the inner ones";
  const auto inner = Get(outer);
  EXPECT_EQ(*inner->at(2).Get(), 2);
  EXPECT_TRUE(inner->at(1).IsNil());
}

TEST_F(ObjectsTest, GetMany) {
  std::vector<ObjectRef<int>> references;
  for (int i = 0; i < 500; ++i) references.push_back(Put(i));
  const std::vector<std::shared_ptr<int>> values = Get(references);
  ASSERT_EQ(values.size(), 500u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(*values[static_cast<size_t>(i)], i);
  EXPECT_TRUE(Get(std::vector<ObjectRef<int>>()).empty());
}

TEST_F(ObjectsTest, GetIntoReusesWhatIsThere) {
  std::vector<ObjectRef<std::string>> references;
  for (int i = 0; i < 300; ++i) references.push_back(Put(std::to_string(i)));
  std::vector<std::string> values(400, "old");
  const std::string* const before = values.data();
  manta::GetInto(references, values);
  EXPECT_EQ(values.size(), 300u);
  EXPECT_EQ(values.data(), before);
  EXPECT_EQ(values[299], "299");
  std::vector<bool> bits;
  manta::GetInto(std::vector<ObjectRef<bool>>{Put(true), Put(false), Put(true)}, bits);
  EXPECT_EQ(bits, (std::vector<bool>{true, false, true}));
}

TEST_F(ObjectsTest, TimeoutsOfAllKinds) {
  const auto pending = Pending(1);
  EXPECT_THROW(Get(pending, 0), manta::GetTimeoutError);
  EXPECT_TRUE(Contains(MessageOf<manta::GetTimeoutError>([&] { Get(pending, 5); }), "5000000 ns"));
  EXPECT_TRUE(Contains(MessageOf<manta::GetTimeoutError>([&] { pending.Get(milliseconds(7)); }),
                       "7000000"));
  EXPECT_TRUE(Contains(MessageOf<manta::GetTimeoutError>([&] {
                         Get(std::vector<ObjectRef<int>>{pending},
                             std::chrono::duration<double>(1.5));
                       }),
                       "1500000000"));
  std::vector<int> values;
  EXPECT_THROW(manta::GetInto({pending}, values, 0), manta::GetTimeoutError);
  manta_fake::RunHeld();
  EXPECT_EQ(*Get(pending, 0), 1);
}

TEST(Timeout, Conversions) {
  using manta::Timeout;
  EXPECT_EQ(Timeout(5).nanoseconds(), 5000000);
  EXPECT_EQ(Timeout(-1).nanoseconds(), -1);
  EXPECT_EQ(Timeout::Never().nanoseconds(), -1);
  EXPECT_EQ(Timeout(milliseconds(-3)).nanoseconds(), 0);
  EXPECT_EQ(Timeout(std::chrono::hours::max()).nanoseconds(), -1);
  EXPECT_EQ(Timeout(INT64_MAX).nanoseconds(), -1);
  EXPECT_EQ(Timeout(SIZE_MAX).nanoseconds(), -1);
  EXPECT_EQ(Timeout(7u).nanoseconds(), 7000000);
  EXPECT_EQ(Timeout(size_t{7}).nanoseconds(), 7000000);
  EXPECT_EQ(Timeout(-7LL).nanoseconds(), -1);
  EXPECT_EQ(Timeout(std::chrono::nanoseconds(1)).nanoseconds(), 1);
  static_assert(!std::is_constructible_v<Timeout, double>, "seconds or milliseconds?");
}

TEST_F(ObjectsTest, EmptyReferencesAreRefused) {
  const ObjectRef<int> empty;
  EXPECT_THROW(empty.Get(), manta::InvalidArgumentError);
  EXPECT_THROW(Get(std::vector<ObjectRef<int>>{empty}), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Wait(std::vector<ObjectRef<int>>{empty}, 1), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Cancel(empty), manta::InvalidArgumentError);
  EXPECT_THROW(ObjectRef<void>().Get(), manta::InvalidArgumentError);
}

TEST_F(ObjectsTest, ObjectsOfAnotherType) {
  const auto wrong = ObjectRef<std::string>::FromHandle(manta_fake::MakeObject("\x05xyz"));
  EXPECT_THROW(wrong.Get(), manta::SerializationError);
  const auto longer = ObjectRef<int>::FromHandle(manta_fake::MakeObject("12345678"));
  EXPECT_THROW(longer.Get(), manta::SerializationError);
}

TEST_F(ObjectsTest, WithoutARuntime) {
  const auto number = Put(1);
  manta::Shutdown();
  const std::vector<ObjectRef<int>> references{number};
  std::vector<int> values;
  const auto what = [](auto&& function) { return MessageOf<manta::NotInitializedError>(function); };
  EXPECT_TRUE(Contains(what([] { Put(1); }), "Put"));
  EXPECT_TRUE(Contains(what([&] { number.Get(); }), "Get"));
  EXPECT_TRUE(Contains(what([&] { Get(references); }), "Get"));
  EXPECT_TRUE(Contains(what([&] { manta::GetInto(references, values); }), "Get"));
  EXPECT_TRUE(Contains(what([&] { manta::Wait(references, 1); }), "Wait"));
  EXPECT_TRUE(Contains(what([&] { manta::WaitAny(references); }), "WaitAny"));
  EXPECT_TRUE(Contains(what([&] { manta::WaitReady(references, 1); }), "WaitReady"));
  EXPECT_TRUE(Contains(what([&] { manta::Cancel(number); }), "Cancel"));
  EXPECT_TRUE(Contains(what([] { manta::GetActor<std::string>("x"); }), "GetActor"));
  EXPECT_TRUE(Contains(what([] { manta::ExitActor(); }), "ExitActor"));
  EXPECT_TRUE(Contains(what([] { manta::GetRuntimeContext(); }), "GetRuntimeContext"));
  EXPECT_TRUE(Contains(what([] { manta::ClusterResources(); }), "ClusterResources"));
  EXPECT_TRUE(Contains(what([] { manta::AvailableResources(); }), "AvailableResources"));
}

TEST_F(ObjectsTest, ErrorsOfTheCall) {
  manta_fake::FailNext("manta_put_begin", MANTA_ERROR_OBJECT_TOO_LARGE, "large");
  EXPECT_THROW(Put(1), manta::ObjectTooLargeError);
  const auto number = Put(1);
  manta_fake::FailNext("manta_get", MANTA_ERROR_OWNER_DIED, "died");
  EXPECT_THROW(number.Get(), manta::ObjectLostError);
  manta_fake::FailNext("manta_wait", MANTA_ERROR_NODE_DIED, "died");
  EXPECT_THROW(manta::WaitAny(std::vector<ObjectRef<int>>{number}), manta::NodeDiedError);
}

// ---- Wait and Cancel ----------------------------------------------------------------------------

TEST_F(ObjectsTest, Wait) {
  const auto first = Put(1);
  const auto second = Pending(2);
  const auto third = Put(3);
  const std::vector<ObjectRef<int>> references{first, second, third};
  const manta::WaitResult<int> result = manta::Wait(references, 3, 10);
  ASSERT_EQ(result.ready.size(), 2u);
  ASSERT_EQ(result.unready.size(), 1u);
  EXPECT_EQ(result.ready.front(), first);
  EXPECT_EQ(result.ready.back(), third);
  EXPECT_EQ(result.unready.front(), second);
  EXPECT_EQ(manta::Wait(references, 1).ready.size(), 1u);
  EXPECT_EQ(manta::WaitReady(references, 3, milliseconds(1)), (std::vector<size_t>{0, 2}));
  EXPECT_EQ(manta::WaitAny(references), size_t{0});
  EXPECT_EQ(manta::WaitAny(std::vector<ObjectRef<int>>{second}, 0), std::nullopt);
  EXPECT_THROW(manta::Wait(references, 4), manta::InvalidArgumentError);
  EXPECT_THROW(manta::Wait(references, -1), manta::InvalidArgumentError);
  manta_fake::RunHeld();
}

TEST_F(ObjectsTest, WaitForManyAndOfMixedTypes) {
  std::vector<ObjectRef<void>> references;
  for (int i = 0; i < 1000; ++i) references.push_back(Put(i));
  references.push_back(Put("text"));
  EXPECT_EQ(manta::WaitReady(references, 1001).size(), 1001u);
  EXPECT_EQ(manta::Wait(references, 1000).unready.size(), 1u);
}

TEST_F(ObjectsTest, Cancel) {
  const auto pending = Pending(1);
  manta::Cancel(pending);
  EXPECT_TRUE(Contains(MessageOf<manta::TaskCancelledError>([&] { pending.Get(); }),
                       "cancelled with children"));
  const auto other = Pending(1);
  manta::CancelOptions options;
  options.force = true;
  options.recursive = false;
  manta::Cancel(other, options);
  EXPECT_EQ(MessageOf<manta::TaskCancelledError>([&] { other.Get(); }), "cancelled by force");
  manta_fake::RunHeld();
}

// ---- ObjectRef ----------------------------------------------------------------------------------

TEST_F(ObjectsTest, CopiesAndMoves) {
  ObjectRef<int> first = Put(1);
  ObjectRef<int> copy = first;
  EXPECT_EQ(copy, first);
  first = ObjectRef<int>();
  EXPECT_NE(copy, first);
  EXPECT_EQ(manta_fake::LiveObjects(), 1u);
  ObjectRef<int> moved = std::move(copy);
  EXPECT_TRUE(copy.IsNil());  // NOLINT: it is what the test is about
  EXPECT_FALSE(static_cast<bool>(copy));
  EXPECT_TRUE(static_cast<bool>(moved));
  ObjectRef<int>& alias = moved;
  moved = alias;
  EXPECT_EQ(*moved.Get(), 1);
  moved = std::move(alias);
  EXPECT_EQ(*moved.Get(), 1);
}

TEST_F(ObjectsTest, IdsHashesAndOrder) {
  const auto first = Put(1);
  const auto second = Put(2);
  EXPECT_EQ(first.ID(), "00000000000000070000000100000001");
  EXPECT_EQ(ObjectRef<int>().ID(), std::string(32, '0'));
  std::unordered_map<ObjectRef<int>, int> map{{first, 1}, {second, 2}};
  EXPECT_EQ(map.at(second), 2);
  const std::set<ObjectRef<int>> set{first, second, first};
  EXPECT_EQ(set.size(), 2u);
}

TEST_F(ObjectsTest, AnyReferenceConvertsToOneOfVoid) {
  ObjectRef<int> number = Put(1);
  const ObjectRef<void> copy = number;
  EXPECT_EQ(copy, number);
  EXPECT_EQ(copy.ID(), number.ID());
  copy.Get();
  const ObjectRef<void> moved = std::move(number);
  EXPECT_TRUE(number.IsNil());  // NOLINT: it is what the test is about
  EXPECT_EQ(moved, copy);
  static_assert(!std::is_convertible_v<ObjectRef<int>, ObjectRef<long>>);
  static_assert(!std::is_convertible_v<ObjectRef<void>, ObjectRef<int>>);
}

TEST_F(ObjectsTest, FromHandleTakesOver) {
  manta_ref* handle = manta_fake::MakeObject(std::string("\7\0\0\0", 4));
  const auto number = ObjectRef<int>::FromHandle(handle);
  EXPECT_EQ(number.handle(), handle);
  EXPECT_EQ(*number.Get(), 7);
}

// ---- Memory of results --------------------------------------------------------------------------

TEST_F(ObjectsTest, ValuesMayDieOnOtherThreads) {
  for (int round = 0; round < 3; ++round) {
    std::vector<std::shared_ptr<int>> values;
    for (int i = 0; i < 300; ++i) values.push_back(Get(Put(i)));
    std::thread([moved = std::move(values)]() mutable { moved.clear(); }).join();
  }
  std::shared_ptr<std::string> survivor;
  const auto reference = Put("made on a thread that has ended");
  std::thread([&] { survivor = reference.Get(); }).join();
  EXPECT_EQ(*survivor, "made on a thread that has ended");
}

struct FreesAtThreadEnd {
  std::shared_ptr<int> value;
};
TEST_F(ObjectsTest, ValuesMayDieWhenTheirThreadEnds) {
  const auto reference = Put(1);
  std::thread([&] {
    static thread_local FreesAtThreadEnd last;  // destroyed after or before the free lists
    last.value = reference.Get();
    reference.Get();
  }).join();
}

std::shared_ptr<int>& AtExit() {
  static std::shared_ptr<int> value;
  return value;
}
TEST_F(ObjectsTest, ValuesMayDieAtExit) { AtExit() = Get(Put(1)); }

TEST_F(ObjectsTest, ValuesOfManySizes) {
  for (int round = 0; round < 100; ++round) {
    const auto a = Get(Put(std::array<char, 1>()));
    const auto b = Get(Put(std::array<char, 100>()));
    const auto c = Get(Put(std::array<char, 200>()));
    const auto d = Get(Put(std::array<char, 1000>()));
    EXPECT_EQ(a->size() + b->size() + c->size() + d->size(), 1301u);
  }
}

// ---- Array --------------------------------------------------------------------------------------

TEST_F(ObjectsTest, ArraysAreReadInPlace) {
  const Array<double> array(1000, [](double* data, size_t count) {
    for (size_t i = 0; i < count; ++i) data[i] = static_cast<double>(i);
  });
  std::shared_ptr<Array<double>> value;
  {
    const auto reference = Put(array);
    value = reference.Get();
    const auto again = reference.Get();
    EXPECT_EQ(again->data(), value->data()) << "both are views of the object";
  }
  EXPECT_EQ(manta_fake::LiveObjects(), 1u) << "the view keeps the object";
  EXPECT_EQ(reinterpret_cast<uintptr_t>(value->data()) % 64, 0u);
  EXPECT_EQ(*value, array);
  const Array<double> copy = *value;
  value.reset();
  EXPECT_EQ(copy[999], 999);
  EXPECT_EQ(manta_fake::LiveObjects(), 1u);
}

double First(const Array<double>& array) { return array.front(); }
const void* AddressOf(const Array<double>& array) { return array.data(); }
uintptr_t Place(const Array<double>& array) {
  return reinterpret_cast<uintptr_t>(AddressOf(array));
}
Array<double> Keep(const Array<double>& array) { return array; }

TEST_F(ObjectsTest, ArraysAsArguments) {
  const Array<double> array(std::vector<double>(1000, 1.5));
  const auto reference = Put(array);
  EXPECT_EQ(*manta::Task(First).Remote(array).Get(), 1.5);
  EXPECT_EQ(*manta::Task(First).Remote(reference).Get(), 1.5);
  EXPECT_EQ(*manta::Task(Place).Remote(reference).Get(),
            reinterpret_cast<uintptr_t>(reference.Get()->data()));
  EXPECT_EQ(*manta::Task(Keep).Remote(reference).Get(), array);
  manta_fake::SetMisalignment(1);
  EXPECT_EQ(*manta::Task(First).Remote(reference).Get(), 1.5);
  EXPECT_EQ(*manta::Task(Keep).Remote(array).Get(), array);
}

class Keeper {
 public:
  void Keep(const Array<double>& array) { array_ = array; }
  double Sum() const {
    double sum = 0;
    for (const double number : array_) sum += number;
    return sum;
  }

 private:
  Array<double> array_;
};
TEST_F(ObjectsTest, ArraysOutliveTheCallThatTheyWereArgumentsOf) {
  for (const size_t misalignment : {0, 1, 8}) {
    // With an offset, what the call sees is a copy that ends with it.
    manta_fake::SetMisalignment(misalignment);
    const auto keeper = manta::Actor<Keeper>().Remote();
    keeper.Task(&Keeper::Keep).Remote(Put(Array<double>(std::vector<double>(1000, 0.5)))).Get();
    EXPECT_EQ(*keeper.Task(&Keeper::Sum).Remote().Get(), 500);
    keeper.Task(&Keeper::Keep).Remote(Array<double>(std::vector<double>(1000, 0.25))).Get();
    EXPECT_EQ(*keeper.Task(&Keeper::Sum).Remote().Get(), 250);
  }
}

struct Batch {
  std::string name;
  Array<float> features;
  std::vector<Array<int>> columns;
};
TEST_F(ObjectsTest, ArraysInsideOfValues) {
  const Batch batch{"b",
                    Array<float>(std::vector<float>{1, 2}),
                    {Array<int>(std::vector<int>{3}), Array<int>(), Array<int>({4, 5})}};
  const auto copy = Get(Put(batch));
  EXPECT_EQ(copy->features[1], 2);
  EXPECT_EQ(copy->columns[2].ToVector(), (std::vector<int>{4, 5}));
  EXPECT_TRUE(copy->columns[1].empty());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(copy->columns[2].data()) % 64, 0u);
}

TEST(Array, OnItsOwn) {
  std::vector<int> numbers{1, 2, 3};
  const int* const data = numbers.data();
  const Array<int> taken(std::move(numbers));
  EXPECT_EQ(taken.data(), data);
  EXPECT_EQ(taken.size(), 3u);
  EXPECT_EQ(std::vector<int>(taken.begin(), taken.end()), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(taken.back(), 3);
  EXPECT_TRUE(Array<int>().empty());
  EXPECT_EQ(Array<int>(std::vector<int>()), Array<int>());
  EXPECT_NE(taken, Array<int>());
  const auto fill = [](int*, size_t) {};
  EXPECT_THROW((Array<int>(SIZE_MAX / 2, fill)), std::bad_alloc);
  // Without an object to refer to, reading copies.
  std::string bytes(manta::EncodedSize(taken), '\0');
  manta::Encode(taken, &bytes[0], bytes.size());
  EXPECT_EQ(bytes.size(), 64 + 3 * sizeof(int));
  EXPECT_EQ(manta::Decode<Array<int>>(bytes.data(), bytes.size()), taken);
  bytes[0] = 4;
  EXPECT_THROW(manta::Decode<Array<int>>(bytes.data(), bytes.size()), manta::SerializationError);
}

}  // namespace
