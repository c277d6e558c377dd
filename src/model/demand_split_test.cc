#include "model/demand_split.h"

#include <gtest/gtest.h>

namespace manta::model {
namespace {

DemandOnTwoNodes Wanting(uint32_t wanted) {
  DemandOnTwoNodes demand;
  demand.wanted = wanted;
  demand.feasible_here = true;
  demand.fit_here = 2;
  demand.capacity_there = 4;
  return demand;
}

TEST(DemandSplit, KeepsHereWhatFitsHere) {
  EXPECT_EQ(WantedThere(Wanting(0)), 0u);
  EXPECT_EQ(WantedThere(Wanting(2)), 0u);
}

TEST(DemandSplit, AsksThereForTheSurplusUpToWhatThereIs) {
  EXPECT_EQ(WantedThere(Wanting(3)), 1u);
  EXPECT_EQ(WantedThere(Wanting(100)), 4u);
}

TEST(DemandSplit, CountsWhatIsHeldHereAsFitting) {
  DemandOnTwoNodes demand = Wanting(3);
  demand.held_here = 2;
  demand.fit_here = 0;
  EXPECT_EQ(WantedThere(demand), 1u);
  demand.fit_here = 1;  // somebody else has finished
  EXPECT_EQ(WantedThere(demand), 0u);
}

TEST(DemandSplit, AsksThereWhenOthersHoldWhatIsHere) {
  DemandOnTwoNodes demand = Wanting(1);
  demand.fit_here = 0;
  EXPECT_EQ(WantedThere(demand), 1u);
}

TEST(DemandSplit, LeavesThereWhatIsHeldThereAndStillWanted) {
  DemandOnTwoNodes demand = Wanting(3);
  demand.held_there = 3;
  EXPECT_EQ(WantedThere(demand), 3u) << "the owner decides which lease goes back";
  demand.wanted = 2;
  demand.held_here = 1;
  demand.fit_here = 1;
  EXPECT_EQ(WantedThere(demand), 1u);
}

TEST(DemandSplit, SendsThereAllThatCanNeverBeHere) {
  DemandOnTwoNodes demand = Wanting(9);
  demand.feasible_here = false;
  EXPECT_EQ(WantedThere(demand), 9u);
  demand.capacity_there = 0;
  EXPECT_EQ(WantedThere(demand), 0u) << "nobody can: this node says so";
}

// With two that fit there, and room for four in all here.
DemandOnTwoNodes HadRatherBeThere(uint32_t wanted) {
  DemandOnTwoNodes demand;
  demand.wanted = wanted;
  demand.feasible_here = true;
  demand.capacity_here = 4;
  demand.capacity_there = 8;
  demand.fit_there = 2;
  return demand;
}

TEST(DemandSplit, WhatHadRatherBeThereIsHereOnlyWhenItDoesNotFitThere) {
  EXPECT_EQ(WantedThereFirst(HadRatherBeThere(0)), 0u);
  EXPECT_EQ(WantedThereFirst(HadRatherBeThere(2)), 2u);
  EXPECT_EQ(WantedThereFirst(HadRatherBeThere(3)), 2u);
  EXPECT_EQ(WantedThereFirst(HadRatherBeThere(10)), 6u) << "the rest waits where it had rather be";
}

TEST(DemandSplit, WhatHadRatherBeThereStaysHereWhileItIsWanted) {
  DemandOnTwoNodes demand = HadRatherBeThere(3);
  demand.held_here = 2;
  EXPECT_EQ(WantedThereFirst(demand), 1u) << "the owner decides which lease goes back";
  demand.wanted = 1;
  EXPECT_EQ(WantedThereFirst(demand), 0u);
}

}  // namespace
}  // namespace manta::model
