#include "model/resources.h"

#include <gtest/gtest.h>

#include <limits>

#include "model/free_resources.h"

namespace manta::model {
namespace {

ResourceSet Make(std::initializer_list<std::pair<std::string_view, double>> amounts) {
  ResourceSet set;
  for (const auto& [name, units] : amounts) set.Set(name, ToFixedPoint(name, units).value());
  return set;
}

TEST(ResourceSet, ZeroAmountsAreNotStored) {
  ResourceSet set = Make({{kCpu, 1}, {kGpu, 0}});
  EXPECT_EQ(set, Make({{kCpu, 1}}));
  set.Set(kCpu, 0);
  EXPECT_TRUE(set.empty());
  EXPECT_EQ(set.Get(kCpu), 0);
}

TEST(ResourceSet, SubtractUndoesAdd) {
  ResourceSet set = Make({{kCpu, 2}});
  set.Add(Make({{kCpu, 0.5}, {kGpu, 1}}));
  EXPECT_EQ(set, Make({{kCpu, 2.5}, {kGpu, 1}}));
  set.Subtract(Make({{kCpu, 0.5}, {kGpu, 1}}));
  EXPECT_EQ(set, Make({{kCpu, 2}}));
}

TEST(ResourceSet, MayBecomeNegativeAndComeBack) {
  ResourceSet set = Make({{kCpu, 1}});
  set.Subtract(Make({{kCpu, 2}}));
  EXPECT_EQ(set.Get(kCpu), -kResourceUnit);
  EXPECT_EQ(set.ToString(), "{CPU: -1}");
  set.Add(Make({{kCpu, 1}}));
  EXPECT_TRUE(set.empty());
}

// What two nodes have together, and what tasks took that came back for their CPUs.
TEST(ResourceSet, SumsOfTheLargestAmountsStayInBounds) {
  const ResourceSet most = Make({{kMemory, static_cast<double>(kMaxUnits)}});
  ResourceSet sum;
  for (int i = 0; i < 3; ++i) sum.Add(most);
  EXPECT_EQ(sum.Get(kMemory), 3 * kMaxAmount);
  sum.Add(most);
  EXPECT_EQ(sum.Get(kMemory), std::numeric_limits<int64_t>::max());
  ResourceSet debt;
  for (int i = 0; i < 4; ++i) debt.Subtract(most);
  EXPECT_EQ(debt.Get(kMemory), std::numeric_limits<int64_t>::min());
}

TEST(ResourceSet, ContainsWhatFits) {
  const ResourceSet node = Make({{kCpu, 2}, {"disk", 1}});
  EXPECT_TRUE(node.Contains(Make({{kCpu, 2}})));
  EXPECT_TRUE(node.Contains({}));
  EXPECT_FALSE(node.Contains(Make({{kCpu, 2.0001}})));
  EXPECT_FALSE(node.Contains(Make({{kGpu, 0.5}})));
}

TEST(ResourceSet, ARequestForNothingFitsIntoADebt) {
  ResourceSet node;
  node.Set(kCpu, -kResourceUnit);
  EXPECT_TRUE(node.Contains({}));
  EXPECT_TRUE(node.Contains(Make({{kCpu, 0}})));
  EXPECT_FALSE(node.Contains(Make({{kCpu, 0.5}})));
}

TEST(ResourceSet, OnlyKeepsOneName) {
  EXPECT_EQ(Make({{kCpu, 2}, {kGpu, 1}}).Only(kCpu), Make({{kCpu, 2}}));
  EXPECT_TRUE(Make({{kGpu, 1}}).Only(kCpu).empty());
}

TEST(ResourceSet, PrintsAsPeopleWrite) {
  EXPECT_EQ(ResourceSet().ToString(), "{}");
  EXPECT_EQ(Make({{kCpu, 1}, {kGpu, 0.5}}).ToString(), "{CPU: 1, GPU: 0.5}");
  EXPECT_EQ(Make({{kMemory, 1e9}, {"x", 0.0001}}).ToString(), "{memory: 1000000000, x: 0.0001}");
}

TEST(ResourceSet, PrintsTheAmountsOfOthersNamesZerosIncluded) {
  EXPECT_EQ(Make({{kCpu, 2}, {"disk", 1}}).ToString(Make({{kCpu, 1}, {kGpu, 1}})), "{CPU: 2, GPU: 0}");
  ResourceSet debt;
  debt.Set(kCpu, -kResourceUnit / 2);
  EXPECT_EQ(debt.ToString(), "{CPU: -0.5}");
}

TEST(FreeResources, OfADebtThereIsNothing) {
  ResourceSet there = Make({{kGpu, 1}});
  there.Set(kCpu, -kResourceUnit);
  EXPECT_EQ(AtMost(Make({{kCpu, 1}, {kGpu, 2}, {"disk", 1}}), there), Make({{kGpu, 1}}));
}

TEST(FreeResources, CountHowOftenARequestFits) {
  FreeResources free{Make({{kCpu, 3}, {"disk", 1}, {kGpu, 2}}), GpuUnits(2 * kResourceUnit)};
  EXPECT_EQ(free.Times(Make({{kCpu, 1}, {"disk", 0.5}}), 9), 2u);
  EXPECT_EQ(free.Times(Make({{kCpu, 1}}), 9), 3u);
  EXPECT_EQ(free.Times(Make({{kCpu, 1}}), 1), 1u);
  EXPECT_EQ(free.Times(Make({{kGpu, 0.6}}), 9), 2u) << "three in sum, but no GPU has room for two";
  EXPECT_EQ(free.Times({}, 9), 9u);
  free.amounts.Subtract(Make({{kCpu, 4}}));
  EXPECT_EQ(free.Times(Make({{kCpu, 0.0001}}), 9), 0u) << "a debt";
}

TEST(FreeResources, KeepWhatIsThere) {
  FreeResources free{Make({{kCpu, 1}, {kGpu, 2}}), GpuUnits(2 * kResourceUnit)};
  free.Keep(Make({{kCpu, 3}, {kGpu, 0.5}}));
  EXPECT_EQ(free.amounts, Make({{kGpu, 1.5}}));
  EXPECT_EQ(free.gpus.free(), kResourceUnit * 3 / 2);
  EXPECT_TRUE(free.Contains(Make({{kGpu, 1}})));
  free.Take(Make({{kGpu, 1}}));
  EXPECT_FALSE(free.Contains(Make({{kGpu, 1}})));
  EXPECT_TRUE(free.Contains(Make({{kGpu, 0.5}})));
  EXPECT_FALSE(free.Contains(Make({{kCpu, 1}})));
}

TEST(ToFixedPoint, TakesMultiplesOfTheGranularity) {
  EXPECT_EQ(ToFixedPoint(kCpu, 0).value(), 0);
  EXPECT_EQ(ToFixedPoint(kCpu, 1).value(), kResourceUnit);
  EXPECT_EQ(ToFixedPoint(kCpu, 0.1).value(), 1000);
  EXPECT_EQ(ToFixedPoint(kCpu, 0.0001).value(), 1);
  EXPECT_EQ(ToFixedPoint(kMemory, 1099511627776.0).value(), (int64_t{1} << 40) * kResourceUnit);
  const double most = static_cast<double>(kMaxUnits);  // 256 TiB
  EXPECT_EQ(ToFixedPoint(kMemory, most).value(), kMaxAmount);
  EXPECT_FALSE(ToFixedPoint(kMemory, most + 1));
}

TEST(ToFixedPoint, RefusesWhatIsNoAmount) {
  for (const double bad : {-1.0, 0.00009, 1e15, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    const Result<int64_t> result = ToFixedPoint(kGpu, bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().kind, MANTA_ERROR_INVALID_ARGUMENT);
    EXPECT_NE(result.error().message.find("GPU"), std::string::npos) << result.error().message;
  }
}

}  // namespace
}  // namespace manta::model
