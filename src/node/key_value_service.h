// Answers KeyValueRequests: the head from the cluster's tables; another node passes the requests of its processes on to the head.
//
// Values are large, and the trunk is everybody's: what crosses it goes on only while little waits there, one request after the
// other. Until then requests wait here, up to a bound; those of a process that ends are dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/ids.h"
#include "contracts/key_values.h"
#include "node/cluster.h"
#include "node/process_table.h"

namespace manta::node {

class KeyValueService {
 public:
  // What is more is refused.
  static constexpr size_t kMostWaiting = 256u << 20;

  // All arguments outlive this object. The tables of a node that is not the head are not used.
  KeyValueService(ProcessTable& processes, Cluster& cluster, contracts::KeyValues& tables)
      : processes_(processes), cluster_(cluster), tables_(tables) {}

  // From a process of this node, or to the head from one of the other.
  void Request(const Process& from, const wire::KeyValueRequest& message);
  // The other node is up, or little waits in the trunk again.
  void GoOn();
  void ProcessGone(ProcessId process);
  void JobOver(JobId job);

 private:
  struct Waiting {
    ProcessId from;
    std::vector<uint8_t> frame;
  };

  void Answer(ProcessId from, const wire::KeyValueRequest& message);
  void Refuse(ProcessId to, uint64_t request, const Error& error);

  ProcessTable& processes_;
  Cluster& cluster_;
  contracts::KeyValues& tables_;
  std::deque<Waiting> waiting_;
  size_t waiting_bytes_ = 0;
};

}  // namespace manta::node
