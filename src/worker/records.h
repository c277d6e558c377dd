// What a process knows of each object that it can name, and of each task that it has submitted.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "shm/channel.h"

namespace manta::worker {

class OwnerChannel;
class ResultStream;
class TaskTarget;
struct Waiter;
struct ObjectRecord;

enum class ValueState : uint8_t {
  kPending = 0,  // no value yet; a task (ObjectRecord::task) or a put in progress will bring one
  kInline = 1,   // in the record
  kHeap = 2,     // in the owner's heap
  kShared = 3,   // in the object arena
  kError = 4,
};

// What happens when an object gets its value: a task has one unready dependency less, or a waiting thread is woken.
struct Dependent {
  Dependent* next;
  Waiter* waiter;  // nullptr: a task
  uint32_t task;   // 0, and no waiter: other processes that asked for the value
};

// One object. 64 bytes; the address is what the C interface calls `manta_ref`.
// `references` and `state` may be read at any time, all else is guarded by the owner's lock until the state leaves kPending;
// from then on the value does not change as long as a reference is held.
struct alignas(64) ObjectRecord {
  std::atomic<uint32_t> references{0};  // counted handles of this process; at 0 a pending record waits for its task
  std::atomic<ValueState> state{ValueState::kPending};
  bool arena_owned : 1 = false;  // kShared: freed through the daemon when the last reference goes
  bool in_use : 1 = false;       // not on the free list
  bool borrowed : 1 = false;     // of another owner
  bool listed : 1 = false;       // ours, and other processes may know it: lives until the reference table lets it go
  bool contains : 1 = false;     // its value contains references
  bool fetching : 1 = false;     // borrowed: its owner was asked for the value
  bool pinned = false;                // kShared: held by entry `size` of the pin table
  std::atomic<bool> sealing{false};   // a put whose bytes are being written; cleared without the lock
  uint32_t size = 0;         // of kInline and kHeap values
  uint32_t task = 0;         // pending: the task record that will bring the value, 0 for none
  uint32_t index = 0;
  uint32_t generation = 0;
  union {
    Dependent* dependents = nullptr;
    ObjectRecord* free_next;  // not in use
  };
  union {
    unsigned char bytes[shm::kInlineResult];
    void* heap;
    shm::SharedHandle shared;
    Error* error;
  };

  ObjectRecord() : bytes{} {}
  void SetIndex(uint32_t own) { index = own; }

  // A value in the record, which no other process knows and which holds nothing else.
  bool IsPlain() const {
    return state.load(std::memory_order_relaxed) == ValueState::kInline && !borrowed && !listed && !contains;
  }
};
static_assert(sizeof(ObjectRecord) == 64);

enum class TaskState : uint8_t {
  kFree = 0,
  kWaiting = 1,    // for dependencies
  kQueued = 2,     // in its target's backlog
  kPushed = 3,     // in a channel
  kRunningHere = 4,  // in place, by the thread that waits for it
  kKept = 5,       // the creation task of an actor that may restart, done for now
  kAbandoned = 6,  // its results have failed; what it waits for still names it, and is the last to do so
};

// What few tasks have. The references inside of the arguments and of the values of the dependencies, each counted, a name of the task's own, a payload that is too large
// for its channel, and a stream of results.
struct TaskNested {
  std::string name;     // empty: the function's
  uint64_t number = 0;  // of the attempt, for the reference table
  std::vector<ObjectRecord*> objects;
  std::vector<ObjectId> ids;
  shm::SharedHandle payload{};  // of this attempt, in the object arena; size 0: none
  bool has_contained = false;   // those inside of the dependencies' values are among `objects`
  std::shared_ptr<ResultStream> stream;  // of one that gives its results one by one
  bool awaits_payload = false;  // space was asked for; counts as one of TaskRecord::unready
};

// Which exceptions of user code lead to another attempt.
struct RetryRule {
  enum class Exceptions : uint8_t { kNone = 0, kAll = 1, kListed = 2 };
  Exceptions exceptions = Exceptions::kNone;
  std::vector<std::string> types;  // demangled
};

// One submitted task, until its results are there. What a retry needs stays in it: `body` is the descriptor as it goes into a slot.
// A million of them may be queued: mind its size.
struct TaskRecord {
  shm::TaskBody body;
  uint32_t slab_next = 0;  // while queued: the next of the backlog
  union {
    uint32_t previous = 0;  // while queued
    uint32_t position;      // while pushed: in the channel
  };
  uint32_t unready = 0;  // dependencies without a value
  int32_t retries_left = 0;  // MANTA_DEFAULT_INT: what the actor allows, see Dispatcher::RetriesLeft
  TaskState state = TaskState::kFree;
  bool cancelled = false;
  bool forced = false;  // cancelled, and its worker is to be killed
  OwnerChannel* channel = nullptr;
  union {
    TaskTarget* target = nullptr;
    TaskRecord* free_next;  // not in use
  };
  ObjectRecord** dependencies = nullptr;  // heap block of body.dependencies entries, each one reference
  union {
    ObjectRecord* result = nullptr;       // body.results == 1
    ObjectRecord** results;               // heap block otherwise
  };
  TaskNested* nested = nullptr;           // references inside the arguments
  const RetryRule* retry_rule = nullptr;  // lives as long as the runtime; nullptr: never
  const char* name = nullptr;             // of the function, static; nullptr when the task has one of its own
  ObjectId parent;  // the task that submitted it, as its owner names it; none in a driver

  void SetIndex(uint32_t own) { body.record = own; }
  bool holds_references() const { return nested != nullptr && !nested->objects.empty(); }
  // Arguments that do not fit into the descriptor are in a heap block of body.args_bytes, whose address stands in the payload.
  bool has_args_block() const { return body.args_bytes > sizeof body.payload; }
  unsigned char* args_block() const {
    unsigned char* block;
    std::memcpy(&block, body.payload, sizeof block);
    return block;
  }
  void set_args_block(unsigned char* block) { std::memcpy(body.payload, &block, sizeof block); }
  const unsigned char* args() const { return has_args_block() ? args_block() : body.payload; }
};
static_assert(sizeof(TaskRecord) == 216);

}  // namespace manta::worker
