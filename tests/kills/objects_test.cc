// Readers, borrowers and owners of objects that are killed, and creators of detached actors.
#include <signal.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "tests/kills/fixture.h"
#include "tests/support/driver_process.h"
#include "tests/support/program.h"

namespace manta_test {
namespace {

constexpr int kHere = 1;
constexpr int kNever = 2;  // nobody opens it
constexpr size_t kNumbers = (1 << 20) / sizeof(int);

using Numbers = manta::Array<int>;

Numbers Make(int first) {
  std::vector<int> numbers(kNumbers);
  std::iota(numbers.begin(), numbers.end(), first);
  return Numbers(std::move(numbers));
}
bool IsWhole(const Numbers& numbers, int first) {
  for (size_t i = 0; i < kNumbers; ++i) {
    if (numbers[i] != first + static_cast<int>(i)) return false;
  }
  return numbers.size() == kNumbers;
}
int StandForever() {
  Board::OfThisTest().Arrive(kHere);
  Board::OfThisTest().Wait(kNever);
  return 1;
}

class Holder {
 public:
  int Pid() const { return getpid(); }
  // A view of the driver's object, which is pinned by it.
  int Keep(Numbers numbers) { return static_cast<int>((view_ = std::move(numbers)).size()); }
  // References of the driver, borrowed.
  int Borrow(std::vector<manta::ObjectRef<Numbers>> references) {
    return static_cast<int>((references_ = std::move(references)).size());
  }
  // A reference that this process owns.
  std::vector<manta::ObjectRef<Numbers>> Own(int first) {
    references_ = {manta::Put(Make(first))};
    return references_;
  }
  std::vector<manta::ObjectRef<int>> OwnPending() {
    pending_ = {manta::Task(StandForever).Remote()};
    return pending_;
  }

 private:
  Numbers view_;
  std::vector<manta::ObjectRef<Numbers>> references_;
  std::vector<manta::ObjectRef<int>> pending_;
};

class Objects : public ConnectedKillTest {
 protected:
  void SetUp() override {
    ConnectedKillTest::SetUp();
    board().Clear();
  }
  // Waits until the node holds no object any more: what was pinned, borrowed or leased has come back.
  void ExpectNoObjects() {
    std::string objects;
    EXPECT_TRUE(Eventually(5s, [&] {
      objects = RunProgram({std::getenv("MANTA_EXECUTABLE"), "list", "objects", "--json"}).out;
      return objects == "[]\n";
    })) << "waited for all objects to be freed; there are " << objects;
  }
  struct Actor {
    manta::ActorHandle<Holder> handle = manta::Actor<Holder>().Remote();
    pid_t pid = *manta::Get(handle.Task(&Holder::Pid).Remote(), 20s);
  };
};

TEST_F(Objects, AReaderThatHoldsAPinDies) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    const Actor reader;
    {
      const auto object = manta::Put(Make(round));
      ASSERT_EQ(*manta::Get(reader.handle.Task(&Holder::Keep).Remote(object), 20s), int{kNumbers});
    }
    Stopwatch since_kill;
    kill(reader.pid, SIGKILL);
    ExpectNoObjects();
    log().Add("a reader that holds a pin", "the reader", {}, since_kill.seconds());
  }
}

TEST_F(Objects, ABorrowerDies) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    const Actor borrower;
    Stopwatch since_kill;
    Outcomes outcomes;
    {
      const auto object = manta::Put(Make(round));
      const auto call = borrower.handle.Task(&Holder::Borrow).Remote(std::vector{object});
      // Every other time the references are in transit.
      if (round % 2 == 0) {
        ASSERT_EQ(*manta::Get(call, 20s), 1);
      }
      since_kill = Stopwatch();
      kill(borrower.pid, SIGKILL);
      ++outcomes[Resolve(call).how];
      EXPECT_TRUE(IsWhole(*manta::Get(object, 20s), round));
    }
    ExpectNoObjects();
    log().Add(round % 2 == 0 ? "a borrower" : "references in transit to a borrower", "the borrower", outcomes,
              since_kill.seconds());
  }
}

TEST_F(Objects, AnOwnerDiesWhileItsBorrowerWaits) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    board().Clear();
    const Actor owner;
    const auto borrowed = *manta::Get(owner.handle.Task(&Holder::OwnPending).Remote(), 20s);
    ASSERT_TRUE(board().Await(kHere)) << "waited for the owner's task to run";
    EXPECT_THROW(manta::Get(borrowed[0], 5), manta::GetTimeoutError);
    Stopwatch since_kill;
    kill(owner.pid, SIGKILL);
    const Resolution one = Resolve(borrowed[0]);
    EXPECT_EQ(one.how, "OwnerDied") << one.message;
    log().Add("an owner, whose borrower waits", "the owner", {{one.how, 1}}, since_kill.seconds());
  }
}

TEST_F(Objects, AViewOutlivesTheOwner) {
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    const Actor owner;
    Outcomes outcomes;
    Stopwatch since_kill;
    {
      const auto borrowed = *manta::Get(owner.handle.Task(&Holder::Own).Remote(round), 20s);
      const auto view = manta::Get(borrowed[0], 20s);
      since_kill = Stopwatch();
      kill(owner.pid, SIGKILL);
      EXPECT_TRUE(Eventually(5s, [&] { return !IsAlive(owner.pid); })) << "waited for the owner to end";
      // Space that is free is used at once.
      for (int i = 0; i < 4; ++i) manta::Put(Make(-1));
      EXPECT_TRUE(IsWhole(*view, round)) << "the view has changed";
      ++outcomes[Resolve(borrowed[0]).how];
    }
    ExpectNoObjects();
    log().Add("an owner, whose object is in view", "the owner", outcomes, since_kill.seconds());
  }
}

// ---- Detached actors

class DetachedActors : public KillTest {};

TEST_F(DetachedActors, OutliveTheirCreator) {
  StartedCluster cluster("--num-cpus 2");
  manta::Config config;
  config.address = cluster.address();
  config.ray_namespace = "kills";
  config.log_to_driver = false;
  for (int round = 0; round < kKills && !HasFailure(); ++round) {
    const std::string name = "holder-" + std::to_string(round);
    DriverProcess creator([&](const DriverProcess::Say& say) {
      alarm(0);
      manta::Init(config);
      const auto holder = manta::Actor<Holder>().SetName(name).SetDetached().Remote();
      manta::Get(holder.Task(&Holder::Pid).Remote());
      say("there");
      pause();
    });
    ASSERT_EQ(creator.Hear(20s).value_or("nothing"), "there");
    Stopwatch since_kill;
    creator.Signal(SIGKILL);
    EXPECT_TRUE(creator.Wait(5s));
    manta::Init(config);
    Outcomes outcomes;
    {
      const auto holder = manta::GetActor<Holder>(name);
      ASSERT_TRUE(holder) << "the detached actor is gone with its creator";
      const Resolution one = Resolve(holder->Task(&Holder::Pid).Remote());
      ++outcomes[one.how];
      EXPECT_EQ(one.how, "value") << one.message;
      holder->Kill();
    }
    manta::Shutdown();
    EXPECT_TRUE(Eventually(5s, [&] { return OnlyDaemonsRun(); }))
        << "waited for all but the daemon to end:\n" << Describe(Processes());
    log().Add("creator of a named detached actor", "the driver", outcomes, since_kill.seconds());
  }
}

}  // namespace
}  // namespace manta_test
