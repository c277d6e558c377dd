#include "node/executables.h"

namespace manta::node {

Result<ExecutableId> Executables::For(JobId job, const std::string& environment) {
  if (environment.empty()) return OfJob(job);
  std::map<std::string, ExecutableId>& known = by_environment_[job];
  if (const auto found = known.find(environment); found != known.end()) return found->second;
  if (known.size() >= kMostOfAJob) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the job has " + std::to_string(kMostOfAJob) +
                                                       " runtime environments, which is the most: let tasks share them");
  }
  const ExecutableId id = EnvironmentExecutable(++last_);
  known.emplace(environment, id);
  kinds_.emplace(id, Kind{job, environment});
  return id;
}

Executables::Kind Executables::KindOf(ExecutableId executable) const {
  const auto found = kinds_.find(executable);
  return found == kinds_.end() ? Kind{JobId{executable.value}, ""} : found->second;
}

std::vector<ExecutableId> Executables::Remove(JobId job) {
  std::vector<ExecutableId> all{OfJob(job)};
  if (const auto found = by_environment_.find(job); found != by_environment_.end()) {
    for (const auto& [environment, id] : found->second) {
      all.push_back(id);
      kinds_.erase(id);
    }
    by_environment_.erase(found);
  }
  return all;
}

}  // namespace manta::node
