#include "node/placement_group_service.h"

#include <spdlog/logger.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "contracts/fields.h"
#include "node/decode_amounts.h"

namespace manta::node {
namespace {

using contracts::PlacementGroupEntry;
using contracts::PlacementGroupState;
using contracts::PlacementStrategy;
using contracts::Text;

constexpr size_t kMostListed = 10'000;         // groups in one answer
constexpr size_t kMostListedBundles = 50'000;  // of all of these, so that an answer fits in a frame
constexpr uint32_t kMostLeases = 1'000'000;
constexpr char kRemoved[] = "its placement group was removed";

PlacementGroupId IdOf(uint64_t creator, uint64_t serial) { return {ProcessId{creator}, serial}; }

std::unique_ptr<wire::BundleT> BundleOf(const model::ResourceSet& resources, uint32_t node) {
  auto bundle = std::make_unique<wire::BundleT>();
  bundle->resources = contracts::AmountsOf(resources);
  bundle->node = node;
  return bundle;
}

Result<> ReadBundles(const flatbuffers::Vector<flatbuffers::Offset<wire::Bundle>>* bundles, std::vector<model::ResourceSet>* out,
                     std::vector<uint32_t>* nodes) {
  if (bundles == nullptr) return {};
  for (const wire::Bundle* bundle : *bundles) {
    Result<model::ResourceSet> resources = DecodeAmounts(bundle->resources());
    if (!resources) return resources.error();
    out->push_back(std::move(resources).value());
    if (nodes != nullptr) nodes->push_back(bundle->node());
  }
  return {};
}

Result<> ReadConstraints(const flatbuffers::Vector<flatbuffers::Offset<wire::Bundle>>& bundles, std::vector<model::NodeConstraint>* out) {
  const auto names_nodes = [](const wire::Bundle* bundle) { return bundle->nodes() != nullptr && bundle->nodes()->size() > 0; };
  if (std::none_of(bundles.begin(), bundles.end(), names_nodes)) return {};
  for (const wire::Bundle* bundle : bundles) {
    Result<model::NodeConstraint> constraint = model::NodeConstraint::Parse(Text(bundle->nodes()));
    if (!constraint) return constraint.error();
    out->push_back(std::move(constraint).value());
  }
  return {};
}

}  // namespace

PlacementGroupService::PlacementGroupService(EventLoop& loop, spdlog::logger& log, ProcessTable& processes, Cluster& cluster,
                                             LeaseService& leases, contracts::PlacementGroups& table, uint32_t node_index)
    : log_(log),
      processes_(processes),
      cluster_(cluster),
      leases_(leases),
      table_(table),
      self_(node_index),
      tick_(loop,
            [this] {
              for (const NodeInfo& node : cluster_.Nodes()) table_.NodeFree(node.index, node.available);
              table_.Tick(EventLoop::Now());
              Pump();
            }),
      unmet_(loop, [this] { CheckUnmet(); }) {
  leases_.set_placement_groups({.reserved = [this](PlacementGroupId group) { Reserved(group); },
                                .is_gone = [this](PlacementGroupId group) { return IsGone(group); }});
  if (cluster_.is_head()) table_.NodeUp(EventLoop::Now(), self_, leases_.table().total(), leases_.table().labels());
}

// ---- Requests

void PlacementGroupService::Refuse(ProcessId to, uint64_t request, const Error& error) {
  wire::PlacementGroupAnswerT answer;
  answer.request = request;
  answer.error_kind = error.kind;
  answer.error = error.message;
  processes_.Send(to, std::move(answer));
}

void PlacementGroupService::Answer(ProcessId to, uint64_t request, const PlacementGroupEntry* group) {
  wire::PlacementGroupAnswerT answer;
  answer.request = request;
  if (group != nullptr) answer.groups.push_back(std::make_unique<wire::PlacementGroupT>(Facts(*group)));
  processes_.Send(to, std::move(answer));
}

void PlacementGroupService::Request(const Process& from, const wire::PlacementGroupRequest& message) {
  const wire::PlacementGroup* asked = message.group();
  if (!from.page || asked == nullptr) {
    return Refuse(from.id, message.request(),
                  MakeError(MANTA_ERROR_INVALID_ARGUMENT, "only drivers and workers use placement groups"));
  }
  const PlacementGroupId id = IdOf(asked->creator(), asked->serial());
  switch (message.operation()) {
    case wire::PlacementGroupOperation::Create: return Create(from, message);
    case wire::PlacementGroupOperation::Remove:
      table_.Remove(EventLoop::Now(), id);
      return Pump();
    case wire::PlacementGroupOperation::Find:
      return Answer(from.id, message.request(),
                    id ? table_.Find(id)
                       : table_.FindByName(Text(asked->name()), asked->ray_namespace() != nullptr && asked->ray_namespace()->size() > 0
                                                                    ? Text(asked->ray_namespace())
                                                                    : from.ray_namespace));
    case wire::PlacementGroupOperation::Await: {
      const PlacementGroupEntry* group = table_.Find(id);
      const bool waits = group != nullptr && !group->is_over() && group->state != PlacementGroupState::kCreated;
      if (!waits) return AnswerState(from.id, message.request(), group);
      waiters_.emplace(id, Waiter{from.id, message.request()});
      return;
    }
    case wire::PlacementGroupOperation::List: return List(from.id, message.request());
  }
  Refuse(from.id, message.request(),
         MakeError(MANTA_ERROR_NOT_SUPPORTED, "the node daemon does not know this operation on placement groups"));
}

void PlacementGroupService::Create(const Process& from, const wire::PlacementGroupRequest& message) {
  const wire::PlacementGroup& asked = *message.group();
  const auto refuse = [&](const Error& error) { Refuse(from.id, message.request(), error); };
  PlacementGroupEntry group;
  group.id = IdOf(asked.creator(), asked.serial());
  group.name = Text(asked.name());
  group.ray_namespace = Text(asked.ray_namespace());
  if (group.ray_namespace.empty()) group.ray_namespace = from.ray_namespace;
  group.strategy = static_cast<PlacementStrategy>(asked.strategy());
  group.detached = asked.detached();
  group.job = from.job;
  if (group.id.creator != from.id || asked.strategy() > wire::PlacementStrategy::StrictSpread ||
      std::max(group.name.size(), group.ray_namespace.size()) > contracts::kMostPlacementGroupNameBytes) {
    return refuse(MakeError(MANTA_ERROR_INVALID_ARGUMENT, "a placement group with an unknown strategy, a foreign id or too long a name"));
  }
  // Nobody would remove it any more.
  if (!group.detached && processes_.IsOver(group.job)) {
    return refuse(MakeError(MANTA_ERROR_INVALID_ARGUMENT, "a job that is over can have no placement group"));
  }
  if (Result<> read = ReadBundles(asked.bundles(), &group.bundles, nullptr); !read) return refuse(read.error());
  if (Result<> read = ReadConstraints(*asked.bundles(), &group.constraints); !read) return refuse(read.error());
  if (const std::string node = Text(asked.soft_node()); !node.empty()) {
    group.soft_node = NodeOf(node);
    if (group.soft_node == 0) {
      return refuse(MakeError(MANTA_ERROR_INVALID_ARGUMENT, "no node with the id '" + node + "' is alive: see manta list nodes"));
    }
  }
  if (cluster_.up()) {
    for (const NodeInfo& node : cluster_.Nodes()) table_.NodeFree(node.index, node.available);
  }
  if (Result<> created = table_.Create(EventLoop::Now(), std::move(group)); !created) return refuse(created.error());
  Answer(from.id, message.request(), nullptr);
  Pump();
}

void PlacementGroupService::List(ProcessId to, uint64_t request) {
  wire::PlacementGroupAnswerT answer;
  answer.request = request;
  size_t bundles = 0;
  for (const PlacementGroupEntry* group : table_.List()) {
    bundles += group->bundles.size();
    if (answer.groups.size() == kMostListed || bundles > kMostListedBundles) {
      ++answer.left_out;
    } else {
      answer.groups.push_back(std::make_unique<wire::PlacementGroupT>(Facts(*group)));
    }
  }
  processes_.Send(to, std::move(answer));
}

uint32_t PlacementGroupService::NodeOf(const std::string& node_id) const {
  for (const NodeInfo& node : cluster_.Nodes()) {
    if (node.node_id == node_id && (node.alive || node.index == self_)) return node.index;
  }
  return 0;
}

// Of one that is created or removed, for those who have waited for it.
void PlacementGroupService::AnswerState(ProcessId to, uint64_t request, const PlacementGroupEntry* group) {
  wire::PlacementGroupAnswerT answer;
  answer.request = request;
  if (group != nullptr) {
    auto& facts = answer.groups.emplace_back(std::make_unique<wire::PlacementGroupT>());
    facts->creator = group->id.creator.value;
    facts->serial = group->id.serial;
    facts->state = static_cast<wire::PlacementGroupState>(group->state);
  }
  processes_.Send(to, std::move(answer));
}

wire::PlacementGroupT PlacementGroupService::Facts(const PlacementGroupEntry& group) const {
  wire::PlacementGroupT facts;
  facts.creator = group.id.creator.value;
  facts.serial = group.id.serial;
  facts.name = group.name;
  facts.ray_namespace = group.ray_namespace;
  facts.strategy = static_cast<wire::PlacementStrategy>(group.strategy);
  facts.detached = group.detached;
  facts.job = group.job.value;
  facts.state = static_cast<wire::PlacementGroupState>(group.state);
  std::map<uint32_t, std::string> node_ids;
  for (const NodeInfo& node : cluster_.Nodes()) node_ids[node.index] = node.node_id;
  for (size_t i = 0; i < group.bundles.size(); ++i) {
    facts.bundles.push_back(BundleOf(group.bundles[i], group.nodes[i]));
    if (!group.constraints.empty()) facts.bundles.back()->nodes = group.constraints[i].text();
    if (group.nodes[i] != 0) facts.bundles.back()->node_id = node_ids[group.nodes[i]];
  }
  const bool waits = group.state == PlacementGroupState::kPending || group.state == PlacementGroupState::kRescheduling;
  if (waits) facts.reason = ReasonOf(table_.ReasonOf(group.id));
  return facts;
}

std::string PlacementGroupService::ReasonOf(const contracts::PlacementGroups::Waiting& waiting) const {
  if (waiting.nodes.empty()) return waiting.reason;
  std::string reason;
  for (const uint32_t node : waiting.nodes) {
    if (!reason.empty()) reason += "; ";
    reason += "node " + std::to_string(node) + ": ";
    const std::string here = node == self_ ? leases_.table().ReasonOfReservation(waiting.group) : "";
    reason += here.empty() ? "its bundles there do not fit yet" : here;
  }
  return reason;
}

std::vector<wire::PlacementGroupT> PlacementGroupService::List() const {
  std::vector<wire::PlacementGroupT> list;
  if (cluster_.is_head()) {
    for (const PlacementGroupEntry* group : table_.List()) list.push_back(Facts(*group));
  } else {
    for (const auto& [id, told] : told_) list.push_back(told.group);
  }
  return list;
}

// ---- What the table says

void PlacementGroupService::Pump() {
  if (std::exchange(pumping_, true)) return;  // an action led to another input: the loop below sees what comes of it
  for (;;) {
    const std::vector<contracts::PlacementAction> actions = table_.TakeActions();
    if (actions.empty()) break;
    for (const auto& action : actions) {
      std::visit([this](const auto& one) { Do(one); }, action);
    }
  }
  pumping_ = false;
  const Nanoseconds deadline = table_.NextDeadline();
  if (deadline == model::kNever) {
    tick_.Cancel();
  } else {
    tick_.ExpireAt(deadline);
  }
  if (table_.AnyWaits() && !unmet_.armed()) unmet_.ExpireAfter(kUnmetAfter);
}

void PlacementGroupService::Do(const contracts::ReserveOnNode& reserve) {
  if (reserve.node == self_) {
    attempts_[reserve.group] = reserve.attempt;
    return leases_.Reserve(reserve.group, reserve.bundles);
  }
  wire::ReserveBundlesT message;
  message.creator = reserve.group.creator.value;
  message.serial = reserve.group.serial;
  message.attempt = reserve.attempt;
  for (const model::BundleRequest& bundle : reserve.bundles) {
    message.indices.push_back(bundle.index);
    message.bundles.push_back(BundleOf(bundle.resources, reserve.node));
  }
  cluster_.SendToNode(std::move(message));
}

void PlacementGroupService::Do(const contracts::ReturnOnNode& give_back) {
  if (give_back.node == self_) {
    attempts_.erase(give_back.group);
    return leases_.ReturnBundles(give_back.group);
  }
  wire::ReturnBundlesT message;
  message.creator = give_back.group.creator.value;
  message.serial = give_back.group.serial;
  message.attempt = give_back.attempt;
  cluster_.SendToNode(std::move(message));
}

void PlacementGroupService::Do(const contracts::PlacementGroupChanged& changed) {
  const PlacementGroupEntry* group = table_.Find(changed.group);
  if (group == nullptr) return;
  log_.debug("placement group changed group={} state={}", Hex(changed.group), contracts::ToString(group->state));
  if (group->state == PlacementGroupState::kCreated) leases_.OpenBundles(changed.group);
  if (group->is_over()) {
    attempts_.erase(changed.group);
    leases_.RemoveGroup(changed.group, kRemoved);
  }
  if (cluster_.up()) {
    wire::PlacementGroupNewsT news;
    news.group = std::make_unique<wire::PlacementGroupT>(Facts(*group));
    cluster_.SendToNode(std::move(news));
  }
  if (group->state == PlacementGroupState::kRescheduling) return;
  reported_.erase(changed.group);
  const auto [first, last] = waiters_.equal_range(changed.group);
  for (auto waiter = first; waiter != last; ++waiter) AnswerState(waiter->second.process, waiter->second.request, group);
  waiters_.erase(first, last);
}

void PlacementGroupService::Reserved(PlacementGroupId group) {
  const auto attempt = attempts_.extract(group);
  if (attempt.empty()) return;
  if (cluster_.is_head()) {
    table_.Reserved(EventLoop::Now(), self_, group, attempt.mapped());
    return Pump();
  }
  wire::BundlesReservedT message;
  message.creator = group.creator.value;
  message.serial = group.serial;
  message.attempt = attempt.mapped();
  cluster_.SendToNode(std::move(message));
}

// ---- Nodes and jobs

void PlacementGroupService::NodeUp(const NodeInfo& node) {
  if (!cluster_.is_head()) return;
  table_.NodeUp(EventLoop::Now(), node.index, node.total, node.labels);
  // What its processes may name already.
  for (const PlacementGroupEntry* group : table_.List()) {
    if (group->is_over()) continue;
    wire::PlacementGroupNewsT news;
    news.group = std::make_unique<wire::PlacementGroupT>(Facts(*group));
    cluster_.SendToNode(std::move(news));
  }
  Pump();
}

void PlacementGroupService::NodeDown(uint32_t node) {
  if (!cluster_.is_head()) return;
  table_.NodeDown(EventLoop::Now(), node);
  Pump();
}

void PlacementGroupService::ProcessGone(ProcessId process) {
  std::erase_if(waiters_, [&](const auto& entry) { return entry.second.process == process; });
}

void PlacementGroupService::JobHasLost(JobId job) {
  if (!cluster_.is_head() || processes_.DriverOf(job) != nullptr) return;
  for (const PlacementGroupId group : table_.OfJob(job)) {
    // A detached actor outlives its driver, and so does what it has made.
    if (processes_.Find(group.creator) == nullptr) table_.Remove(EventLoop::Now(), group);
  }
  Pump();
}

// ---- What demands have to know

bool PlacementGroupService::IsGone(PlacementGroupId id) {
  if (cluster_.is_head()) {
    const PlacementGroupEntry* group = table_.Find(id);
    return group == nullptr || group->is_over();
  }
  const auto told = told_.find(id);
  if (told != told_.end()) return told->second.state == PlacementGroupState::kRemoved;
  if (asked_.insert(id).second) {
    wire::AskPlacementGroupT ask;
    ask.creator = id.creator.value;
    ask.serial = id.serial;
    cluster_.SendToNode(std::move(ask));
  }
  return false;
}

uint32_t PlacementGroupService::CapacityThere(const model::BundleRef& ref, const model::ResourceSet& request) const {
  const std::vector<model::ResourceSet>* bundles = nullptr;
  const std::vector<uint32_t>* nodes = nullptr;
  if (cluster_.is_head()) {
    const PlacementGroupEntry* group = table_.Find(ref.group);
    if (group == nullptr || group->state != PlacementGroupState::kCreated) return 0;
    bundles = &group->bundles;
    nodes = &group->nodes;
  } else {
    const auto told = told_.find(ref.group);
    if (told == told_.end() || told->second.state != PlacementGroupState::kCreated) return 0;
    bundles = &told->second.bundles;
    nodes = &told->second.nodes;
  }
  uint64_t capacity = 0;
  for (size_t i = 0; i < bundles->size(); ++i) {
    if ((*nodes)[i] == self_ || (*nodes)[i] == 0 || (ref.index >= 0 && i != static_cast<size_t>(ref.index))) continue;
    const model::ResourceSet& total = (*bundles)[i];
    if (!total.Contains(request)) continue;
    int64_t times = kMostLeases;
    for (const auto& [name, amount] : request.amounts()) times = std::min(times, total.Get(name) / amount);
    capacity += static_cast<uint64_t>(times);
  }
  return static_cast<uint32_t>(std::min<uint64_t>(capacity, kMostLeases));
}

// ---- Between daemons

bool PlacementGroupService::OnNodeMessage(const wire::Frame& frame) {
  if (const auto* reserve = frame.message_as_ReserveBundles()) {
    const PlacementGroupId id = IdOf(reserve->creator(), reserve->serial());
    std::vector<model::ResourceSet> resources;
    if (reserve->indices() == nullptr || !ReadBundles(reserve->bundles(), &resources, nullptr) ||
        resources.size() != reserve->indices()->size()) {
      return true;
    }
    std::vector<model::BundleRequest> bundles;
    for (uint32_t i = 0; i < resources.size(); ++i) bundles.push_back({reserve->indices()->Get(i), std::move(resources[i])});
    attempts_[id] = reserve->attempt();
    leases_.Reserve(id, std::move(bundles));
  } else if (const auto* reserved = frame.message_as_BundlesReserved()) {
    for (const NodeInfo& node : cluster_.Nodes()) {
      if (node.index == self_ || !node.alive || !cluster_.is_head()) continue;
      table_.Reserved(EventLoop::Now(), node.index, IdOf(reserved->creator(), reserved->serial()), reserved->attempt());
    }
    if (cluster_.is_head()) Pump();
  } else if (const auto* back = frame.message_as_ReturnBundles()) {
    const PlacementGroupId id = IdOf(back->creator(), back->serial());
    attempts_.erase(id);
    leases_.ReturnBundles(id);
  } else if (const auto* news = frame.message_as_PlacementGroupNews()) {
    if (news->group() != nullptr && !cluster_.is_head()) OnNews(*news->group());
  } else if (const auto* ask = frame.message_as_AskPlacementGroup()) {
    if (!cluster_.is_head()) return true;
    wire::PlacementGroupNewsT answer;
    answer.group = std::make_unique<wire::PlacementGroupT>();
    answer.group->creator = ask->creator();
    answer.group->serial = ask->serial();
    answer.group->state = wire::PlacementGroupState::Removed;
    if (const PlacementGroupEntry* group = table_.Find(IdOf(ask->creator(), ask->serial()))) *answer.group = Facts(*group);
    cluster_.SendToNode(std::move(answer));
  } else {
    return false;
  }
  return true;
}

void PlacementGroupService::OnNews(const wire::PlacementGroup& group) {
  const PlacementGroupId id = IdOf(group.creator(), group.serial());
  asked_.erase(id);
  Told& told = told_[id];
  told.bundles.clear();
  told.nodes.clear();
  group.UnPackTo(&told.group);
  if (!ReadBundles(group.bundles(), &told.bundles, &told.nodes)) return;
  told.state = static_cast<PlacementGroupState>(group.state());
  if (told.state == PlacementGroupState::kCreated) leases_.OpenBundles(id);
  if (told.state != PlacementGroupState::kRemoved) return;
  attempts_.erase(id);
  leases_.RemoveGroup(id, kRemoved);
  removed_.push_back(id);
  if (removed_.size() > kMostRemoved) {
    told_.erase(removed_.front());
    removed_.pop_front();
  }
}

// ---- What waits

void PlacementGroupService::CheckUnmet() {
  const Nanoseconds now = EventLoop::Now();
  Nanoseconds next = model::kNever;
  for (const contracts::PlacementGroups::Waiting& waiting : table_.Unmet()) {
    const auto reported = reported_.find(waiting.group);
    const Nanoseconds due = reported == reported_.end() ? waiting.since + kUnmetAfter : reported->second + kUnmetAgain;
    if (due > now) {
      next = std::min(next, due);
      continue;
    }
    reported_[waiting.group] = now;
    next = std::min(next, now + kUnmetAgain);
    const PlacementGroupEntry& group = *table_.Find(waiting.group);
    wire::PlacementGroupWaitsT message;
    message.creator = waiting.group.creator.value;
    message.serial = waiting.group.serial;
    message.name = group.name;
    message.reason = ReasonOf(waiting);
    message.waited_ms = static_cast<uint32_t>((now - waiting.since) / kMillisecond);
    const Process* driver = processes_.DriverOf(group.job);
    ProcessId to = waiting.group.creator;
    if (processes_.Find(to) == nullptr) to = driver != nullptr ? driver->id : ProcessId{};
    if (to) processes_.Send(to, std::move(message));
  }
  if (next != model::kNever) unmet_.ExpireAt(next);
}

}  // namespace manta::node
