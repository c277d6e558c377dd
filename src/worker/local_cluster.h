// Starts a cluster of one node for a driver that has no address to go to.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace manta::worker {

struct LocalClusterOptions {
  double num_cpus = -1;
  double num_gpus = -1;
  std::vector<std::pair<std::string, double>> resources;
  std::vector<std::pair<std::string, std::string>> labels;
  uint64_t object_store_bytes = 0;
};

struct LocalCluster {
  int socket;  // to the node daemon, which ends when it closes
  int pid;
};

// Starts the node daemon with one end of a socket pair. Error START_FAILED when the `manta` executable cannot be found or run.
Result<LocalCluster> StartLocalCluster(const LocalClusterOptions& options);

// Waits for the daemon of a closed socket; kills it when it takes longer than a few seconds. Of its session only logs stay, however
// it has ended.
void AwaitLocalCluster(int pid);

// Where the `manta` executable is: $MANTA_EXECUTABLE, else beside this library (../bin), else in $PATH.
Result<std::string> FindMantaExecutable();

}  // namespace manta::worker
