#include "control_store/actor_directory.h"

#include <gtest/gtest.h>

namespace manta::control_store {
namespace {

using contracts::ActorEntry;
using contracts::ActorState;

constexpr ProcessId kDriver{10};
constexpr ProcessId kOtherDriver{11};
constexpr ProcessId kWorker{20};
constexpr ProcessId kOtherWorker{21};

ActorEntry Named(const std::string& name, uint64_t serial, ProcessId creator = kDriver) {
  ActorEntry actor;
  actor.id = {creator, serial};
  actor.name = name;
  actor.ray_namespace = "space";
  actor.process = kWorker;
  actor.state = ActorState::kAlive;
  return actor;
}

class ActorDirectoryTest : public testing::Test {
 protected:
  std::optional<ActorEntry> Register(const ActorEntry& actor) {
    std::optional<ActorEntry> answer;
    directory.Register(actor, [&](const auto& holder) { answer = holder; });
    return answer;
  }
  std::optional<ActorEntry> Find(const std::string& name, const std::string& space = "space") {
    return Find(name, space, {});
  }
  std::optional<ActorEntry> Find(const std::string& name, const std::string& space, ActorId id) {
    std::optional<ActorEntry> answer;
    directory.Find(name, space, id, [&](const auto& actor) { answer = actor; });
    return answer;
  }
  std::optional<ActorEntry> FindById(ActorId id) { return Find("", "", id); }
  size_t Count() {
    size_t count = 0;
    directory.List([&](const auto& actors) { count = actors.size(); });
    return count;
  }

