// Answers ListRequests and ResourcesRequests. What owners alone know (tasks, names of objects) is asked of them; who does not answer in time is left out.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "contracts/actor_names.h"
#include "node/event_loop.h"
#include "node/listing.h"
#include "node/process_table.h"

namespace manta::node {

class ListService {
 public:
  static constexpr Nanoseconds kOwnersAnswerWithin = kSecond;

  ListService(EventLoop& loop, ProcessTable& processes, contracts::ActorNames& actors,
              std::unique_ptr<Listing> listing);

  using PlacementGroups = std::function<std::vector<wire::PlacementGroupT>()>;
  void set_placement_groups(PlacementGroups groups) { placement_groups_ = std::move(groups); }

  void Request(ProcessId from, uint64_t request, const std::string& what);
  void RequestResources(ProcessId from, uint64_t request, bool of_lease);
  // From an owner that was asked.
  void Answer(ProcessId from, const wire::TaskList& tasks);
  void Answer(ProcessId from, const wire::ObjectList& objects);
  void ProcessGone(ProcessId process);

 private:
  struct Gathering {
    ProcessId requester;
    uint64_t request = 0;
    bool of_objects = false;
    std::set<ProcessId> awaited;
    std::vector<Listing::OwnersTasks> tasks;
    Listing::ObjectNames objects;
    std::unique_ptr<Timer> limit;
  };

  // The one that still waits for this answer, which counts from now on; nullptr: none.
  Gathering* Awaits(ProcessId from, uint64_t gathering);
  void FinishIfComplete(uint64_t gathering);

  void Send(ProcessId to, uint64_t request, Listing::Answer answer);
  void Finish(uint64_t gathering);

  EventLoop& loop_;
  ProcessTable& processes_;
  contracts::ActorNames& actors_;
  std::unique_ptr<Listing> listing_;
  PlacementGroups placement_groups_;
  uint64_t last_ = 0;
  std::unordered_map<uint64_t, Gathering> gatherings_;
};

}  // namespace manta::node
