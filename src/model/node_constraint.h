// Which nodes will do for a demand, and which of them is asked first. It travels as a text, of which equal constraints have the same, so
// that it can be part of a shape. Pure.
//
//   text        := [ option { " " option } ": " ] alternative { " | " alternative }
//   option      := "patient" | "fail" | "fail-now" | "spread" [ "=" number ]
//   alternative := "any" | condition { " & " condition }
//   condition   := name "=" what LabelCondition reads
//
// A node is named by its label ray.io/node-id. "": any node will do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/node_labels.h"

namespace manta::model {

// A value type.
class NodeConstraint {
 public:
  static constexpr size_t kMostBytes = 16'384;  // of its text
  static constexpr size_t kMostAlternatives = 64;

  NodeConstraint() = default;
  // Error INVALID_ARGUMENT.
  static Result<NodeConstraint> Parse(std::string_view text);

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }

  // The first alternative whose conditions the labels all meet; none: the node will not do.
  std::optional<size_t> RankOf(const NodeLabels& labels) const;
  bool IsMetBy(const NodeLabels& labels) const { return RankOf(labels).has_value(); }

  // If no node will do, the demand is refused instead of waiting for one.
  bool fails() const { return fails_ || fails_now_; }
  // The same if the node that is asked has no room for it at once.
  bool fails_now() const { return fails_now_; }
  // Its demands go to one node after the other; who makes them gives each its turn.
  bool spreads() const { return spread_.has_value(); }
  NodeConstraint WithTurn(uint32_t turn) const;

  struct Node {
    uint32_t index;             // in the cluster
    const NodeLabels* labels;
    bool feasible;              // it has what is asked for at all
  };
  // Places in `nodes` of those that are asked, in this order: by alternative, the patient only those of the best one; among equals as
  // they stand, or, if it spreads, in the order of the cluster from its turn on.
  std::vector<size_t> InOrder(std::span<const Node> nodes) const;

  // "a node with zone=eu, or one with zone=us"
  std::string Describe() const;
  // Of the labels, those that the conditions are about: "zone=eu, no gpu".
  std::string Shown(const NodeLabels& labels) const;

  bool operator==(const NodeConstraint& other) const { return text_ == other.text_; }
  bool operator<(const NodeConstraint& other) const { return text_ < other.text_; }

 private:
  using Conditions = std::vector<LabelCondition>;  // all of them hold

  Result<> ReadOptions(std::string_view text);
  static Result<Conditions> ReadAlternative(std::string_view text);
  void Write();

  std::string text_;
  std::vector<Conditions> alternatives_;  // the earlier the better
  bool patient_ = false;
  bool fails_ = false;
  bool fails_now_ = false;
  std::optional<uint32_t> spread_;
};

}  // namespace manta::model
