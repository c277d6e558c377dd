// Which kinds of workers a job has: its own, and one for each environment that its tasks ask for. All are forked from the same program;
// what an environment means is known to the front-end alone, which applies it in the worker. No worker changes its environment.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace manta::node {

class Executables {
 public:
  static constexpr size_t kMostOfAJob = 1024;

  struct Kind {
    JobId job;
    std::string environment;  // "": the job's own
  };

  static ExecutableId OfJob(JobId job) { return {job.value}; }

  // The same for the same job and environment. Error INVALID_ARGUMENT: the job has too many.
  Result<ExecutableId> For(JobId job, const std::string& environment);
  Kind KindOf(ExecutableId executable) const;
  // The job is over: all of its kinds, which are forgotten.
  std::vector<ExecutableId> Remove(JobId job);

 private:
  std::map<JobId, std::map<std::string, ExecutableId>> by_environment_;
  std::unordered_map<ExecutableId, Kind> kinds_;  // with an environment
  uint64_t last_ = 0;
};

}  // namespace manta::node
