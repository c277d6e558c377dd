#include "model/waiting_line.h"

#include <algorithm>
#include <tuple>

namespace manta::model {

bool ShapeLess::operator()(const Shape& a, const Shape& b) const {
  const auto key = [](const Shape& shape) {
    return std::tie(shape.executable, shape.dedicated, shape.bundle, shape.nodes, shape.resources.amounts(),
                    shape.placement.amounts());
  };
  return key(a) < key(b);
}

WaitingLine::WaitingLine(const Shape& shape, const ResourceSet& total, const NodeLabels& labels)
    : shape_(shape), request_(shape.resources), admitted_(shape.nodes.IsMetBy(labels)) {
  for (const auto& [name, amount] : shape.placement.amounts()) {
    request_.Set(name, std::max(amount, request_.Get(name)));
  }
  cpus_ = request_.Get(kCpu);
  feasible_ = admitted_ && (shape.bundle || total.Contains(request_));
}

}  // namespace manta::model
