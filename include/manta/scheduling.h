// Which nodes tasks, actors and bundles of placement groups run on.
//
//   manta::Task(F).SetLabelSelector({{"zone", "in(eu, us)"}, {"gpu", "exists()"}}).Remote();
//   manta::Actor<A>().SetSchedulingStrategy(manta::SchedulingStrategy::Spread()).Remote();
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "manta/errors.h"
#include "manta/manta_c.h"

namespace manta {
inline namespace v1 {

// Conditions by the names of labels, all of which a node has to meet: "eu", "!eu", "in(eu, us)",
// "!in(eu, us)", "exists()" or "!exists()". A label that a node has not is none of any values. Every
// node has the label "ray.io/node-id". An empty selector is met by every node.
using LabelSelector = std::map<std::string, std::string>;

namespace detail {

class TaskOptions;

// The conditions as manta_task_options.nodes has them, "any" for none. Throws InvalidArgumentError
// for what is no condition.
inline std::string SelectorText(const LabelSelector& selector) {
  std::string text;
  for (const auto& [name, condition] : selector) {
    Check(manta_label_condition_check(CheckText("label selector", name).c_str(),
                                      CheckText("label selector", condition).c_str()));
    text += (text.empty() ? "" : " & ") + name + "=" + condition;
  }
  return text.empty() ? "any" : text;
}

// All conditions of both.
inline std::string BothTexts(const std::string& a, const std::string& b) {
  if (a == "any") return b;
  return b == "any" ? a : a + " & " + b;
}

}  // namespace detail

// How a node is chosen among those that have what is asked for. A value.
class SchedulingStrategy {
 public:
  // This node first, then the other. It is also the way out of the placement group of the task that
  // submits, as is every strategy.
  static SchedulingStrategy Default() { return {"", {"any"}}; }
  // One node after the other, as far as they have room. What takes less than a millisecond may still
  // run together.
  static SchedulingStrategy Spread() { return {"spread", {"any"}}; }
  // On the node with this id (RuntimeContext::GetNodeId). If it is not there, dies, or has not what is
  // asked for, the task fails with TaskUnschedulableError and the actor with ActorUnschedulableError;
  // `soft`: it runs on another one instead.
  //   spill_on_unavailable: of a soft one; on another one also if this has no room now.
  //   fail_on_unavailable: of one that is not soft; fails also if the node has no room now.
  // Throws InvalidArgumentError for the other combinations, and for what cannot be an id.
  static SchedulingStrategy NodeAffinity(const std::string& node_id, bool soft,
                                         bool spill_on_unavailable = false,
                                         bool fail_on_unavailable = false) {
    if (soft ? fail_on_unavailable : spill_on_unavailable) {
      throw InvalidArgumentError(
          "NodeAffinity: spill_on_unavailable is for a strategy that is soft, fail_on_unavailable "
          "for one that is not");
    }
    if (node_id.empty()) throw InvalidArgumentError("NodeAffinity: the id of the node is empty");
    std::vector<std::string> alternatives = {detail::SelectorText({{"ray.io/node-id", node_id}})};
    if (soft) alternatives.emplace_back("any");
    const char* const hard_option = fail_on_unavailable ? "fail-now" : "fail";
    const char* const soft_option = spill_on_unavailable ? "" : "patient";
    return {soft ? soft_option : hard_option, std::move(alternatives)};
  }
  // On a node that meets `hard`, while there is room for it on one that meets `soft` too, there.
  static SchedulingStrategy NodeLabels(const LabelSelector& hard, const LabelSelector& soft = {}) {
    std::vector<std::string> alternatives = {detail::SelectorText(hard)};
    if (!soft.empty()) {
      alternatives.insert(alternatives.begin(),
                          detail::BothTexts(alternatives.front(), detail::SelectorText(soft)));
    }
    return {"", std::move(alternatives)};
  }

 private:
  friend class detail::TaskOptions;

  SchedulingStrategy(std::string options, std::vector<std::string> alternatives)
      : options_(std::move(options)), alternatives_(std::move(alternatives)) {}

  // With the selectors of the task or actor, of which the earlier are better: what
  // manta_task_options.nodes is to be.
  std::string NodesFor(const std::vector<std::string>& selectors) const {
    std::string text;
    for (const std::string& mine : alternatives_) {
      for (const std::string& selector : selectors) {
        text += (text.empty() ? "" : " | ") + detail::BothTexts(mine, selector);
      }
    }
    return options_.empty() ? text : options_ + ": " + text;
  }

  std::string options_;
  std::vector<std::string> alternatives_;
};
}  // namespace v1
}  // namespace manta
