#include "node/system_labels.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace manta::node {
namespace {

TEST(SystemLabels, NameTheTypeOfTheGpusAsRayDoes) {
  EXPECT_EQ(AcceleratorType("Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 123\n"), "A100");
  EXPECT_EQ(AcceleratorType("Model: \t\t NVIDIA H200\n"), "H200");
  EXPECT_EQ(AcceleratorType("Model: \t\t Tesla V100-SXM2-16GB\n"), "V100");
  EXPECT_EQ(AcceleratorType("Model: \t\t NVIDIA L4"), "L4");
  EXPECT_EQ(AcceleratorType("Model: \t\t NVIDIA GeForce RTX 3090\n"), std::nullopt);
  EXPECT_EQ(AcceleratorType("Model: NVIDIA"), std::nullopt);
  EXPECT_EQ(AcceleratorType("Model:"), std::nullopt);
  EXPECT_EQ(AcceleratorType(""), std::nullopt);
}

TEST(SystemLabels, SayWhatTheEnvironmentSays) {
  setenv("RAY_NODE_REGION", "us-west1", 1);
  setenv("RAY_NODE_ZONE", "not a label", 1);
  setenv("RAY_NODE_MARKET_TYPE", "", 1);
  const model::NodeLabels expected{{"ray.io/availability-region", "us-west1"}};
  EXPECT_EQ(ReadSystemLabels(false), expected);
  for (const char* variable : {"RAY_NODE_REGION", "RAY_NODE_ZONE", "RAY_NODE_MARKET_TYPE"}) unsetenv(variable);
  EXPECT_TRUE(ReadSystemLabels(false).empty());
}

}  // namespace
}  // namespace manta::node
