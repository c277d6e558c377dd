// References that travel: in values, in results, to processes that are long done with what they made.
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/cluster_test.h"

namespace manta_test {
namespace {

using Numbers = std::vector<manta::ObjectRef<int>>;
using Lists = std::vector<manta::ObjectRef<Numbers>>;

double UsedBytes() {
  return manta::ClusterResources()["object_store_memory"] - manta::AvailableResources()["object_store_memory"];
}
std::vector<manta::ObjectRef<std::string>> MakeTexts(int count) {
  std::this_thread::sleep_for(50ms);
  std::vector<manta::ObjectRef<std::string>> texts;
  for (int i = 0; i < count; ++i) texts.push_back(manta::Put(std::string(200'000, 'x')));
  return texts;
}

class References : public ClusterTest {
 protected:
  static void Init(double cpus) {
    manta::Config config;
    config.num_cpus = cpus;
    config.resources["slot"] = 1;
    manta::Init(config);
  }
};

int Same(int number) { return number; }
int SlowNumber(int number) {
  std::this_thread::sleep_for(50ms);
  return number;
}
Numbers MakeNumbers(int count) {
  Numbers numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(i % 2 == 0 ? manta::Put(i) : manta::Task(Same).Remote(i));
  return numbers;
}
Lists MakeLists(int count) {
  Lists lists;
  for (int i = 0; i < count; ++i) lists.push_back(manta::Task(MakeNumbers).Remote(count));
  return lists;
}
int SumOf(const Numbers& numbers) {
  int sum = 0;
  for (const auto& number : numbers) sum += *number.Get();
  return sum;
}
Numbers Pass(Numbers numbers) { return numbers; }
Lists PassOn(Lists lists, int hops) {
  return hops == 0 ? lists : *manta::Get(manta::Task(PassOn).SetNumCpus(0.5).Remote(lists, hops - 1));
}

int SlowlySame(int number) {
  std::this_thread::sleep_for(700ms);
  return number;
}

class Maker {
 public:
  Numbers Make(int count) { return MakeNumbers(count); }
  Numbers MakeAndExit(int count) {
    manta::ExitActor();
    return MakeNumbers(count);
  }
  Numbers Slow() { return {manta::Task(SlowlySame).Remote(1), manta::Task(SlowlySame).Remote(5)}; }
  int Pid() { return getpid(); }
};

// A worker that is not needed any more stays as long as others hold what it owns.
TEST_F(References, KeepTheWorkerThatOwnsWhatTheyName) {
  Init(4);
  std::vector<manta::ObjectRef<Numbers>> made;
  for (int i = 0; i < 8; ++i) made.push_back(manta::Task(MakeNumbers).Remote(4));
  std::vector<Numbers> numbers;
  for (const auto& one : made) numbers.push_back(*one.Get());
  made.clear();
  std::this_thread::sleep_for(2500ms);  // workers idle for one second and are stopped then
  for (const Numbers& one : numbers) EXPECT_EQ(SumOf(one), 6);
  numbers.clear();
  EXPECT_TRUE(Eventually(10s, [&] { return Pids(Role::kWorker).size() <= 4; })) << Describe(Processes());
}

// Tasks whose parents are done run in whatever worker is idle, but for the one that owns them.
TEST_F(References, OutliveTheActorThatMadeWhatTheyName) {
  Init(4);
  Numbers made = *manta::Get(manta::Actor<Maker>().Remote().Task(&Maker::Make).Remote(4));
  Numbers coming = *manta::Get(manta::Actor<Maker>().Remote().Task(&Maker::Slow).Remote());
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(SumOf(made), 6);
  EXPECT_EQ(SumOf(coming), 6);
  made.clear();
  coming.clear();
  EXPECT_TRUE(Eventually(10s, [&] { return Pids(Role::kWorker).size() <= 4; })) << Describe(Processes());
}

// The actor has ended all the same: its name and its resources are free, and its calls fail.
TEST_F(References, DoNotKeepAnActorThatExits) {
  Init(2);
  auto maker = manta::Actor<Maker>().SetName("maker").SetResource("slot", 1).Remote();
  const pid_t host = *maker.Task(&Maker::Pid).Remote().Get();
  auto result = maker.Task(&Maker::MakeAndExit).Remote(4);
  const auto behind = maker.Task(&Maker::Pid).Remote();
  Numbers made = *result.Get();
  const auto names_the_cause = [](const auto& call) {
    const std::string message = MessageOf<manta::ActorDiedError>([&] { call.Get(10s); });
    EXPECT_NE(message.find("one of its methods has ended it"), std::string::npos) << message;
  };
  names_the_cause(behind);
  auto next = manta::Actor<Maker>().SetName("maker").SetGetIfExists().SetResource("slot", 1).Remote();
  EXPECT_NE(*next.Task(&Maker::Pid).Remote().Get(10s), host);
  names_the_cause(maker.Task(&Maker::Pid).Remote());
  EXPECT_TRUE(IsAlive(host));
  EXPECT_EQ(SumOf(made), 6);
  made.clear();
  result = {};
  EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(host); })) << "nobody holds anything of it any more";
}

// A worker that has run tasks may get an actor, which ends before it.
TEST_F(References, OutliveALaterActorInTheSameProcess) {
  Init(1);
  const Numbers made = *manta::Get(manta::Task(MakeNumbers).Remote(4));
  std::this_thread::sleep_for(300ms);  // the lease has gone back
  for (int i = 0; i < 4; ++i) manta::Get(manta::Actor<Maker>().Remote().Task(&Maker::Pid).Remote());
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(SumOf(made), 6);
}

TEST_F(References, TravelThroughTasksWhoseParentsAreDone) {
  Init(3);
  for (int round = 0; round < 20; ++round) {
    const Lists lists = *manta::Get(manta::Task(PassOn).Remote(*manta::Get(manta::Task(MakeLists).Remote(4)), 1));
    int sum = 0;
    for (const auto& numbers : lists) sum += SumOf(*manta::Get(manta::Task(Pass).Remote(numbers)));
    ASSERT_EQ(sum, 24) << "round " << round;
  }
}

class Holder {
 public:
  int Hold() { return 1; }
};
manta::ActorHandle<Holder> MakeHolder() { return manta::Actor<Holder>().SetResource("slot", 1).Remote(); }

// Who returned a handle or a reference does not hold it any longer than its receiver.
TEST_F(References, ThatWereReturnedAreNotHeldByTheTaskThatMadeThem) {
  Init(2);
  {
    const auto holder = *manta::Get(manta::Task(MakeHolder).Remote());
    EXPECT_EQ(*manta::Get(holder.Task(&Holder::Hold).Remote()), 1);
    EXPECT_EQ(manta::AvailableResources()["slot"], 0);
  }
  EXPECT_TRUE(Eventually(5s, [] { return manta::AvailableResources()["slot"] == 1; }));
}

class Retrier {
 public:
  void KeepAndFail(Numbers numbers) {
    if (!kept_.empty()) return;
    kept_ = numbers;
    throw std::runtime_error("try again");
  }
  int Sum() { return SumOf(kept_); }

