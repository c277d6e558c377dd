#include "node/listing.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "model/resources.h"

namespace manta::node {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxListed = 10'000;        // rows
constexpr size_t kMaxListedBytes = 8u << 20;  // of their texts

// Bytes that are no UTF-8 (in names) are replaced, not refused.
std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// `more`: rows that are not in `list` for their number.
Listing::Answer Rows(const Json& list, uint64_t more = 0) {
  Listing::Answer answer{"[", more};
  uint64_t shown = 0;
  for (const Json& row : list) {
    const std::string text = Text(row);
    if (shown == kMaxListed || answer.json.size() + text.size() > kMaxListedBytes) break;
    if (shown++ > 0) answer.json += ',';
    answer.json += text;
  }
  answer.json += ']';
  answer.left_out += list.size() - shown;
  return answer;
}

Json Amounts(const model::ResourceSet& set) {
  Json json = Json::object();
  for (const auto& [name, amount] : set.amounts()) {
    json[name] = static_cast<double>(amount) / model::kResourceUnit;
  }
  return json;
}

double Seconds(Nanoseconds duration) { return static_cast<double>(duration / kMillisecond) / 1000; }

const char* NameOf(wire::Role role) {
  switch (role) {
    case wire::Role::Driver: return "driver";
    case wire::Role::Worker: return "worker";
    case wire::Role::Zygote: return "zygote";
    case wire::Role::Tool: return "tool";
  }
  return "unknown";
}

// In Ray's words.
const char* NameOf(wire::TaskKind kind) {
  switch (kind) {
    case wire::TaskKind::Task: return "NORMAL_TASK";
    case wire::TaskKind::ActorCreation: return "ACTOR_CREATION_TASK";
    case wire::TaskKind::ActorMethod: return "ACTOR_TASK";
  }
  return "unknown";
}

const char* NameOf(wire::TaskStage stage) {
  switch (stage) {
    case wire::TaskStage::WaitsForArguments: return "PENDING_ARGS_AVAIL";
    case wire::TaskStage::Queued: return "PENDING_NODE_ASSIGNMENT";
    case wire::TaskStage::Submitted: return "SUBMITTED_TO_WORKER";
    case wire::TaskStage::Running: return "RUNNING";
  }
  return "unknown";
}

// A process in words for people (a table shows them alone), and what of it is known for programs.
Json Described(ProcessId id, const ProcessTable& processes) {
  Json json = {{"description", processes.Describe(id)}, {"process", SerialOf(id)}, {"node", NodeIndexOf(id)}};
  if (const Process* const process = processes.Find(id)) {
    json["pid"] = process->pid;
    json["job"] = process->job.value;
  }
  return json;
}

std::vector<const Process*> Sorted(const ProcessTable& processes) {
  std::vector<const Process*> list;
  for (const auto& [id, process] : processes.all()) list.push_back(&process);
  std::sort(list.begin(), list.end(),
            [](const Process* a, const Process* b) { return a->id < b->id; });
  return list;
}

Json Workers(const WorkerPool& workers, const ProcessTable& processes, const LeaseService& leases) {
  Json list = Json::array();
  for (const WorkerPool::WorkerInfo& info : workers.List()) {
    Json entry;
    entry["worker"] = SerialOf(info.worker);
    entry["pid"] = info.pid;
    const LeaseService::Lease* lease = leases.LeaseOf(info.worker);
    const Process* process = processes.Find(info.worker);
    const char* state = info.state;
    if (std::string(state) == "ready") {
      const bool detached = process != nullptr && process->detached;
      state = lease != nullptr ? "leased" : detached ? "detached" : "idle";
    }
    entry["state"] = state;
    entry["job"] = process == nullptr ? 0 : process->job.value;
    entry["name"] = process == nullptr ? "" : process->name;
    if (lease != nullptr) {
      entry["lease"] = lease->id.value;
      entry["owner"] = Described(lease->owner, processes);
      entry["actor"] = lease->dedicated;
    }
    entry["log"] = info.log.name();
    list.push_back(std::move(entry));
  }
  return list;
}

Json NodesOf(const Listing::Nodes& nodes) {
  Json list = Json::array();
  if (!nodes) return list;
  for (const NodeInfo& node : nodes()) {
    Json entry;
    entry["node"] = node.index;
    entry["node_id"] = node.node_id;
    entry["address"] = node.address;
    entry["state"] = node.alive ? "ALIVE" : "DEAD";
    entry["head"] = node.head;
    entry["pid"] = node.pid;
    entry["labels"] = node.labels;
    entry["total"] = Amounts(node.total);
    entry["available"] = Amounts(node.alive ? node.available : model::ResourceSet());
    list.push_back(std::move(entry));
  }
  return list;
}

Json Processes(const ProcessTable& processes, Nanoseconds now) {
  Json list = Json::array();
  for (const Process* process : Sorted(processes)) {
    Json entry;
    entry["process"] = SerialOf(process->id);
    entry["node"] = NodeIndexOf(process->id);
    entry["role"] = NameOf(process->role);
    entry["pid"] = process->pid;
    entry["job"] = process->job.value;
    entry["name"] = process->name;
    entry["namespace"] = process->ray_namespace;
    entry["seconds"] = Seconds(now - process->since);
    entry["pending_output_bytes"] =
        process->connection == nullptr ? 0 : process->connection->pending_output();
    list.push_back(std::move(entry));
  }
  return list;
}

Json Leases(const LeaseService& leases, const ProcessTable& processes, Nanoseconds now) {
  Json list = Json::array();
  for (const auto& [id, lease] : leases.leases()) {
    Json entry;
    entry["lease"] = id;
    entry["owner"] = Described(lease.owner, processes);
    entry["worker"] = SerialOf(lease.worker);
    entry["key"] = lease.key;
    entry["actor"] = lease.dedicated;
    entry["revoked"] = lease.revoked;
    entry["seconds"] = Seconds(now - lease.since);
    list.push_back(std::move(entry));
  }
  return list;
}

Json Demands(const LeaseService& leases, const ProcessTable& processes, Nanoseconds now) {
  std::map<std::pair<ProcessId, uint32_t>, model::UnmetDemand> unmet;
  for (const model::UnmetDemand& one : leases.table().Unmet()) unmet.emplace(std::pair(one.owner, one.key), one);
  Json list = Json::array();
  for (const auto& [key, info] : leases.demands()) {
    Json entry;
    entry["owner"] = Described(info.demand.owner, processes);
    entry["key"] = info.demand.key;
    if (!info.actor_name.empty()) entry["name"] = info.actor_name;
    entry["actor"] = info.demand.dedicated;
    entry["resources"] = Amounts(info.demand.resources);
    if (!info.demand.nodes.empty()) entry["nodes"] = info.demand.nodes.text();
    entry["wanted"] = info.demand.wanted;
    entry["held"] = info.held;
    if (const auto found = unmet.find({info.demand.owner, info.demand.key}); found != unmet.end()) {
      const model::UnmetDemand& one = found->second;
      entry["missing"] = one.missing;
      entry["waits_for"] = leases.table().ReasonOf(one);
      entry["waits_seconds"] = Seconds(now - one.since);
      entry["infeasible"] = one.infeasible;
    }
    list.push_back(std::move(entry));
  }
  return list;
}

Json ObjectStore(const ObjectSpace& objects, const ProcessTable& processes, Nanoseconds now) {
  constexpr size_t kMostWaits = 20;
  Json json = {{"capacity_bytes", objects.table().capacity()},
               {"used_bytes", objects.table().used()},
               {"objects", objects.table().objects()},
               {"waiting", objects.waiting()}};
  json["longest_waits"] = Json::array();
  for (const ObjectSpace::Wait& wait : objects.Waits(kMostWaits)) {
    json["longest_waits"].push_back({{"process", Described(wait.process, processes)},
                                     {"bytes", wait.size},
                                     {"waits_seconds", Seconds(now - wait.since)},
                                     {"refused_after_seconds", Seconds(wait.until - wait.since)}});
  }
  return json;
}

// Of the whole cluster.
Json Resources(const Listing& listing) {
  Json json;
  const model::ResourceSet total = listing.ClusterTotal();
  json["total"] = Amounts(total);
  json["available"] = Amounts(listing.ClusterAvailable());
  // What is used up shows as zero, not as missing.
  for (const auto& [name, amount] : total.amounts()) {
    if (!json["available"].contains(name)) json["available"][name] = 0.0;
  }
  return json;
}

}  // namespace

