#include "node/channel_allocator.h"

#include <gtest/gtest.h>

namespace manta::node {
namespace {

class ChannelAllocatorTest : public testing::Test {
 protected:
  ChannelAllocatorTest() {
    ControlArenaOptions options;
    options.bytes = 64 << 20;
    options.process_pages = 16;
    options.node_index = NodeIndexOf(ProcessId{1});
    arena = std::move(ControlArena::Create(options)).value();
    channels = std::make_unique<ChannelAllocator>(*arena);
    for (uint64_t id = 1; id <= 4; ++id) ends.push_back({ProcessId{id}, *arena->AcquirePage({id})});
  }
  uint64_t Open(int owner, int worker, bool dedicated = false) {
    Result<uint64_t> channel = channels->Open(ends[owner], ends[worker], dedicated);
    EXPECT_TRUE(channel);
    return channel ? channel.value() : 0;
  }
  shm::ProcessPage& Page(int end) { return arena->page(ends[end].page); }
  shm::ChannelHeader& Header(uint64_t offset) {
    return *shm::ViewChannel(arena->base(), offset).header;
  }
  void Acknowledge(int end) {
    Page(end).channel_version_seen.store(Page(end).channel_version.load());
  }

  std::unique_ptr<ControlArena> arena;
  std::unique_ptr<ChannelAllocator> channels;
  std::vector<ChannelAllocator::End> ends;
};

TEST_F(ChannelAllocatorTest, OnePerPairAndDirection) {
  const uint64_t there = Open(0, 1);
  EXPECT_EQ(Open(0, 1), there);
  EXPECT_NE(Open(1, 0), there);
  EXPECT_NE(Open(0, 2), there);
  EXPECT_EQ(channels->channels(), 3u);
}

TEST_F(ChannelAllocatorTest, TheWorkersTableIsVersioned) {
  const uint64_t first = Open(0, 1);
  const uint64_t second = Open(2, 1);
  EXPECT_EQ(Page(1).channel_count.load(), 2u);
  EXPECT_EQ(Page(1).channel_version.load(), 2u);
  EXPECT_EQ(uint64_t{Page(1).channels[0].load()} * 64, first);
  EXPECT_EQ(uint64_t{Page(1).channels[1].load()} * 64, second);
  EXPECT_EQ(Page(0).channel_count.load(), 0u);
}

TEST_F(ChannelAllocatorTest, ATableLimitsTheChannelsOfWorkersOfThisNodeOnly) {
  ControlArenaOptions options;
  options.bytes = uint64_t{4} << 30;
  options.process_pages = 2;
  options.node_index = 1;
  const auto large = std::move(ControlArena::Create(options)).value();
  ChannelAllocator many(*large);
  const auto open = [&](ProcessId owner, ProcessId worker) {
    return static_cast<bool>(many.Open({owner, 0}, {worker, 1}, true));
  };
  for (uint32_t i = 1; i <= shm::kMaxChannelsPerProcess + 1; ++i) {
    ASSERT_TRUE(open(MakeProcessId(1, 1), MakeProcessId(2, i))) << i;
    ASSERT_EQ(open(MakeProcessId(2, i), MakeProcessId(1, 1)), i <= shm::kMaxChannelsPerProcess) << i;
  }
}

TEST_F(ChannelAllocatorTest, TheWorkerIsWoken) {
  Page(1).doorbell.Announce();
  Open(0, 1);
  EXPECT_EQ(Page(1).doorbell.parked.load(), 0u);
}

TEST_F(ChannelAllocatorTest, AnActorsChannelIsMarked) {
  EXPECT_EQ(Header(Open(0, 1, true)).dedicated, 1);
  const uint64_t tasks = Open(0, 2);
  EXPECT_EQ(Header(tasks).dedicated, 0);
  EXPECT_EQ(Open(0, 2, true), tasks);
  EXPECT_EQ(Header(tasks).dedicated, 1);
}

TEST_F(ChannelAllocatorTest, ADeadWorkersChannelWaitsForItsOwner) {
  const uint64_t first = Open(0, 1);
  EXPECT_EQ(channels->ProcessGone(ends[1].process), std::vector<ProcessId>{ends[0].process});
  EXPECT_NE(Open(0, 2), first);
  channels->ReleasedByOwner(ends[3].process, first);  // not its channel
  EXPECT_NE(Open(0, 3), first);
  channels->ReleasedByOwner(ends[0].process, first);
  EXPECT_EQ(channels->channels(), 2u);
  EXPECT_EQ(Open(2, 3), first);
}

TEST_F(ChannelAllocatorTest, ADeadWorkersChannelToAnotherNodeIsFreeAtOnce) {
  const ChannelAllocator::End far{ProcessId{uint64_t{2} << 32 | 1}, ends[3].page};
  ASSERT_TRUE(channels->Open(far, ends[1], false));
  channels->ProcessGone(ends[1].process);
  EXPECT_EQ(channels->channels(), 0u);
}

TEST_F(ChannelAllocatorTest, ALivingPairsChannelIsNotReleased) {
  const uint64_t first = Open(0, 1);
  channels->ReleasedByOwner(ends[0].process, first);
  EXPECT_EQ(Open(0, 1), first);
  EXPECT_NE(Open(2, 3), first);
}

TEST_F(ChannelAllocatorTest, ADeadOwnersChannelWaitsForItsWorker) {
  const uint64_t first = Open(0, 1);
  Acknowledge(1);
  channels->ProcessGone(ends[0].process);
  EXPECT_EQ(Page(1).channels[0].load(), 0u);
  EXPECT_EQ(Page(1).channel_version.load(), 2u);
  EXPECT_NE(Open(2, 3), first);  // not acknowledged yet
  Acknowledge(1);
  EXPECT_EQ(Open(3, 2), first);
}

TEST_F(ChannelAllocatorTest, AVersionThatWrapsAroundIsStillLater) {
  Page(1).channel_version.store(UINT32_MAX - 1);
  const uint64_t first = Open(0, 1);  // version UINT32_MAX
  Acknowledge(1);
  channels->ProcessGone(ends[0].process);  // version 0
  EXPECT_NE(Open(2, 3), first) << "the worker has not seen that it is gone";
  Acknowledge(1);
  EXPECT_EQ(Open(3, 2), first);
}

TEST_F(ChannelAllocatorTest, AWorkerThatHasSeenALaterVersionHasLetGo) {
  Page(1).channel_version.store(UINT32_MAX - 2);
  const uint64_t first = Open(0, 1);
  Acknowledge(1);
  channels->ProcessGone(ends[0].process);  // version UINT32_MAX
  Open(2, 1);                              // version 0
  Acknowledge(1);
  EXPECT_EQ(Open(3, 2), first);
}

TEST_F(ChannelAllocatorTest, BothDeadIsEnough) {
  const uint64_t first = Open(0, 1);
  channels->ProcessGone(ends[0].process);
  channels->ProcessGone(ends[1].process);
  EXPECT_EQ(channels->channels(), 0u);
  EXPECT_EQ(channels->used_bytes(), 0u);
  EXPECT_EQ(Open(2, 3), first);
}

TEST_F(ChannelAllocatorTest, UsedMemoryComesBackZeroed) {
  const uint64_t first = Open(0, 1);
  shm::ChannelView view = shm::ViewChannel(arena->base(), first);
  view.slots[3].word.store(77);
  view.result_payload[5] = 9;
  channels->ProcessGone(ends[0].process);
  channels->ProcessGone(ends[1].process);
  EXPECT_EQ(Open(2, 3), first);
  EXPECT_EQ(view.slots[3].word.load(), 0u);
  EXPECT_EQ(view.result_payload[5], 0);
}

TEST_F(ChannelAllocatorTest, HolesInTheTableAreFilled) {
  Open(0, 1);
  Open(2, 1);
  channels->ProcessGone(ends[0].process);
  const uint64_t third = Open(3, 1);
  EXPECT_EQ(uint64_t{Page(1).channels[0].load()} * 64, third);
  EXPECT_EQ(Page(1).channel_count.load(), 2u);
}

TEST_F(ChannelAllocatorTest, AFullArenaIsAnError) {
  ControlArenaOptions options;
  const ChannelSizes& sizes = kActorChannel;
  const uint64_t one = shm::ChannelBytes(sizes.log2_slots, sizes.log2_completions,
                                         sizes.task_payload_bytes, sizes.result_payload_bytes);
  options.bytes = 4096 + 4 * sizeof(shm::ProcessPage) + one * 3 / 2;
  options.process_pages = 4;
  auto small = std::move(ControlArena::Create(options)).value();
  ChannelAllocator few(*small);
  const ChannelAllocator::End a{ProcessId{1}, *small->AcquirePage({1})};
  const ChannelAllocator::End b{ProcessId{2}, *small->AcquirePage({2})};
  EXPECT_TRUE(few.Open(a, b, true));
  const Result<uint64_t> second = few.Open(b, a, true);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("no room"), std::string::npos);
}

TEST_F(ChannelAllocatorTest, PagesRunOutAndComeBackClean) {
  ControlArenaOptions options;
  options.bytes = 4 << 20;
  options.process_pages = 2;
  auto small = std::move(ControlArena::Create(options)).value();
  const auto a = small->AcquirePage({1});
  EXPECT_TRUE(small->AcquirePage({2}));
  EXPECT_FALSE(small->AcquirePage({3}));
  shm::ObjectSlot<shm::RealAtomics> object{};
  object.word.store(shm::ObjectWord(1, shm::ObjectState::kSealed));
  ASSERT_TRUE(small->page(*a).pins.Pin(7, 5, 1, object));
  EXPECT_EQ(small->AllPins(), std::vector<uint64_t>{shm::PinWord(5, 1)});
  small->ReleasePage(*a);
  EXPECT_TRUE(small->AllPins().empty());
  EXPECT_EQ(small->AcquirePage({3}), a);
  EXPECT_EQ(small->page(*a).process, 3u);
  EXPECT_TRUE(small->AllPins().empty());
}

}  // namespace
}  // namespace manta::node
