// The demands that wait for leases of one shape, in the order of fairness: the job with the fewest
// leases first, within it the owner with the fewest, among those the one that waits longest.
// Demands of a shape can take each other's place, so the lease table has to look at the first one
// only.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

#include "base/ids.h"
#include "model/resources.h"
#include "model/time.h"

namespace manta::model {

struct DemandRecord;

struct Shape {
  ExecutableId executable;
  bool dedicated = false;
  ResourceSet resources;
  ResourceSet placement;
};

struct ShapeLess {
  bool operator()(const Shape& a, const Shape& b) const;
};

// Arrival numbers are unique, so no two places are equal.
struct Place {
  uint32_t owner_leases = 0;
  Nanoseconds since = 0;
  uint64_t arrival = 0;
  auto operator<=>(const Place&) const = default;
};

class WaitingLine {
 public:
  // The first of the line; smaller ones are served before.
  struct Front {
    uint32_t job_leases = 0;
    Place place;
    JobId job;
    auto operator<=>(const Front&) const = default;
  };

  // `total`: what the node has at all.
  WaitingLine(const Shape& shape, const ResourceSet& total);

  const Shape& shape() const { return shape_; }
  // What must be free to grant: the greater of resources and placement, for each name.
  const ResourceSet& request() const { return request_; }
  bool feasible() const { return feasible_; }

  void Enter(JobId job, uint32_t job_leases, const Place& place, DemandRecord* demand);
  void Leave(JobId job, const Place& place);
  bool HasJob(JobId job) const { return jobs_.contains(job); }
  void SetJobLeases(JobId job, uint32_t job_leases);

  bool empty() const { return fronts_.empty(); }
  const Front& front() const { return *fronts_.begin(); }  // requires !empty()
  DemandRecord* front_demand() const;                      // requires !empty()

  // For the lease table.
  uint32_t demands = 0;         // declared with this shape, waiting or not
  uint32_t missing = 0;         // leases that the waiting ones want, in all
  size_t active_index = 0;      // among the lines that are not empty
  uint64_t round = 0;           // of granting to which the next two belong
  uint32_t reserved = 0;        // demands for which a worker is starting
  bool passed_over = false;

 private:
  struct Job {
    Front front;  // as it stands in fronts_
    std::map<Place, DemandRecord*> waiting;
  };

  const Shape shape_;
  ResourceSet request_;
  bool feasible_;
  std::map<JobId, Job> jobs_;
  std::set<Front> fronts_;
};

}  // namespace manta::model
