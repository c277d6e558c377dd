// Results that come one by one from another node.
#include <string>

#include "tests/clusters/two_nodes.h"
#include "tests/support/streams.h"

namespace manta_test {
namespace {

class FarStreams : public TwoNodesTest {};

TEST_F(FarStreams, Arrive) {
  for (const uint32_t bytes : {8u, 5'000u, 300'000u}) {
    SCOPED_TRACE(bytes);
    Stream stream({.items = bytes > 100'000 ? 30u : 2'000u, .bytes = bytes}, 3, "far");
    stream.ExpectAll(bytes > 100'000 ? 30 : 2'000);
  }
  Stream held({.items = 20, .hold_references = 1}, 3, "far");
  held.ExpectAll(20);
}

TEST_F(FarStreams, PauseUntilTheirItemsAreTaken) {
  Stream stream({.items = 50, .most_ahead = 1}, 3, "far");
  stream.ExpectAll(50);
}

TEST_F(FarStreams, GoOnAfterTheDeathOfTheirWorker) {
  Stream stream({.items = 400, .die_before = 200}, 3, "far");
  stream.ExpectAll(400);
}

TEST_F(FarStreams, EndWithTheirNode) {
  Stream stream({.items = 50, .most_ahead = 5}, 0, "far");
  EXPECT_EQ(stream.Next(), 0);
  node_->Kill();
  int64_t last = 0;
  while (last >= 0) last = stream.Next();
  EXPECT_EQ(last, -2);
  EXPECT_EQ(stream.Next(), -1);
}

}  // namespace
}  // namespace manta_test
