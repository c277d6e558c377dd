#include "model/waiting_line.h"

#include <algorithm>
#include <cassert>
#include <tuple>

namespace manta::model {

bool ShapeLess::operator()(const Shape& a, const Shape& b) const {
  const auto key = [](const Shape& shape) {
    return std::tie(shape.executable, shape.dedicated, shape.resources.amounts(),
                    shape.placement.amounts());
  };
  return key(a) < key(b);
}

WaitingLine::WaitingLine(const Shape& shape, const ResourceSet& total)
    : shape_(shape), request_(shape.resources) {
  for (const auto& [name, amount] : shape.placement.amounts()) {
    request_.Set(name, std::max(amount, request_.Get(name)));
  }
  feasible_ = total.Contains(request_);
}

void WaitingLine::Enter(JobId id, uint32_t job_leases, const Place& place, DemandRecord* demand) {
  Job& job = jobs_[id];
  if (!job.waiting.empty()) fronts_.erase(job.front);
  [[maybe_unused]] const bool entered = job.waiting.emplace(place, demand).second;
  assert(entered);
  job.front = {job_leases, job.waiting.begin()->first, id};
  fronts_.insert(job.front);
}

void WaitingLine::Leave(JobId id, const Place& place) {
  const auto found = jobs_.find(id);
  assert(found != jobs_.end());
  Job& job = found->second;
  fronts_.erase(job.front);
  [[maybe_unused]] const size_t left = job.waiting.erase(place);
  assert(left == 1);
  if (job.waiting.empty()) {
    jobs_.erase(found);
    return;
  }
  job.front.place = job.waiting.begin()->first;
  fronts_.insert(job.front);
}

void WaitingLine::SetJobLeases(JobId id, uint32_t job_leases) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return;
  fronts_.erase(found->second.front);
  found->second.front.job_leases = job_leases;
  fronts_.insert(found->second.front);
}

DemandRecord* WaitingLine::front_demand() const {
  return jobs_.at(front().job).waiting.begin()->second;
}

}  // namespace manta::model
