#include "worker/value_windows.h"

#include <gtest/gtest.h>

namespace manta::worker {
namespace {

constexpr ProcessId kPeer{7};
constexpr ProcessId kOther{8};
constexpr size_t kWindow = ValueWindows::kBytes;

ObjectId Object(uint32_t index) { return {ProcessId{1}, index, 0}; }

TEST(ValueWindowsTest, KeepsTheRestUntilSomeIsTaken) {
  ValueWindows windows;
  windows.Sent(kPeer, kWindow - 1);
  EXPECT_TRUE(windows.Admits(kPeer));
  windows.Sent(kPeer, 10);
  EXPECT_FALSE(windows.Admits(kPeer));
  EXPECT_TRUE(windows.Admits(kOther));
  windows.Wait(kPeer, Object(1));
  windows.Wait(kPeer, Object(2));
  EXPECT_EQ(windows.Next(kPeer), std::nullopt);

  windows.Taken(kPeer, 10);
  EXPECT_EQ(windows.Next(kPeer), Object(1));
  windows.Sent(kPeer, 1);
  EXPECT_EQ(windows.Next(kPeer), std::nullopt);
}

// Or those that wait would be overtaken for ever.
TEST(ValueWindowsTest, KeepsTheOrder) {
  ValueWindows windows;
  windows.Sent(kPeer, kWindow);
  windows.Wait(kPeer, Object(1));
  windows.Taken(kPeer, kWindow);
  EXPECT_FALSE(windows.Admits(kPeer));
  EXPECT_EQ(windows.Next(kPeer), Object(1));
  EXPECT_TRUE(windows.Admits(kPeer));
}

TEST(ValueWindowsTest, PassesAValueOfAnySize) {
  ValueWindows windows;
  windows.Sent(kPeer, 100 * kWindow);
  windows.Wait(kPeer, Object(1));
  windows.Taken(kPeer, 100 * kWindow);
  EXPECT_EQ(windows.Next(kPeer), Object(1));
}

// What the receiver has not told yet must leave room, or both would wait.
TEST(ValueWindowsTest, TellsByHalves) {
  ValueWindows windows;
  EXPECT_EQ(windows.Received(kPeer, kWindow / 2 - 1), 0u);
  EXPECT_EQ(windows.Received(kOther, 1), 0u);
  EXPECT_EQ(windows.Received(kPeer, 1), kWindow / 2);
  EXPECT_EQ(windows.Received(kPeer, 1), 0u);
}

TEST(ValueWindowsTest, ForgetsWhoIsGone) {
  ValueWindows windows;
  windows.Sent(kPeer, kWindow);
  windows.Wait(kPeer, Object(1));
  windows.Received(kPeer, kWindow / 2 - 1);
  windows.ProcessGone(kPeer);
  EXPECT_TRUE(windows.Admits(kPeer));
  EXPECT_EQ(windows.Next(kPeer), std::nullopt);
  EXPECT_EQ(windows.Received(kPeer, 1), 0u);
}

}  // namespace
}  // namespace manta::worker
