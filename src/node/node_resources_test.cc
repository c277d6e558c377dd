#include "node/node_resources.h"

#include <gtest/gtest.h>

namespace manta::node {
namespace {

TEST(NodeResourcesTest, ReadsLimitsOfBothGenerations) {
  EXPECT_EQ(ParseMemoryLimit("1073741824\n"), 1073741824u);
  EXPECT_EQ(ParseMemoryLimit("max\n"), std::nullopt);
  EXPECT_EQ(ParseMemoryLimit("9223372036854771712\n"), std::nullopt);  // unlimited, first version
  EXPECT_EQ(ParseMemoryLimit(""), std::nullopt);
  EXPECT_EQ(ParseMemoryLimit("-1\n"), std::nullopt);
}

TEST(NodeResourcesTest, RoundsQuotasUp) {
  EXPECT_EQ(ParseCpuMax("200000 100000\n"), 2u);
  EXPECT_EQ(ParseCpuMax("150000 100000\n"), 2u);
  EXPECT_EQ(ParseCpuMax("1000 100000\n"), 1u);
  EXPECT_EQ(ParseCpuMax("max 100000\n"), std::nullopt);
  EXPECT_EQ(ParseCpuMax("-1\n 100000\n"), std::nullopt);
  EXPECT_EQ(ParseCpuMax(" "), std::nullopt);
}

TEST(NodeResourcesTest, FindsItsControlGroups) {
  const char* text = "5:cpu,cpuacct:/docker/a\n4:memory:/docker/b\n0::/user.slice\n";
  EXPECT_EQ(CgroupPath(text, "memory"), "/docker/b");
  EXPECT_EQ(CgroupPath(text, "cpu"), "/docker/a");
  EXPECT_EQ(CgroupPath(text, "cpuacct"), "/docker/a");
  EXPECT_EQ(CgroupPath(text, ""), "/user.slice");
  EXPECT_EQ(CgroupPath(text, "pids"), std::nullopt);
  EXPECT_EQ(CgroupPath("garbage\n", "memory"), std::nullopt);
}

TEST(NodeResourcesTest, ThisMachineHasSomething) {
  const MachineLimits limits = ReadMachineLimits();
  EXPECT_GE(limits.cores, 1u);
  EXPECT_GT(limits.memory_bytes, 64u << 20);
}

TEST(NodeResourcesTest, TheObjectArenaStaysWithinTheMemory) {
  constexpr uint64_t kGiB = 1 << 30;
  EXPECT_EQ(ObjectArenaBytes(0, 10 * kGiB).value(), 3 * kGiB);
  EXPECT_EQ(ObjectArenaBytes(kGiB, 2 * kGiB).value(), kGiB);
  EXPECT_FALSE(ObjectArenaBytes(3 * kGiB, 2 * kGiB));
  EXPECT_EQ(ObjectArenaBytes((64 << 20) - 1, kGiB).error().kind, MANTA_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(ObjectArenaBytes(0, 100 << 20).error().kind, MANTA_ERROR_START_FAILED);
  EXPECT_EQ(ObjectArenaBytes((64 << 20) + 1, kGiB).value(), 64u << 20);  // whole granules
}

}  // namespace
}  // namespace manta::node
