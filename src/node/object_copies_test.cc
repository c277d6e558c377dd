#include "node/object_copies.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>

#include <optional>

#include "node/control_arena.h"
#include "node/process_table.h"

namespace manta::node {
namespace {

constexpr uint64_t kSize = 1 << 20;

// A store without another node: what that would send is handed over here.
class ObjectCopiesTest : public testing::Test {
 protected:
  ObjectCopiesTest() {
    ControlArenaOptions options;
    options.bytes = 64 << 20;
    options.process_pages = 16;
    options.node_index = NodeIndexOf(self);
    arena = std::move(ControlArena::Create(options)).value();
    page = *arena->AcquirePage(reader);
    objects = std::move(ObjectSpace::Create(loop, log, processes, *arena, 64 << 20, 0)).value();
    copies = std::make_unique<ObjectCopies>(*objects, self);
  }
  // As a task's argument is: somebody holds the use until the task is in its worker's ring.
  ObjectCopies::Local Copy(uint32_t slot) {
    std::optional<ObjectCopies::Local> copy;
    const shm::SharedHandle origin{slot, 1, 0, kSize};
    copies->Copy(origin, [&](const Result<ObjectCopies::Local>& local) { copy = local.value(); });
    loop.Post([this] { loop.Stop(); });
    loop.Run();
    if (!copy) {
      const trunk::ChunkFrame chunk{++pulls, 0};
      const auto head = trunk::BytesOf(chunk);
      std::vector<uint8_t> body(head.begin(), head.end());
      body.resize(body.size() + kSize, static_cast<uint8_t>(slot));
      EXPECT_TRUE(copies->OnFrame({trunk::FrameKind::kChunk, body}));
    }
    EXPECT_TRUE(copy);
    return copy.value_or(ObjectCopies::Local{});
  }
  bool IsThere(const shm::SharedHandle& handle) const { return objects->IsSealed(handle); }

  const ProcessId self = MakeProcessId(1, 1), reader = MakeProcessId(1, 2);
  EventLoop loop;
  spdlog::logger log{"daemon"};
  ProcessTable processes{1};
  std::unique_ptr<ControlArena> arena;
  uint32_t page = 0;
  std::unique_ptr<ObjectSpace> objects;
  std::unique_ptr<ObjectCopies> copies;
  uint64_t pulls = 0;
};

TEST_F(ObjectCopiesTest, AreMadeOncePerOrigin) {
  const ObjectCopies::Local first = Copy(1), again = Copy(1), other = Copy(2);
  EXPECT_EQ(first.handle.slot, again.handle.slot);
  EXPECT_NE(first.handle.slot, other.handle.slot);
  EXPECT_EQ(pulls, 2u);
}

TEST_F(ObjectCopiesTest, MakeRoomOnlyWhenNobodyIsToReadThem) {
  ObjectCopies::Local copy = Copy(1);
  EXPECT_FALSE(copies->FreeIdle(1));
  EXPECT_TRUE(IsThere(copy.handle));
  copy.use.reset();
  EXPECT_TRUE(copies->FreeIdle(1));
  EXPECT_FALSE(IsThere(copy.handle));
}

TEST_F(ObjectCopiesTest, MakeNoRoomWhileTheyAreReadInPlace) {
  ObjectCopies::Local copy = Copy(1);
  copy.use.reset();
  auto& pins = arena->page(page).pins;
  pins.Keep(0, copy.handle.slot, copy.handle.generation);
  EXPECT_FALSE(copies->FreeIdle(1));
  pins.Unpin(0);
  EXPECT_TRUE(copies->FreeIdle(1));
}

TEST_F(ObjectCopiesTest, MakeNoRoomWhileTheyAreLent) {
  shm::SharedHandle lent = Copy(1).handle;
  copies->Lend({1, 1, 0, kSize}, [&](const Result<ObjectCopies::Local>& local) { lent = local.value().handle; });
  EXPECT_FALSE(copies->FreeIdle(1));
  EXPECT_TRUE(IsThere(lent));
}

TEST_F(ObjectCopiesTest, MakeRoomFirstWhereTheyWereAskedForTheLongestAgo) {
  const shm::SharedHandle first = Copy(1).handle, second = Copy(2).handle;
  Copy(1);
  EXPECT_TRUE(copies->FreeIdle(kSize));
  EXPECT_TRUE(IsThere(first));
  EXPECT_FALSE(IsThere(second));
}

TEST_F(ObjectCopiesTest, GoWithTheirOriginAndWithItsNode) {
  const shm::SharedHandle first = Copy(1).handle, second = Copy(2).handle;
  EXPECT_TRUE(copies->OnFrame({trunk::FrameKind::kOriginFreed, trunk::BytesOf(trunk::HandleName{1, 1})}));
  EXPECT_FALSE(IsThere(first));
  EXPECT_TRUE(IsThere(second));
  copies->Disconnect(MakeError(MANTA_ERROR_NODE_DIED, "it has left"));
  EXPECT_FALSE(IsThere(second));
}

}  // namespace
}  // namespace manta::node
