#include "node/far_demands.h"

#include <algorithm>
#include <vector>

#include "contracts/fields.h"
#include "model/free_resources.h"
#include "trunk/frames.h"

namespace manta::node {
namespace {

constexpr uint32_t kMost = 1'000'000;

model::ResourceSet SetOf(const std::vector<std::unique_ptr<wire::AmountT>>& amounts) {
  model::ResourceSet set;
  for (const auto& amount : amounts) {
    if (amount != nullptr && amount->fixed_point > 0) set.Set(amount->name, amount->fixed_point);
  }
  return set;
}

// How many leases of this shape `free` has room for.
uint32_t Times(const model::ResourceSet& free, const model::ResourceSet& resources,
               const model::ResourceSet& placement) {
  if (!free.Contains(placement)) return 0;
  int64_t times = kMost;
  for (const auto& [name, amount] : resources.amounts()) {
    if (amount > 0) times = std::min(times, std::max<int64_t>(0, free.Get(name)) / amount);
  }
  return static_cast<uint32_t>(times);
}

}  // namespace

FarDemands::FarDemands(EventLoop& loop, ProcessTable& processes, LeaseService& leases, uint32_t self, Send send)
    : processes_(processes),
      leases_(leases),
      send_(std::move(send)),
      self_(self),
      again_(loop, [this] { LookAgain(); }) {}

void FarDemands::NodeUp(uint32_t index, const model::ResourceSet& total, const model::NodeLabels& labels) {
  up_ = true;
  index_there_ = index;
  total_there_ = total;
  labels_there_ = labels;
  LookAgain();
}

void FarDemands::NodeDown() {
  up_ = false;
  total_there_ = {};
  labels_there_ = {};
  leases_there_.clear();
  for (auto& [key, demand] : demands_) {
    demand.wanted_there = demand.held_there = 0;
    demand.refused_there = false;
  }
  LookAgain();
}

void FarDemands::Set(const Process& owner, const wire::SetDemand& message) {
  const Key key{owner.id.value, message.key()};
  const auto known = demands_.find(key);
  if (message.wanted() == 0 && known == demands_.end()) return leases_.SetDemand(owner, message);
  Result<model::NodeConstraint> constraint = model::NodeConstraint::Parse(contracts::Text(message.nodes()));
  if (!constraint) return leases_.Refuse(owner.id, message.key(), constraint.error().message);
  Demand& demand = demands_[key];
  demand.nodes = std::move(constraint).value();
  message.UnPackTo(&demand.message);
  demand.message.wanted = std::min(demand.message.wanted, kMost);
  demand.resources = SetOf(demand.message.resources);
  demand.placement =
      message.placement() != nullptr ? SetOf(demand.message.placement) : demand.resources;
  Divide(key, true);
}

model::DemandOnTwoNodes FarDemands::Weigh(Key key, const Demand& demand) const {
  const auto here = leases_.demands().find(key);
  model::DemandOnTwoNodes input;
  input.wanted = demand.message.wanted;
  const model::BundleRef bundle = demand.bundle();
  input.feasible_here = leases_.table().total().Contains(demand.placement);
  input.held_here = here == leases_.demands().end() ? 0 : here->second.held;
  input.fit_here = Times(leases_.table().available(), demand.resources, demand.placement);
  input.capacity_there =
      up_ && !demand.refused_there ? Times(total_there_, demand.resources, demand.placement) : 0;
  if (bundle) {
    // Served where the group's bundles are; while they are nowhere, it waits here.
    input.capacity_there = up_ && !demand.refused_there && group_capacity_ ? group_capacity_(bundle, demand.placement) : 0;
    input.feasible_here = input.capacity_there == 0 || leases_.table().RoomInBundles(bundle, demand.placement, false) > 0;
    input.fit_here = std::min(kMost, leases_.table().RoomInBundles(bundle, demand.placement, true));
  }
  input.held_there = demand.held_there;
  return input;
}

std::vector<bool> FarDemands::Order(const Demand& demand, model::DemandOnTwoNodes* input) const {
  const model::NodeConstraint::Node nodes[] = {{self_, &leases_.table().labels(), input->feasible_here},
                                               {index_there_, &labels_there_, input->capacity_there > 0}};
  std::vector<bool> order;
  for (const size_t place : demand.nodes.InOrder(nodes)) order.push_back(place == 1);
  if (std::find(order.begin(), order.end(), false) == order.end()) input->feasible_here = false;
  if (std::find(order.begin(), order.end(), true) == order.end()) input->capacity_there = 0;
  if (order.size() < 2) return order;
  const bool first_choice = EventLoop::Now() - demand.unmet_since < kFirstChoice;
  if (order.front()) {
    const model::ResourceSet free = available_there_ ? available_there_() : model::ResourceSet();
    input->capacity_here = input->held_here + input->fit_here;
    input->fit_there = first_choice ? kMost : Times(free, demand.resources, demand.placement);
  } else if (first_choice) {
    input->fit_here = kMost;
  }
  return order;
}

std::string FarDemands::WhyNone(const Demand& demand) const {
  const auto shown = [&](const std::string& node, const model::NodeLabels& labels, const model::ResourceSet& total) {
    return node + " has " + demand.nodes.Shown(labels) + " and " + total.ToString(demand.placement);
  };
  std::string why = "needs " + demand.placement.ToString() + " on " + demand.nodes.Describe() + ", and of the nodes that are alive none will do: " +
                    shown("this one", leases_.table().labels(), leases_.table().total());
  if (up_) why += "; " + shown("node " + std::to_string(index_there_), labels_there_, total_there_);
  return why + " in total";
}

void FarDemands::Divide(Key key, bool changed) {
  Demand& demand = demands_.at(key);
  const Process* owner = processes_.Find(ProcessId{key.first});
  if (owner == nullptr) return;
  model::DemandOnTwoNodes input = Weigh(key, demand);
  bool there_first = false;
  if (!demand.nodes.empty()) {
    const bool is_unmet = input.wanted > input.held_here + input.held_there;
    if (!is_unmet) demand.unmet_since = 0;
    if (is_unmet && demand.unmet_since == 0) demand.unmet_since = EventLoop::Now();
    const std::vector<bool> order = Order(demand, &input);
    there_first = order.size() == 2 && order.front();
    if (order.empty() && demand.nodes.fails() && input.wanted > 0) {
      leases_.Refuse(owner->id, key.second, WhyNone(demand));
      demand.message.wanted = input.wanted = 0;
      changed = true;
    }
  }
  const uint32_t there = there_first ? model::WantedThereFirst(input) : model::WantedThere(input);
  if (there != demand.wanted_there || (changed && there > 0)) {
    demand.wanted_there = there;
    demand.message.wanted = there;
    send_(ProcessId{key.first}, demand.message);
    demand.message.wanted = input.wanted;
  }
  const uint32_t wanted_here = input.wanted - std::min(there, input.wanted);
  // What this node can never serve is refused with a reason, unless the other one takes it.
  const bool was_told = demand.wanted_here != UINT32_MAX && demand.wanted_here > 0;  // a group's bundles have come to be elsewhere
  const bool tell_here = input.feasible_here || there == 0 || was_told;
  if (tell_here && (changed || wanted_here != demand.wanted_here)) {
    demand.wanted_here = wanted_here;
    wire::SetDemandT message = demand.message;
    message.wanted = wanted_here;
    const trunk::ControlFrame frame =
        trunk::ControlFrame::Of(contracts::Encode(std::move(message)));
    leases_.SetDemand(*owner, *frame.frame().message_as_SetDemand());
  }
  const bool unmet = up_ && input.wanted > input.held_here + demand.held_there;
  if (unmet && !again_.armed()) again_.ExpireAfter(kAgain);
  if (input.wanted == 0 && demand.held_there == 0) demands_.erase(key);
}

void FarDemands::LookAgain() {
  std::vector<Key> keys;
  for (const auto& [key, demand] : demands_) keys.push_back(key);
  for (const Key& key : keys) {
    if (demands_.contains(key)) Divide(key, false);
  }
}

void FarDemands::OwnerGone(ProcessId owner) {
  std::erase_if(demands_, [&](const auto& entry) { return entry.first.first == owner.value; });
  std::erase_if(leases_there_, [&](const auto& entry) { return entry.second.first == owner.value; });
}

void FarDemands::Granted(ProcessId owner, uint32_t key, LeaseId lease) {
  const auto [found, withdrawn] = demands_.try_emplace({owner.value, key});
  if (withdrawn) {
    // While the grant was under way. The owner will give it back, and that has to reach the other node.
    found->second.message.key = key;
    found->second.wanted_here = 0;
  }
  ++found->second.held_there;
  leases_there_[lease] = found->first;
}

bool FarDemands::Ended(LeaseId lease) {
  const auto found = leases_there_.find(lease);
  if (found == leases_there_.end()) return false;
  const auto demand = demands_.find(found->second);
  leases_there_.erase(found);
  if (demand == demands_.end()) return true;
  if (demand->second.held_there > 0) --demand->second.held_there;
  Divide(demand->first, false);
  return true;
}

bool FarDemands::Refused(ProcessId owner, uint32_t key) {
  const auto found = demands_.find({owner.value, key});
  if (found == demands_.end()) return true;
  found->second.refused_there = true;
  const model::BundleRef bundle = found->second.bundle();
  const bool has_room = bundle ? leases_.table().RoomInBundles(bundle, found->second.placement, false) > 0
                               : leases_.table().total().Contains(found->second.placement);
  const bool here = has_room && found->second.nodes.IsMetBy(leases_.table().labels());
  if (!here) found->second.message.wanted = 0;
  Divide(found->first, false);
  return here;
}

}  // namespace manta::node
