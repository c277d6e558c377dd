#include "model/actor_life.h"

#include <gtest/gtest.h>

namespace manta::model {
namespace {

TEST(ActorLife, DiesWithItsProcessUnlessRestartsAreAllowed) {
  ActorLife life;
  life.Created();
  EXPECT_FALSE(life.HostEnded(HostEnd::kCrash));
  EXPECT_EQ(life.phase(), ActorPhase::kDead);
  EXPECT_EQ(life.Account(), "");
}

TEST(ActorLife, RestartsAsOftenAsAllowed) {
  ActorLife life(2);
  for (uint32_t restart = 1; restart <= 2; ++restart) {
    life.Created();
    EXPECT_TRUE(life.HostEnded(HostEnd::kCrash));
    EXPECT_EQ(life.phase(), ActorPhase::kRestarting);
    EXPECT_EQ(life.restarts(), restart);
  }
  life.Created();
  EXPECT_EQ(life.phase(), ActorPhase::kAlive);
  EXPECT_FALSE(life.may_restart());
  EXPECT_FALSE(life.HostEnded(HostEnd::kCrash));
  EXPECT_EQ(life.Account(), "it had been restarted 2 times (max_restarts = 2)");
}

TEST(ActorLife, ACrashDuringCreationUsesUpARestart) {
  ActorLife life(1);
  EXPECT_TRUE(life.HostEnded(HostEnd::kCrash));
  EXPECT_FALSE(life.HostEnded(HostEnd::kCrash));
  EXPECT_EQ(life.Account(), "it had been restarted 1 time (max_restarts = 1)");
}

TEST(ActorLife, AProcessThatNeverBeganCostsNothing) {
  ActorLife life;
  EXPECT_TRUE(life.HostEnded(HostEnd::kUnused));
  EXPECT_EQ(life.phase(), ActorPhase::kPending);
  EXPECT_EQ(life.restarts(), 0u);
}

TEST(ActorLife, MinusOneRestartsWithoutEnd) {
  ActorLife life(-1);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(life.HostEnded(HostEnd::kCrash));
  EXPECT_TRUE(life.may_restart());
  EXPECT_EQ(life.Account(), "it had been restarted 1000 times");
}

TEST(ActorLife, AnEndForGoodIsFinalWhateverIsLeft) {
  ActorLife life(-1);
  life.Created();
  EXPECT_FALSE(life.HostEnded(HostEnd::kForGood));
  EXPECT_FALSE(life.HostEnded(HostEnd::kUnused));
  life.Created();  // late news
  EXPECT_EQ(life.phase(), ActorPhase::kDead);
}

TEST(ActorLife, WithoutHandlesItIsNotRestarted) {
  ActorLife life(5);
  life.Created();
  life.Retire();
  EXPECT_FALSE(life.may_restart());
  EXPECT_FALSE(life.HostEnded(HostEnd::kCrash));
}

TEST(ActorLife, WithoutHandlesItGetsNoOtherProcessEvenIfItNeverBegan) {
  ActorLife life(5);
  life.Retire();
  EXPECT_FALSE(life.HostEnded(HostEnd::kUnused));
  EXPECT_EQ(life.phase(), ActorPhase::kDead);
}

}  // namespace
}  // namespace manta::model