  ActorDirectory directory{2};
};

TEST_F(ActorDirectoryTest, FindsByNameWithinItsNamespace) {
  EXPECT_FALSE(Register(Named("a", 1)));
  EXPECT_EQ(Find("a")->id, (ActorId{kDriver, 1}));
  EXPECT_EQ(Find("a")->process, kWorker);
  EXPECT_FALSE(Find("a", "elsewhere"));
  EXPECT_FALSE(Find("b"));
}

TEST_F(ActorDirectoryTest, ATakenNameNamesItsHolderAndChangesNothing) {
  EXPECT_FALSE(Register(Named("a", 1)));
  const auto holder = Register(Named("a", 2, kOtherDriver));
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->id, (ActorId{kDriver, 1}));
  EXPECT_FALSE(FindById({kOtherDriver, 2}));
}

TEST_F(ActorDirectoryTest, AnUpdateKeepsTheName) {
  ActorEntry pending = Named("a", 1);
  pending.state = ActorState::kPending;
  pending.process = {};
  EXPECT_FALSE(Register(pending));
  EXPECT_FALSE(Register(Named("a", 1)));
  EXPECT_EQ(Find("a")->state, ActorState::kAlive);
}

TEST_F(ActorDirectoryTest, ADescriptionStaysForAsLongAsItsActorLives) {
  ActorEntry described = Named("a", 1);
  described.description = "its methods";
  EXPECT_FALSE(Register(described));
  EXPECT_FALSE(Register(Named("a", 1)));  // an update tells what has changed
  EXPECT_EQ(Find("a")->description, "its methods");
  ActorEntry dead = Named("a", 1);
  dead.state = ActorState::kDead;
  EXPECT_FALSE(Register(dead));
  EXPECT_EQ(FindById({kDriver, 1})->description, "");
  EXPECT_FALSE(Register(Named("a", 2)));
  EXPECT_EQ(Find("a")->description, "") << "of the former actor of that name";
}

TEST_F(ActorDirectoryTest, ARenamedActorFreesItsOldName) {
  EXPECT_FALSE(Register(Named("a", 1)));
  EXPECT_FALSE(Register(Named("b", 1)));
  EXPECT_FALSE(Find("a"));
  EXPECT_FALSE(Register(Named("a", 2)));
}

TEST_F(ActorDirectoryTest, DeathFreesTheNameAndIsFinal) {
  EXPECT_FALSE(Register(Named("a", 1)));
  ActorEntry dead = Named("a", 1);
  dead.state = ActorState::kDead;
  EXPECT_FALSE(Register(dead));
  EXPECT_FALSE(Find("a"));
  EXPECT_EQ(FindById({kDriver, 1})->state, ActorState::kDead);
  EXPECT_FALSE(Register(Named("a", 2)));
  EXPECT_FALSE(Register(Named("a", 1)));  // late news
  EXPECT_EQ(Find("a")->id, (ActorId{kDriver, 2}));
}

TEST_F(ActorDirectoryTest, TheDeathOfAnActorThatNeverGotItsNameLeavesTheHolderAlone) {
  EXPECT_FALSE(Register(Named("a", 1)));
  ActorEntry refused = Named("a", 2, kOtherDriver);
  EXPECT_TRUE(Register(refused));
  refused.state = ActorState::kDead;
  EXPECT_FALSE(Register(refused));
  ASSERT_TRUE(Find("a"));
  EXPECT_EQ(Find("a")->id, (ActorId{kDriver, 1}));
  EXPECT_TRUE(Register(Named("a", 3))) << "the name is taken still";
}

TEST_F(ActorDirectoryTest, ItsProcessDiesWithIt) {
  EXPECT_FALSE(Register(Named("a", 1)));
  ActorEntry restartable = Named("b", 2);
  restartable.restartable = true;
  EXPECT_FALSE(Register(restartable));
  ActorEntry elsewhere = Named("c", 3);
  elsewhere.process = kOtherWorker;
  EXPECT_FALSE(Register(elsewhere));
  directory.ProcessGone(kWorker, false, "crashed");
  EXPECT_FALSE(Find("a"));
  EXPECT_EQ(Find("b")->state, ActorState::kRestarting);
  EXPECT_EQ(Find("b")->process, ProcessId{});
  EXPECT_EQ(Find("c")->state, ActorState::kAlive);
}

TEST_F(ActorDirectoryTest, ItsCreatorTakesAllButDetachedOnesAlong) {
  EXPECT_FALSE(Register(Named("a", 1)));
  ActorEntry detached = Named("b", 2);
  detached.detached = true;
  EXPECT_FALSE(Register(detached));
  directory.ProcessGone(kDriver, false, "crashed");
  EXPECT_FALSE(Find("a"));
  EXPECT_EQ(Find("b")->state, ActorState::kAlive);
}

TEST_F(ActorDirectoryTest, NobodyRestartsADetachedOneWithoutItsCreator) {
  ActorEntry running = Named("a", 1);
  running.detached = running.restartable = true;
  EXPECT_FALSE(Register(running));
  ActorEntry homeless = running;
  homeless.id.serial = 2;
  homeless.name = "b";
  homeless.process = {};
  homeless.state = ActorState::kRestarting;
  EXPECT_FALSE(Register(homeless));
  directory.ProcessGone(kDriver, false, "crashed");
  EXPECT_TRUE(Find("a"));
  EXPECT_FALSE(Find("b"));
  directory.ProcessGone(kWorker, false, "crashed");
  EXPECT_FALSE(Find("a"));
}

// Nobody else could say that it is alive.
TEST_F(ActorDirectoryTest, ItsCreatorTakesADetachedOneAlongWhoseConstructorRuns) {
  ActorEntry constructed = Named("a", 1);
  constructed.detached = true;
  constructed.state = ActorState::kPending;
  EXPECT_FALSE(Register(constructed));
  std::optional<ActorEntry> answer;
  directory.Await(constructed.id, [&](const auto& actor) { answer = actor; });
  EXPECT_FALSE(answer);
  directory.ProcessGone(kDriver, false, "crashed");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->state, ActorState::kDead);
  EXPECT_FALSE(Find("a"));
}

TEST_F(ActorDirectoryTest, ItsLastDeathTellsHowOftenItHadBeenRestarted) {
  ActorEntry actor = Named("a", 1);
  actor.restarts = 2;
  EXPECT_FALSE(Register(actor));
  const std::string account = "the actor had been restarted 2 times and may not restart again";
  EXPECT_EQ(directory.ProcessGone(kWorker, false, "crashed").account, account);
  EXPECT_EQ(FindById(actor.id)->death, "crashed\n" + account);
}

