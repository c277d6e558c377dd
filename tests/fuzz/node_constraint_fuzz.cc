// Constraints on nodes: the text that owners declare with their demands. Input: such a text.
#include "model/node_constraint.h"

#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {

std::vector<std::string> Seeds() {
  return {"zone=eu",
          "zone=in(eu, us) & arch=!arm | zone=!in(asia, eu) | any",
          "patient: ray.io/node-id=0123456789abcdef0123456789abcdef | any",
          "fail-now: ray.io/node-id=0123456789abcdef0123456789abcdef",
          "patient fail spread=4294967295: example.com/gpu=exists() & tpu=!exists()",
          "gpu=",
          "any",
          ""};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using manta::fuzz::Require;
  using manta::model::NodeConstraint;
  using manta::model::NodeLabels;
  const manta::fuzz::Exact input({reinterpret_cast<const char*>(data), size});
  auto parsed = NodeConstraint::Parse({reinterpret_cast<const char*>(input.data()), input.size()});
  if (!parsed) {
    Require(!parsed.error().message.empty(), "what is refused is explained");
    return 0;
  }
  const NodeConstraint& constraint = *parsed;
  auto again = NodeConstraint::Parse(constraint.text());
  Require(again && *again == constraint, "a text is read as it was written");
  const NodeLabels europe{{"zone", "eu"}, {"gpu", ""}}, none;
  const NodeConstraint::Node nodes[] = {{1, &europe, true}, {2, &none, true}, {3, &europe, false}};
  const std::vector<size_t> order = constraint.InOrder(nodes);
  Require(order.size() <= 2, "only nodes that can serve it are asked");
  for (const size_t place : order) Require(constraint.IsMetBy(*nodes[place].labels), "only nodes that will do are asked");
  Require(order.empty() == !(constraint.IsMetBy(europe) || constraint.IsMetBy(none)), "one that will do is asked");
  (void)constraint.Shown(europe);
  (void)constraint.Describe();
  return 0;
}