std::vector<NodeInfo> Listing::OtherNodes() const {
  std::vector<NodeInfo> nodes;
  if (nodes_) nodes = nodes_();
  if (!nodes.empty()) nodes.erase(nodes.begin());
  std::erase_if(nodes, [](const NodeInfo& node) { return !node.alive; });
  return nodes;
}

model::ResourceSet Listing::Available() const {
  model::ResourceSet available = leases_.table().available();
  // Objects take it without a lease.
  const auto used = static_cast<int64_t>(objects_.table().used()) * model::kResourceUnit;
  const int64_t free = available.Get(model::kObjectStoreMemory);
  available.Set(model::kObjectStoreMemory, std::max<int64_t>(0, free - used));
  return available;
}

model::ResourceSet Listing::ClusterTotal() const {
  model::ResourceSet total = Total();
  for (const NodeInfo& node : OtherNodes()) total.Add(node.total);
  return total;
}

model::ResourceSet Listing::ClusterAvailable() const {
  model::ResourceSet available = Available();
  for (const NodeInfo& node : OtherNodes()) available.Add(node.available);
  return available;
}

model::ResourceSet Listing::LeasedBy(ProcessId worker) const {
  const LeaseService::Lease* lease = leases_.LeaseOf(worker);
  if (lease == nullptr) return {};
  const auto demand = leases_.demands().find({lease->owner.value, lease->key});
  return demand == leases_.demands().end() ? model::ResourceSet() : demand->second.demand.resources;
}