TEST_F(ActorDirectoryTest, AnEndForGoodEndsARestartableOneToo) {
  ActorEntry restartable = Named("a", 1);
  restartable.restartable = true;
  EXPECT_FALSE(Register(restartable));
  EXPECT_FALSE(directory.ProcessGone(kWorker, true, "killed").starts_again);
  EXPECT_EQ(FindById(restartable.id)->state, ActorState::kDead);
  EXPECT_EQ(FindById(restartable.id)->death, "killed");
}

TEST_F(ActorDirectoryTest, AnActorMayEndBeforeItsProcess) {
  ActorEntry host = Named("host", 1);
  host.restartable = true;
  EXPECT_FALSE(Register(host));
  ActorEntry child;
  child.id = {kWorker, 1};
  child.name = "child";
  child.process = ProcessId{77};
  child.state = ActorState::kAlive;
  EXPECT_FALSE(Register(child));
  directory.HostRetired(kWorker, "it called ExitActor");
  EXPECT_FALSE(Find("host"));
  EXPECT_EQ(FindById(host.id)->death, "it called ExitActor");
  EXPECT_EQ(FindById(child.id)->state, ActorState::kAlive) << "its creator is still there";
  directory.ProcessGone(kWorker, true, "ended");
  EXPECT_EQ(FindById(child.id)->state, ActorState::kDead);
}

// It may not have begun: then that does not count, and the creator places it anew.
TEST_F(ActorDirectoryTest, ItsCreatorDecidesWhenItsProcessDiesBeforeItIsAlive) {
  ActorEntry actor = Named("a", 1);
  actor.state = ActorState::kPending;
  EXPECT_FALSE(Register(actor));
  EXPECT_TRUE(directory.ProcessGone(kWorker, false, "crashed").starts_again);
  ASSERT_TRUE(Find("a"));
  EXPECT_EQ(Find("a")->process, ProcessId{});
  EXPECT_FALSE(directory.ProcessGone(kDriver, false, "left").starts_again);
  EXPECT_FALSE(Find("a"));
}

TEST_F(ActorDirectoryTest, WhoAwaitsAnActorIsAnsweredWhenItIsAliveOrDead) {
  ActorEntry actor = Named("a", 1);
  actor.restartable = true;
  actor.state = ActorState::kPending;
  std::vector<ActorState> answers;
  const auto await = [&] {
    directory.Await(actor.id, [&](const auto& found) { answers.push_back(found->state); });
  };
  await();  // before anybody has heard of it
  EXPECT_FALSE(Register(actor));
  await();
  EXPECT_TRUE(answers.empty());
  actor.state = ActorState::kAlive;
  EXPECT_FALSE(Register(actor));
  EXPECT_EQ(answers, (std::vector{ActorState::kAlive, ActorState::kAlive}));
  EXPECT_TRUE(directory.ProcessGone(kWorker, false, "crashed").starts_again);
  await();
  EXPECT_EQ(answers.size(), 2u);
  directory.ProcessGone(kDriver, false, "left");
  EXPECT_EQ(answers.back(), ActorState::kDead);
}

TEST_F(ActorDirectoryTest, NobodyWaitsForWhatADeadCreatorNeverRegistered) {
  bool answered = false;
  directory.Await({kDriver, 7}, [&](const auto& found) { answered = !found; });
  directory.ProcessGone(kOtherDriver, false, "left");
  EXPECT_FALSE(answered);
  directory.ProcessGone(kDriver, false, "left");
  EXPECT_TRUE(answered);
}

TEST_F(ActorDirectoryTest, RemembersAFewOfTheDead) {
  for (uint64_t serial = 1; serial <= 4; ++serial) {
    EXPECT_FALSE(Register(Named("", serial)));
    ActorEntry dead = Named("", serial);
    dead.state = ActorState::kDead;
    EXPECT_FALSE(Register(dead));
  }
  EXPECT_EQ(Count(), 2u);
  EXPECT_FALSE(FindById({kDriver, 2}));
  EXPECT_TRUE(FindById({kDriver, 3}));
}

}  // namespace
}  // namespace manta::control_store
