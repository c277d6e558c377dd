// The cluster's placement groups, as a program uses them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "manta/manta_c.h"
#include "model/bundles.h"
#include "model/resources.h"
#include "worker/answers.h"
#include "worker/control_client.h"
#include "worker/owner.h"

namespace manta::worker {

// Thread-safe; answers come on the service thread. What gives a Result waits for the daemon.
class PlacementGroups {
 public:
  using Facts = std::unique_ptr<wire::PlacementGroupT>;

  PlacementGroups(Owner* owner, ControlClient* control) : owner_(owner), control_(control) {}

  // Error INVALID_ARGUMENT: it names no resource, or one that cannot be. `index`: for the message.
  static Result<std::unique_ptr<wire::BundleT>> BundleOf(const manta_bundle& given, size_t index);
  // `group` is all but the id.
  Result<PlacementGroupId> Create(wire::PlacementGroupT group);
  void Remove(PlacementGroupId group);
  // An object that gets this value, or the error that the group was removed.
  ObjectRecord* Ready(PlacementGroupId group, const void* value, size_t size);

  // nullptr: there is none.
  Result<Facts> Find(PlacementGroupId group);
  Result<Facts> FindByName(const std::string& name, const std::string& ray_namespace);
  Result<std::vector<Facts>> List();

  // Error INVALID_ARGUMENT when the group has no such bundle, or none with room for the request. No error for a group that is gone.
  Result<> CheckFits(const model::BundleRef& bundle, const model::ResourceSet& request);

  void OnAnswer(const wire::PlacementGroupAnswer& message);  // not under the owner's lock
  void FailAll(const Error& error);

 private:
  static constexpr size_t kMostKnown = 4096;

  using Bundles = std::shared_ptr<const std::vector<model::ResourceSet>>;
  struct Awaited {
    ObjectRecord* object;  // one reference is ours
    std::vector<unsigned char> value;
  };

  Result<wire::PlacementGroupAnswerT> Ask(wire::PlacementGroupOperation operation, wire::PlacementGroupT group);
  Result<Facts> FindOne(wire::PlacementGroupT asked);
  void Remember(PlacementGroupId group, const std::vector<std::unique_ptr<wire::BundleT>>& bundles);
  Result<Bundles> BundlesOf(PlacementGroupId group);  // nullptr: it is gone

  Owner* const owner_;
  ControlClient* const control_;
  Answers<wire::PlacementGroupAnswerT> answers_;
  std::mutex mutex_;  // over the rest; outside of the owner's lock
  uint64_t last_serial_ = 0;
  std::unordered_map<uint64_t, Awaited> awaited_;  // by request
  std::unordered_map<PlacementGroupId, Bundles> known_;
  std::deque<PlacementGroupId> known_order_;  // oldest first; also of those that are forgotten
  bool closed_ = false;
  Error closed_error_;
};

}  // namespace manta::worker
