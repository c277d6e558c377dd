// How a daemon becomes a node of a running cluster: before it serves anything, so that whatever is wrong is said at once.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "node/event_loop.h"

namespace manta::node {

struct JoinedCluster {
  UniqueFd socket;          // the trunk to the head, both sides proved
  uint32_t node_index = 0;
  std::string head_id;      // the head's node id
  std::string own_address;  // by which this machine reached the head
};

// `address` is HOST:PORT of the head. Blocks at most `limit`. Errors say what was wrong and what to do: the address, the secret,
// the versions, or that nobody answers.
Result<JoinedCluster> JoinCluster(const std::string& address, const std::string& secret,
                                  Nanoseconds limit);

// Whether `address`, HOST:PORT in any spelling, leads to a head of this machine that listens at `trunk`, a numeric one. May ask the
// network for the host's name.
bool LeadsTo(const std::string& address, const std::string& trunk);

}  // namespace manta::node
