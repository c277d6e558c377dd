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

}  // namespace
}  // namespace manta::model
