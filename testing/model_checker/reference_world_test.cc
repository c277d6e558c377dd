// The protocol of references, in all orders of everything. What is proven: a held reference never
// loses its object, everything is freed in the end, nothing waits for ever
// (ReferenceWorld::Violation says it exactly). Each test prints how many states there were;
// check_references runs larger worlds.
#include "testing/model_checker/reference_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "testing/model_checker/explorer.h"

namespace manta::model_checker {
namespace {

constexpr uint64_t kMaxStates = 1'000'000;  // more than each of these worlds has

void Check(const ReferenceWorldOptions& options) {
  const ExplorerResult result = Explorer<ReferenceWorld>(kMaxStates).Run(ReferenceWorld(options));
  std::printf("%s\n", result.ToString().c_str());
  EXPECT_TRUE(result.ok());
}

TEST(References, ArgumentsArePassedOn) { Check({.tasks = 3}); }

TEST(References, ArgumentsArePassedOnAmongFour) { Check({.processes = 4, .tasks = 2}); }

TEST(References, ResultsContainReferences) { Check({.tasks = 2, .results = true}); }

TEST(References, ResultsContainReferencesToWhatTheWorkerPut) {
  Check({.tasks = 2, .results = true, .worker_puts = 1, .in_order = true});
}

TEST(References, ResultsArePassedOnAndLookedInto) {
  Check({.tasks = 2, .results = true, .gets = 1});
}

TEST(References, NestedValuesArePassedOnAndLookedInto) {
  Check({.tasks = 2, .nested = true, .gets = 1});
}

TEST(References, ArgumentsSurviveACrash) {
  Check({.tasks = 2, .may_crash = {1, 2, 3}, .crashes = 1});
}

TEST(References, ArgumentsSurviveTwoCrashes) {
  Check({.tasks = 2, .may_crash = {1, 2, 3}, .crashes = 2});
}

TEST(References, ResultsSurviveACrash) {
  Check({.tasks = 2, .results = true, .may_crash = {2, 3}, .crashes = 1, .in_order = true});
}

TEST(References, NestedValuesSurviveACrash) {
  Check({.tasks = 2,
         .nested = true,
         .gets = 1,
         .may_crash = {1, 2},
         .crashes = 1,
         .in_order = true});
}

TEST(References, ManyKindsAtOnceSurviveCrashes) {
  Check({.tasks = 1,
         .results = true,
         .worker_puts = 1,
         .nested = true,
         .gets = 2,
         .may_crash = {1, 2, 3},
         .crashes = 2});
}

TEST(References, UsersCarryThemOutsideOfTasksAndValues) { Check({.tasks = 2, .carries = 2}); }

TEST(References, WhatUsersCarrySurvivesACrash) {
  Check({.tasks = 2, .carries = 2, .may_crash = {1, 2, 3}, .crashes = 1});
}

TEST(References, NestedValuesThatUsersCarrySurviveACrash) {
  Check({.tasks = 1, .nested = true, .gets = 1, .carries = 2, .may_crash = {1, 2, 3}, .crashes = 1});
}

// The explorer itself.

TEST(Explorer, ExceedingTheBoundIsAFailure) {
  const ExplorerResult result = Explorer<ReferenceWorld>(100).Run(ReferenceWorld({.tasks = 2}));
  EXPECT_TRUE(result.bound_exceeded);
  EXPECT_FALSE(result.ok());
}

// Two counters; the bad state is reachable in five steps, not less.
struct Counters {
  struct Action {
    int which;
  };
  std::vector<Action> Actions() const { return {{0}, {1}}; }
  void Apply(const Action& action) { ++(action.which == 0 ? a : b); }
  std::string Describe(const Action& action) const { return action.which == 0 ? "a" : "b"; }
  std::string Violation() const { return a == 2 && b == 3 ? "bad" : ""; }
  void Encode(std::string* out) const {
    *out += static_cast<char>(a);
    *out += static_cast<char>(b);
  }
  int a = 0, b = 0;
};

TEST(Explorer, FindsAShortestHistory) {
  const ExplorerResult result = Explorer<Counters>(1000).Run(Counters());
  EXPECT_EQ(result.violation, "bad");
  EXPECT_EQ(result.history.size(), 5u);
  EXPECT_EQ(std::count(result.history.begin(), result.history.end(), "b"), 3);
}

}  // namespace
}  // namespace manta::model_checker
