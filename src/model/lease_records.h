// What the lease table keeps per lease, demand, owner and job.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/ids.h"
#include "model/resources.h"
#include "model/time.h"
#include "model/waiting_line.h"
#include "model/worker_pool.h"

namespace manta::model {

struct OwnerRecord;
struct DemandRecord;

// Since when a demand waits; arrival numbers are unique, so no two are equal.
struct Age {
  Nanoseconds since = 0;
  uint64_t arrival = 0;
  auto operator<=>(const Age&) const = default;
};

// An owner, or a job, that waits, in the order of fairness among its like.
template <class Id, class Record>
struct Waiter {
  uint32_t counted = 0;
  Id id;
  Record* record = nullptr;

  bool operator<(const Waiter& other) const { return std::tie(counted, id) < std::tie(other.counted, other.id); }
};

// Who holds leases, in the order in which one is taken away: the last one first. Among those with
// the same number it is the turn of the one whose last revocation is the longest ago; by their ids
// alone, the same one would be spared for ever.
template <class Id>
struct Holder {
  uint32_t kept = 0;
  uint64_t last_revocation = 0;
  Id id;

  bool operator<(const Holder& other) const {
    return std::tie(kept, other.last_revocation, id) <
           std::tie(other.kept, last_revocation, other.id);
  }
};

struct JobRecord {
  uint32_t owners = 0;
  uint32_t counted = 0;  // leases, see LeaseRecord
  uint32_t kept = 0;
  uint32_t covered = 0;
  uint64_t last_revocation = 0;              // 0: none so far
  std::set<Holder<ProcessId>> holders;       // owners with kept leases
  std::set<Waiter<ProcessId, OwnerRecord>> waiting;  // owners with demands that wait
};

struct DemandRecord {
  uint32_t key = 0;
  uint32_t wanted = 0;
  OwnerRecord* owner = nullptr;
  WaitingLine* line = nullptr;
  uint32_t held = 0;
  uint32_t kept = 0;
  uint32_t missing = 0;  // wanted and not held; it stands in its line while this is not zero
  uint32_t in_line = 0;  // `missing` as its line knows it
  Age age;               // while it waits
  Nanoseconds due = kNever;  // the end of its quantum
  bool parked = false;       // its quantum is over and nothing could be done
  // Leases that were revoked for its sake and are still out; how many of its own they and what is
  // free will make; and what came back so far.
  std::set<LeaseId> promised;
  uint32_t covered = 0;
  ResourceSet earmark;

  bool waiting() const { return missing > 0; }
};

struct OwnerRecord {
  ProcessId id;
  JobId job_id;
  JobRecord* job = nullptr;
  uint32_t counted = 0;
  uint32_t kept = 0;
  uint32_t covered = 0;  // of its demands, in all
  uint64_t last_revocation = 0;  // 0: none so far
  std::map<uint32_t, DemandRecord> demands;
  std::map<Age, DemandRecord*> waiting;
  std::set<LeaseId> leases;
};

// A lease counts for fairness while it takes something away from others that it could give back:
// dedicated leases do not, and neither does the lease of a worker that has lent all it was charged.
// Otherwise a job whose tasks wait for their children would look rich, and the children would never
// run. A counted lease that is not revoked is "kept".
struct LeaseRecord {
  LeaseId id;
  OwnerRecord* owner = nullptr;
  DemandRecord* demand = nullptr;
  PoolWorker* worker = nullptr;
  bool revoked = false;
  DemandRecord* promised_to = nullptr;  // revoked: for whose sake, if that still waits

  bool dedicated() const { return demand->line->shape().dedicated; }
  bool counted() const { return !dedicated() && !worker->charged.empty(); }
  bool kept() const { return counted() && !revoked; }
};

}  // namespace manta::model
