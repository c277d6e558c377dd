#include "node/join.h"

#include <gtest/gtest.h>

namespace manta::node {
namespace {

TEST(LeadsTo, TheSameHeadInAnySpelling) {
  EXPECT_TRUE(LeadsTo("127.0.0.1:4711", "127.0.0.1:4711"));
  EXPECT_TRUE(LeadsTo("localhost:4711", "127.0.0.1:4711"));
  EXPECT_TRUE(LeadsTo("0.0.0.0:4711", "127.0.0.1:4711"));
  EXPECT_TRUE(LeadsTo("localhost:4711", "0.0.0.0:4711")) << "it listens everywhere";
}

TEST(LeadsTo, NoOther) {
  EXPECT_FALSE(LeadsTo("localhost:4712", "127.0.0.1:4711"));
  EXPECT_FALSE(LeadsTo("127.0.0.2:4711", "127.0.0.1:4711"));
  EXPECT_FALSE(LeadsTo("192.0.2.1:4711", "0.0.0.0:4711")) << "of another machine";
  EXPECT_FALSE(LeadsTo("nonsense", "127.0.0.1:4711"));
}

}  // namespace
}  // namespace manta::node