 private:
  Numbers kept_;
};

// The second attempt lets go of what it was given; the first has kept it.
TEST_F(References, ThatAFailedAttemptKeepsLive) {
  Init(2);
  const auto retrier = manta::Actor<Retrier>().SetMaxTaskRetries(1).Remote();
  {
    const Numbers given = {manta::Task(Same).Remote(3), manta::Task(Same).Remote(4)};
    retrier.Task(&Retrier::KeepAndFail).SetRetryExceptions(true).Remote(given).Get();
  }
  for (int i = 0; i < 100; ++i) manta::Task(Same).Remote(i).Get();
  EXPECT_EQ(*retrier.Task(&Retrier::Sum).Remote().Get(), 7);
}

int Crash() { _exit(3); }
std::string Catch() {
  try {
    manta::Get(manta::Task(Crash).SetMaxRetries(0).Remote());
  } catch (const manta::WorkerCrashedError&) {
    return "caught";
  }
  return "not caught";
}

TEST_F(References, ToACrashedChildAreAnErrorForItsParent) {
  Init(2);
  EXPECT_EQ(*manta::Get(manta::Task(Catch).SetMaxRetries(0).Remote()), "caught");
}

int Depth(int levels) {
  volatile char frame[64 << 10];
  frame[0] = 1;
  frame[sizeof frame - 1] = 1;
  return levels == 0 ? 0 : *manta::Get(manta::Task(Depth).Remote(levels - 1)) + frame[0];
}

// Children run in place as long as the stack has room for them.
TEST_F(References, ToChildrenWithLargeFramesResolve) {
  Init(2);
  EXPECT_EQ(*manta::Get(manta::Task(Depth).Remote(200)), 200);
}

TEST_F(References, InOneValueHaveALimit) {
  Init(2);
  const Numbers many(1'000'001, manta::Put(1));
  const std::string message = MessageOf<manta::InvalidArgumentError>([&] { manta::Put(many); });
  EXPECT_NE(message.find("1000000 is the most"), std::string::npos) << message;
  EXPECT_EQ(*manta::Get(manta::Task(Same).Remote(2)), 2) << "nothing has happened";
}

std::string MakeText() {
  std::this_thread::sleep_for(50ms);
  return std::string(200'000, 'x');
}
using Texts = std::vector<manta::ObjectRef<std::string>>;
int LookByWait(const Texts& texts) { return static_cast<int>(manta::Wait(texts, 1, 5ms).ready.size()); }
int LookByGet(const Texts& texts) {
  try {
    manta::Get(texts[0], 5ms);
    return 1;
  } catch (const manta::GetTimeoutError&) {
    return 0;
  }
}
manta::ObjectRef<std::string> MakeInAnother() { return manta::Task(MakeText).Remote(); }
bool Looks(const manta::ObjectRef<std::string>& text) {
  try {
    manta::Get(text, 5ms);
    return true;
  } catch (const manta::GetTimeoutError&) {
    return false;
  }
}

// The value comes when those who have asked for it are gone, and nobody else is there.
TEST_F(References, ToWhatWasAskedForInVainLeaveNothing) {
  Init(2);
  const double before = UsedBytes();
  const auto task = [](int (*look)(const Texts&)) {
    Texts texts{manta::Task(MakeText).Remote()};
    const auto looked = manta::Task(look).Remote(texts);
    texts.clear();
    manta::Get(looked);
  };
  int in_vain = 0;
  for (int i = 0; i < 10; ++i) {
    task(LookByWait);
    task(LookByGet);
    in_vain += !Looks(*manta::Get(manta::Task(MakeInAnother).Remote()));
  }
  EXPECT_GT(in_vain, 0);
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(Eventually(10s, [&] { return UsedBytes() == before; })) << UsedBytes() - before << " bytes are still used";
}

class Bystander {
 public:
  int Pid() { return getpid(); }
  std::vector<int> Children(int count) {
    std::vector<manta::ObjectRef<int>> pids;
    for (int i = 0; i < count; ++i) pids.push_back(manta::Task(getpid).Remote());
    std::vector<int> found;
    manta::GetInto(pids, found);
    return found;
  }
  int Exit() {
    manta::ExitActor();
    return 0;
  }
};

// To idle workers, which a new attempt of the actor could have run in, or which its own tasks have used.
TEST_F(References, LiveOnWhenAnActorOfOthersEnds) {
  Init(2);
  for (int round = 0; round < 20; ++round) {
    auto actor = manta::Actor<Bystander>().Remote();
    manta::Get(actor.Task(&Bystander::Pid).Remote());
    const Numbers made = *manta::Get(manta::Task(MakeNumbers).Remote(9));
    if (round % 4 < 2) manta::Get(actor.Task(&Bystander::Children).Remote(20));
    if (round == 0) std::this_thread::sleep_for(500ms);  // the driver's own leases of the workers have gone back
    if (round % 2 == 0) {
      actor = {};
    } else {
      actor.Task(&Bystander::Exit).Remote();
    }
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(SumOf(made), 36) << "round " << round;
  }
}

// Nobody is there any more who could let go of them.
TEST_F(References, InAResultThatNobodyWantsWhenItComesAreLetGo) {
  Init(2);
  const double before = UsedBytes();
  for (int i = 0; i < 10; ++i) manta::Task(MakeTexts).Remote(3);
  EXPECT_TRUE(Eventually(5s, [&] { return UsedBytes() > before; }));
  EXPECT_TRUE(Eventually(10s, [&] { return UsedBytes() == before; })) << UsedBytes() - before << " bytes are still used";
}

// ---- References that users carry

// What a reference is called everywhere: owner, index and generation.
using Id = std::vector<uint64_t>;

Id IdOf(const manta::ObjectRef<int>& ref) {
  manta_object_id id;
  manta_ref_id(ref.handle(), &id);
  return {id.owner, id.index, id.generation};
}
manta::ObjectRef<int> TakeIn(const Id& parts) {
  const manta_object_id id{parts[0], static_cast<uint32_t>(parts[1]), static_cast<uint32_t>(parts[2])};
  return manta::ObjectRef<int>::FromHandle(manta_ref_import(manta_current(), &id));
}
int GetCarried(const Id& id) { return *manta::Get(TakeIn(id)); }
Numbers GiveBack(const Id& id) { return {TakeIn(id)}; }

class Keeper {
 public:
  void Take(const Id& id) { kept_ = {TakeIn(id)}; }
  Numbers Give() const { return kept_; }

 private:
  Numbers kept_;
};

TEST_F(References, ThatUsersCarryNameTheirObjectAnywhere) {
  Init(2);
  const manta::ObjectRef<int> ref = manta::Put(7), late = manta::Task(SlowNumber).Remote(8);
  EXPECT_EQ(*manta::Get(manta::Task(GetCarried).Remote(IdOf(ref)), 20s), 7);
  EXPECT_EQ(*manta::Get(manta::Task(GetCarried).Remote(IdOf(late)), 20s), 8);
  EXPECT_EQ(*manta::Get(TakeIn(IdOf(ref))), 7);
}

// The result may be there before the message that registers its maker.
TEST_F(References, ThatUsersCarryComeBackToTheirOwner) {
  Init(2);
  const manta::ActorHandle<Keeper> keeper = manta::Actor<Keeper>().Remote();
  Numbers refs;
  std::vector<manta::ObjectRef<Numbers>> given;
  for (int i = 0; i < 200; ++i) {
    refs.push_back(manta::Put(i));
    given.push_back(manta::Task(GiveBack).Remote(IdOf(refs.back())));
    keeper.Task(&Keeper::Take).Remote(IdOf(refs.back()));
    EXPECT_EQ(*manta::Get(manta::Get(keeper.Task(&Keeper::Give).Remote(), 20s)->front(), 20s), i);
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(*manta::Get(manta::Get(given[static_cast<size_t>(i)], 20s)->front(), 20s), i);
}

TEST_F(References, ThatUsersCarryAreLostWithTheirObject) {
  Init(1);
  Id gone;
  {
    const manta::ObjectRef<int> ref = manta::Put(7);
    gone = IdOf(ref);
  }
  EXPECT_THROW(manta::Get(TakeIn(gone)), manta::ObjectLostError);
  EXPECT_THROW(manta::Get(manta::Task(GetCarried).Remote(gone), 20s), manta::ObjectLostError);
  gone[0] = uint64_t{1} << 40 | 99;
  EXPECT_THROW(manta::Get(TakeIn(gone), 20s), manta::Error) << "no process has this number";
}

// Who lets go last looks again whether it is the last.
TEST_F(References, ThatUsersCarryMayBeTakenInWhileTheLastOneGoes) {
  Init(1);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> index{0}, generation{0};
  const uint64_t owner = IdOf(manta::Put(0))[0];
  std::thread taker([&] {
    while (!done) {
      try {
        (void)manta::Get(TakeIn({owner, index, generation}));
      } catch (const manta::ObjectLostError&) {
      } catch (const manta::Error&) {  // it has been used again, for a value of another kind
      }
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    const manta::ObjectRef<int> ref = manta::Put(i);
    const Id id = IdOf(ref);
    index = id[1];
    generation = id[2];
  }
  done = true;
  taker.join();
  EXPECT_EQ(*manta::Get(manta::Put(1)), 1);
}

}  // namespace
}  // namespace manta_test
