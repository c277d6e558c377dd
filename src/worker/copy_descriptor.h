// Copies of task descriptors, between records, slots and locals.
#pragma once

#include "shm/channel.h"

namespace manta::worker {

// All but the payload, field by field. A load that is wider than the stores that have just filled what it reads cannot be served from them: it
// waits until they, and all stores before them, have left for the cache. And a few words are too few for `rep movs`.
inline void CopyDescriptor(const shm::TaskBody& from, shm::TaskBody* to) {
  const auto copy = [](const auto& field, auto* copy) {
    auto value = field;
    asm("" : "+r"(value));  // else the compiler joins neighbours
    *copy = value;
  };
  copy(from.record, &to->record);
  copy(from.generation, &to->generation);
  copy(from.payload_bytes, &to->payload_bytes);
  to->function = from.function;
  copy(from.args_bytes, &to->args_bytes);
  copy(from.first_result, &to->first_result);
  copy(from.dependencies, &to->dependencies);
  copy(from.results, &to->results);
  copy(from.flags, &to->flags);
  copy(from.attempt, &to->attempt);
  copy(from.shape, &to->shape);
}

}  // namespace manta::worker
