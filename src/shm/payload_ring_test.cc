#include "shm/payload_ring.h"

#include <gtest/gtest.h>

namespace manta::shm {
namespace {

TEST(PayloadRingTest, GivesSpaceInOrderAndTakesItBackInOrder) {
  PayloadRing ring(256);
  EXPECT_EQ(ring.Allocate(100, 0), 0u);
  EXPECT_EQ(ring.Allocate(100, 1), 128u);
  EXPECT_EQ(ring.Allocate(1, 2), std::nullopt);
  ring.Reclaim([](uint32_t position) { return position == 1; });
  EXPECT_EQ(ring.Allocate(1, 2), std::nullopt) << "the space of entry 0, which is older, is still in use";
  ring.Reclaim(Before{1});
  EXPECT_EQ(ring.Allocate(64, 2), 0u);
  EXPECT_EQ(ring.Allocate(65, 3), std::nullopt);
}

TEST(PayloadRingTest, SpaceIsInOnePiece) {
  PayloadRing ring(256);
  EXPECT_EQ(ring.Allocate(128, 0), 0u);
  EXPECT_EQ(ring.Allocate(64, 1), 128u);
  ring.Reclaim(Before{1});
  EXPECT_EQ(ring.Allocate(128, 2), 0u) << "64 bytes at the end are left out";
  EXPECT_EQ(ring.Allocate(1, 3), std::nullopt);
}

TEST(PayloadRingTest, StartsOverWhenItIsEmpty) {
  PayloadRing ring(256);
  EXPECT_EQ(ring.Allocate(64, 0), 0u);
  ring.Reclaim(Before{1});
  EXPECT_EQ(ring.Allocate(256, 1), 0u);
  EXPECT_EQ(ring.Allocate(257, 2), std::nullopt) << "more than there is";
}

// A long run of entries without payload takes nothing from one that is not done.
TEST(PayloadRingTest, KeepsWhatIsInUseThoughEntriesWithoutPayloadGoRoundTheRing) {
  PayloadRing ring(128);
  EXPECT_EQ(ring.Allocate(64, 60), 0u);
  ring.Reclaim(Before{30});
  EXPECT_EQ(ring.Allocate(64, 91), 64u);
  ring.Reclaim(Before{60});
  EXPECT_EQ(ring.Allocate(64, 92), std::nullopt);
  ring.Reclaim(Before{61});
  EXPECT_EQ(ring.Allocate(64, 92), 0u);
}

TEST(PayloadRingTest, PositionsWrapAround) {
  PayloadRing ring(128);
  EXPECT_EQ(ring.Allocate(64, UINT32_MAX), 0u);
  EXPECT_EQ(ring.Allocate(64, 0), 64u);
  ring.Reclaim(Before{UINT32_MAX});
  EXPECT_EQ(ring.Allocate(64, 1), std::nullopt);
  ring.Reclaim(Before{0});
  EXPECT_EQ(ring.Allocate(64, 1), 0u);
}

}  // namespace
}  // namespace manta::shm
