// What the demands that wait for leases of one shape have in common. They can take each other's place, so that the lease table has to
// ask once whether the next one of a line can be granted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/ids.h"
#include "model/bundles.h"
#include "model/node_constraint.h"
#include "model/resources.h"

namespace manta::model {

struct Shape {
  ExecutableId executable;
  bool dedicated = false;
  ResourceSet resources;
  ResourceSet placement;
  BundleRef bundle;
  NodeConstraint nodes;
};

struct ShapeLess {
  bool operator()(const Shape& a, const Shape& b) const;
};

class WaitingLine {
 public:
  // `total`: what the node has at all; `labels`: its own.
  WaitingLine(const Shape& shape, const ResourceSet& total, const NodeLabels& labels);

  const Shape& shape() const { return shape_; }
  // What must be free to grant: the greater of resources and placement, for each name.
  const ResourceSet& request() const { return request_; }
  int64_t cpus() const { return cpus_; }  // of the request
  // Whether this node will do, by its labels.
  bool admitted() const { return admitted_; }
  // Whether it could ever serve the line. Of a group: if it will do, since what the group will have is not known here.
  bool feasible() const { return feasible_; }

  // For the lease table.
  BundleGroup* group = nullptr; // that it is served from
  uint32_t demands = 0;         // declared with this shape, waiting or not
  uint32_t waiting = 0;         // of these, those that wait
  uint32_t missing = 0;         // leases that the waiting ones want, in all
  size_t active_index = 0;      // among the lines where somebody waits
  uint64_t round = 0;           // of granting to which the rest belongs
  uint32_t reserved = 0;        // demands for which a worker is starting
  bool passed_over = false;
  bool fits = false;            // what is free now

 private:
  const Shape shape_;
  ResourceSet request_;
  int64_t cpus_;
  bool admitted_;
  bool feasible_;
};

}  // namespace manta::model
