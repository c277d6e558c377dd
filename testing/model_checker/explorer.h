// Explicit-state model checking: visits every state that a small world can reach, breadth first, so
// that the first violation found has the shortest possible history.
//
// A world is copied at will. It offers
//   std::vector<Action> Actions() const          what may happen next, in a fixed order
//   void Apply(const Action&)
//   std::string Describe(const Action&) const
//   std::string Violation() const                empty: all invariants hold
//   void Encode(std::string*) const              equal for states with the same future
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace manta::model_checker {

struct ExplorerResult {
  uint64_t states = 0;
  uint64_t transitions = 0;
  uint32_t depth = 0;             // the longest of the shortest histories
  bool bound_exceeded = false;    // a failure: nothing is proven then
  std::string violation;          // empty: none
  std::vector<std::string> history;  // that leads to the violation

  bool ok() const { return violation.empty() && !bound_exceeded; }
  std::string ToString() const;
};

// Two independent 64-bit hashes of a state stand for it: with 10^8 states, the chance that any two
// of them are taken for each other is below 10^-21.
struct StateHash {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const StateHash&) const = default;
};
StateHash HashState(const std::string& encoded);

template <class World>
class Explorer {
 public:
  explicit Explorer(uint64_t max_states) : max_states_(max_states) {}

  ExplorerResult Run(const World& initial) {
    initial_ = &initial;
    Visit(initial, 0, 0, 0);
    while (!frontier_.empty() && result_.ok()) {
      const Pending next = std::move(frontier_.front());
      frontier_.pop_front();
      Expand(next);
    }
    result_.states = visited_.size();
    return result_;
  }

 private:
  struct Pending {
    World world;
    uint32_t index;
    uint32_t depth;
  };
  // How a state was first reached: by this one of the actions of that state.
  struct Origin {
    uint32_t parent;
    uint32_t action;
  };
  struct TakeLow {
    size_t operator()(const StateHash& hash) const { return hash.low; }
  };

  void Expand(const Pending& from) {
    const auto actions = from.world.Actions();
    for (uint32_t i = 0; i < actions.size() && result_.ok(); ++i) {
      World next = from.world;
      next.Apply(actions[i]);
      ++result_.transitions;
      Visit(std::move(next), from.index, i, from.depth + 1);
    }
  }

  void Visit(World world, uint32_t parent, uint32_t action, uint32_t depth) {
    encoded_.clear();
    world.Encode(&encoded_);
    const uint32_t index = static_cast<uint32_t>(origins_.size());
    if (!visited_.emplace(HashState(encoded_), index).second) return;
    origins_.push_back({parent, action});
    result_.depth = std::max(result_.depth, depth);
    result_.violation = world.Violation();
    if (!result_.violation.empty()) {
      result_.history = HistoryOf(index);
      return;
    }
    if (visited_.size() > max_states_) {
      result_.bound_exceeded = true;
      return;
    }
    frontier_.push_back({std::move(world), index, depth});
  }

  std::vector<std::string> HistoryOf(uint32_t index) const {
    std::vector<uint32_t> choices;
    for (; index != 0; index = origins_[index].parent) choices.push_back(origins_[index].action);
    std::vector<std::string> history;
    World world = *initial_;
    for (auto choice = choices.rbegin(); choice != choices.rend(); ++choice) {
      const auto actions = world.Actions();
      history.push_back(world.Describe(actions[*choice]));
      world.Apply(actions[*choice]);
    }
    return history;
  }

  const uint64_t max_states_;
  const World* initial_ = nullptr;
  std::unordered_map<StateHash, uint32_t, TakeLow> visited_;
  std::vector<Origin> origins_;
  std::deque<Pending> frontier_;
  std::string encoded_;
  ExplorerResult result_;
};

}  // namespace manta::model_checker