Listing::Answer Listing::Of(const std::string& what) const {
  const Nanoseconds now = EventLoop::Now();
  if (what == "workers") return Rows(Workers(workers_, processes_, leases_));
  if (what == "processes") return Rows(Processes(processes_, now));
  if (what == "leases") return Rows(Leases(leases_, processes_, now));
  if (what == "nodes") return Rows(NodesOf(nodes_));
  if (what == "demands") return Rows(Demands(leases_, processes_, now));
  if (what == "resources") return {Text(Resources(*this))};
  if (what == "status") {
    Json json;
    json["session"] = facts_.session_directory;
    json["node_id"] = facts_.node_id;
    json["embedded"] = facts_.embedded;
    json["seconds"] = Seconds(now - facts_.started);
    json["nodes"] = NodesOf(nodes_);
    json["resources"] = Resources(*this);
    json["object_store"] = ObjectStore(objects_, processes_, now);
    json["channels"] = {{"count", channels_.channels()}, {"bytes", channels_.used_bytes()}};
    json["flight_recorder"] = {{"missing", recorder_.missing()},
                               {"reason", recorder_.missing_reason()}};
    json["workers"] = Workers(workers_, processes_, leases_);
    Json drivers = Json::array();
    for (const Process* process : Sorted(processes_)) {
      if (process->role != wire::Role::Driver) continue;
      drivers.push_back({{"process", SerialOf(process->id)},
                         {"pid", process->pid},
                         {"job", process->job.value},
                         {"name", process->name},
                         {"seconds", Seconds(now - process->since)}});
    }
    json["drivers"] = std::move(drivers);
    json["demands"] = Demands(leases_, processes_, now);
    return {Text(json)};
  }
  return {Text({{"error", "there is no list of " + what +
                              ": ask for workers, tasks, actors, placement-groups, objects, leases, "
                              "demands, resources, processes or status"}})};
}

