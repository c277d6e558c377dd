// Calls of Python on the node where the driver is not.
#include <string>

#include "tests/clusters/two_nodes.h"
#include "tests/support/python_test.h"

namespace manta_test {
namespace {

class TwoNodesPython : public WithPython<TwoNodesTest> {};

TEST_F(TwoNodesPython, FunctionsAndActorsRunOnBoth) {
  manta::Shutdown();
  manta::Config config;
  config.address = "auto";
  config.code_search_path = {module_->folder()};
  manta::Init(config);
  const auto node = manta::Task(manta::PyFunction<std::string>{"mine", "node"}).SetResource("far", 1).Remote();
  EXPECT_EQ(node.Get()->size(), head_id_.size());
  EXPECT_NE(*node.Get(), head_id_);
  EXPECT_EQ(*manta::Task(manta::PyFunction<std::string>{"mine", "node"}).SetResource("near", 1).Remote().Get(), head_id_);
  const std::string text(500'000, 'x');
  EXPECT_EQ(*manta::Task(manta::PyFunction<std::string>{"mine", "same"}).SetResource("far", 1).Remote(text).Get(), text);
  const auto counter = manta::Actor(manta::PyActorClass{"mine", "Counter"}).SetResource("far", 1).Remote(1);
  EXPECT_EQ(*counter.Task(manta::PyActorMethod<int>{"add"}).Remote(1).Get(), 2);
}

}  // namespace
}  // namespace manta_test
