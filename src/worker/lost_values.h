// Values that were made for an owner and that nobody will get.
#pragma once

#include <cstring>

#include "worker/dispatcher.h"
#include "worker/owner.h"
#include "worker/result_list.h"

namespace manta::worker {

// [lock] of `owner`. Gives back what the outcome's list has in the object arena.
inline void FreeLostValues(Owner& owner, const Outcome& outcome) {
  if (!outcome.is_list) return;
  ResultReader reader(outcome.bytes, outcome.size);
  shm::SharedHandle handle;
  for (ResultReader::Entry entry; reader.Next(&entry);) {
    if (entry.kind != shm::ValueKind::kShared || entry.size != sizeof handle) continue;
    std::memcpy(&handle, entry.bytes, sizeof handle);
    if (owner.memory().Contains(handle)) owner.FreeLater(handle);
  }
}

}  // namespace manta::worker