Listing::Answer Listing::PlacementGroups(const std::vector<wire::PlacementGroupT>& groups) {
  Json list = Json::array();
  for (const wire::PlacementGroupT& group : groups) {
    Json entry;
    entry["group"] = Hex(PlacementGroupId{ProcessId{group.creator}, group.serial});
    entry["name"] = group.name;
    entry["namespace"] = group.ray_namespace;
    entry["strategy"] = contracts::ToString(static_cast<contracts::PlacementStrategy>(group.strategy));
    entry["state"] = contracts::ToString(static_cast<contracts::PlacementGroupState>(group.state));
    entry["detached"] = group.detached;
    entry["job"] = group.job;
    Json bundles = Json::array();
    for (const auto& bundle : group.bundles) {
      Json resources = Json::object();
      for (const auto& amount : bundle->resources) {
        resources[amount->name] = static_cast<double>(amount->fixed_point) / model::kResourceUnit;
      }
      bundles.push_back({{"resources", std::move(resources)}, {"node_id", bundle->node_id}});
      if (!bundle->nodes.empty()) bundles.back()["nodes"] = bundle->nodes;
    }
    entry["bundles"] = std::move(bundles);
    if (!group.reason.empty()) entry["waits_for"] = group.reason;
    list.push_back(std::move(entry));
  }
  return Rows(list);
}

Listing::Answer Listing::Actors(const std::vector<contracts::ActorEntry>& actors) const {
  Json list = Json::array();
  for (const contracts::ActorEntry& actor : actors) {
    Json entry;
    entry["actor"] = Hex(actor.id);
    entry["name"] = actor.name;
    entry["namespace"] = actor.ray_namespace;
    entry["class"] = actor.class_name;
    entry["state"] = contracts::ToString(actor.state);
    entry["detached"] = actor.detached;
    entry["restarts"] = actor.restarts;
    if (!actor.death.empty()) entry["death"] = actor.death;
    if (actor.process) entry["worker"] = Described(actor.process, processes_);
    list.push_back(std::move(entry));
  }
  return Rows(list);
}

Listing::Answer Listing::Tasks(const std::vector<OwnersTasks>& owners) const {
  Json list = Json::array();
  uint64_t outstanding = 0;
  for (const auto& [owner, tasks] : owners) {
    outstanding += tasks.outstanding;
    for (const auto& task : tasks.tasks) {
      if (list.size() == kMaxListed) break;
      Json entry;
      entry["task"] = Hex(ObjectId{owner, task->index, task->generation});
      entry["name"] = task->name;
      entry["type"] = NameOf(task->kind);
      entry["state"] = NameOf(task->stage);
      entry["attempt"] = task->attempt;
      if (task->cancelled) entry["cancelled"] = true;
      entry["owner"] = Described(owner, processes_);
      if (task->worker != 0) entry["worker"] = Described(ProcessId{task->worker}, processes_);
      const ActorId actor{{task->actor_creator}, task->actor_serial};
      if (actor) entry["actor"] = Hex(actor);
      const ObjectId parent{{task->parent_owner}, task->parent_index, task->parent_generation};
      if (parent) entry["parent"] = Hex(parent);
      list.push_back(std::move(entry));
    }
  }
  return Rows(list, outstanding - list.size());
}

Listing::Answer Listing::Objects(const ObjectNames& names) const {
  Json list = Json::array();
  for (const ObjectTable::Info& info : objects_.table().List(kMaxListed)) {
    Json entry;
    // None: what a task's arguments take, or what is being allocated.
    if (const auto name = names.find({info.slot, info.generation}); name != names.end()) entry["object"] = Hex(name->second);
    entry["slot"] = info.slot;
    entry["generation"] = info.generation;
    entry["bytes"] = info.size;
    entry["state"] = info.state;
    entry["owner"] = Described(info.owner, processes_);
    if (info.lessee) entry["made_by"] = Described(info.lessee, processes_);  // none: it is gone
    list.push_back(std::move(entry));
  }
  return Rows(list, objects_.table().objects() - list.size());
}

}  // namespace manta::node
