#include "bin/table.h"

#include <gtest/gtest.h>

namespace manta::bin {
namespace {

TEST(TableTest, AlignsColumnsInOrderOfAppearance) {
  EXPECT_EQ(TableOf(R"([{"worker": 3, "state": "idle"}, {"worker": 12, "actor": true}])"),
            "worker  state  actor\n"
            "3       idle   -\n"
            "12      -      yes\n");
}

TEST(TableTest, ShowsAProcessInWords) {
  EXPECT_EQ(TableOf(R"([{"owner": {"description": "driver 2, pid 7", "process": 2, "pid": 7}}])"),
            "owner\n"
            "driver 2, pid 7\n");
}

TEST(TableTest, NothingIsSaidToBeNothing) { EXPECT_EQ(TableOf("[]"), "(none)\n"); }

TEST(TableTest, OtherTextStaysAsItIs) {
  EXPECT_EQ(TableOf(R"({"error": "no"})"), "{\"error\": \"no\"}\n");
  EXPECT_EQ(TableOf("[1, 2]"), "[1, 2]\n");
  EXPECT_EQ(TableOf("garbage"), "garbage\n");
}

}  // namespace
}  // namespace manta::bin
