#include "node/list_service.h"

#include <utility>

#include "contracts/fields.h"

namespace manta::node {

using contracts::AmountOf;

ListService::ListService(EventLoop& loop, ProcessTable& processes, contracts::ActorNames& actors,
                         std::unique_ptr<Listing> listing)
    : loop_(loop), processes_(processes), actors_(actors), listing_(std::move(listing)) {}

void ListService::Send(ProcessId to, uint64_t request, Listing::Answer answer) {
  wire::ListAnswerT message;
  message.request = request;
  message.json = std::move(answer.json);
  message.left_out = answer.left_out;
  processes_.Send(to, std::move(message));
}

void ListService::Request(ProcessId from, uint64_t request, const std::string& what) {
  if (what == "actors") {
    return actors_.List([&](const auto& actors) { Send(from, request, listing_->Actors(actors)); });
  }
  if (what == "placement-groups") {
    return Send(from, request, Listing::PlacementGroups(placement_groups_ ? placement_groups_() : std::vector<wire::PlacementGroupT>()));
  }
  if (what != "tasks" && what != "objects") return Send(from, request, listing_->Of(what));
  const uint64_t id = ++last_;
  Gathering& gathering = gatherings_[id];
  gathering.requester = from;
  gathering.request = request;
  gathering.of_objects = what == "objects";
  for (const auto& [owner, process] : processes_.all()) {
    const bool owns = process.role == wire::Role::Driver || process.role == wire::Role::Worker;
    if (!owns || process.connection == nullptr) continue;
    wire::ListRequestT ask;
    ask.request = id;
    ask.what = what;
    if (processes_.Send(owner, std::move(ask))) gathering.awaited.insert(owner);
  }
  if (gathering.awaited.empty()) return Finish(id);
  gathering.limit = std::make_unique<Timer>(loop_, [this, id] { Finish(id); });
  gathering.limit->ExpireAfter(kOwnersAnswerWithin);
}

void ListService::RequestResources(ProcessId from, uint64_t request, bool of_lease) {
  wire::ResourcesAnswerT answer;
  answer.request = request;
  if (of_lease) {
    const model::ResourceSet leased = listing_->LeasedBy(from);
    for (const auto& [name, amount] : leased.amounts()) {
      answer.total.push_back(AmountOf(name, amount));
    }
    processes_.Send(from, std::move(answer));
    return;
  }
  const model::ResourceSet total = listing_->ClusterTotal();
  const model::ResourceSet available = listing_->ClusterAvailable();
  for (const auto& [name, amount] : total.amounts()) {
    answer.total.push_back(AmountOf(name, amount));
    answer.available.push_back(AmountOf(name, available.Get(name)));
  }
  processes_.Send(from, std::move(answer));
}

ListService::Gathering* ListService::Awaits(ProcessId from, uint64_t id) {
  const auto found = gatherings_.find(id);
  return found != gatherings_.end() && found->second.awaited.erase(from) > 0 ? &found->second : nullptr;
}

void ListService::FinishIfComplete(uint64_t id) {
  if (gatherings_.at(id).awaited.empty()) Finish(id);
}

void ListService::Answer(ProcessId from, const wire::TaskList& tasks) {
  Gathering* const gathering = Awaits(from, tasks.request());
  if (gathering == nullptr) return;
  Listing::OwnersTasks& answer = gathering->tasks.emplace_back();
  answer.owner = from;
  tasks.UnPackTo(&answer.tasks);
  FinishIfComplete(tasks.request());
}

void ListService::Answer(ProcessId from, const wire::ObjectList& objects) {
  Gathering* const gathering = Awaits(from, objects.request());
  if (gathering == nullptr) return;
  if (objects.objects() != nullptr) {
    for (const wire::ObjectEntry* object : *objects.objects()) {
      gathering->objects[{object->slot(), object->slot_generation()}] = {from, object->index(), object->generation()};
    }
  }
  FinishIfComplete(objects.request());
}

void ListService::ProcessGone(ProcessId process) {
  std::vector<uint64_t> done;
  for (auto& [id, gathering] : gatherings_) {
    if (gathering.awaited.erase(process) > 0 && gathering.awaited.empty()) done.push_back(id);
  }
  for (uint64_t id : done) Finish(id);
}

void ListService::Finish(uint64_t id) {
  const auto found = gatherings_.find(id);
  if (found == gatherings_.end()) return;
  const Gathering gathering = std::move(found->second);
  gatherings_.erase(found);
  Send(gathering.requester, gathering.request,
       gathering.of_objects ? listing_->Objects(gathering.objects) : listing_->Tasks(gathering.tasks));
}

}  // namespace manta::node
