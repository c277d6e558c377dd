// The layout of the control arena: what processes of one node share beside objects. PROTOCOL.md ("Control arena") is the prose.
//
//   ControlHeader | process pages | channels
//
// A memfd that the daemon creates and every process of the trust domain maps whole, readable and writable. Offsets, never pointers.
// All structures start out zeroed. Who writes a word stands beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/ids.h"
#include "manta/manta_c.h"
#include "shm/atomics.h"
#include "shm/doorbell.h"
#include "shm/message_ring.h"
#include "shm/pin_table.h"
#include "shm/slot_ring.h"

namespace manta::shm {

inline constexpr uint64_t kControlMagic = 0x31746e4361746e4d;  // "MntaCnt1", little endian
inline constexpr uint32_t kControlLayout = 4;

struct ControlHeader {
  uint64_t magic;
  uint32_t layout;
  uint32_t node_index;
  uint32_t process_pages;       // how many
  uint32_t process_page_bytes;  // sizeof(ProcessPage)
  uint64_t first_process_page;  // offset
  uint64_t first_channel;       // offset
  uint64_t bytes;               // of the arena
  uint32_t cores;               // that the node's processes may use (affinity and CPU quota)
  uint32_t reserved;
};
static_assert(sizeof(ControlHeader) == 56);

// Bits of ProcessPage::activity.
inline constexpr uint32_t kIdle = 1;      // the thread that runs tasks sleeps until there is one
inline constexpr uint32_t kBlocked = 2;   // a task waits for objects: what it has not claimed goes elsewhere

inline constexpr uint32_t kMaxChannelsPerProcess = 1024;
// Large objects of others that a process reads in place at one time. Pages that were never used cost address space only.
inline constexpr uint32_t kPinsPerProcess = 65536;

struct ProcessPage {
  Doorbell<RealAtomics> doorbell;  // several writers, see doorbell.h
  alignas(kCacheLine) std::atomic<uint32_t> activity;  // the process
  alignas(kCacheLine) std::atomic<uint32_t> channel_version;  // daemon: grows with every change of `channels`
  std::atomic<uint32_t> channel_count;                        // daemon: entries in use, holes included
  uint64_t process;                                           // daemon: the process id
  std::atomic<uint32_t> channel_version_seen;                 // the process: which version it polls by now
  // Daemon, before it tells who got the lease: what the lease gives the worker.
  std::atomic<uint64_t> gpus;                                 // bit i: GPU i, or a share of it
  std::atomic<uint64_t> actor_creator;                        // the actor that it is for; zeros: tasks
  std::atomic<uint64_t> actor_serial;
  std::atomic<uint64_t> group_creator;                        // the placement group that it runs in; zeros: none
  std::atomic<uint64_t> group_serial;
  std::atomic<int32_t> bundle;                                // that it asked for; -1: any of the group
  std::atomic<uint32_t> captures;                             // 1: what its tasks submit runs in the group, too
  alignas(4096) std::atomic<uint32_t> channels[kMaxChannelsPerProcess];  // daemon: offset / 64, 0 = hole
  alignas(4096) PinTable<RealAtomics, kPinsPerProcess> pins;             // the process
};
static_assert(offsetof(ProcessPage, channels) == 4096 && offsetof(ProcessPage, pins) == 8192);
static_assert(sizeof(ProcessPage) == 8192 + kPinsPerProcess * 8 + 4096);

// ---- Tasks --------------------------------------------------------------------------------------------

inline constexpr uint8_t kPayloadInRing = 1;   // the payload lies in the channel's ring of task payloads
inline constexpr uint8_t kActorCreation = 2;   // the invoker makes the actor
inline constexpr uint8_t kActorMethod = 4;
inline constexpr uint8_t kHasReferences = 16;  // the payload ends with a NestedHeader: references inside of the arguments
inline constexpr uint8_t kActorSetup = 32;     // of a creation: the arguments start with a worker::ActorSetup
inline constexpr uint8_t kNamed = 64;          // the payload ends with a name and a NameTrailer, behind everything else
inline constexpr uint8_t kPayloadShared = 128;  // the payload is an object: the descriptor holds its SharedHandle
inline constexpr uint8_t kExitWorker = 8;      // no code to run: end this worker gracefully

inline constexpr uint32_t kInlinePayload = 80;

// Sections of a payload start at multiples of 8.
template <class T>
constexpr T Align8(T bytes) {
  return (bytes + 7) & ~T{7};
}

// What the owner writes into a slot. Payload: the encoded arguments (args_bytes), padding to 8, then `dependencies` sections, each a
// DependencyHeader followed by its value if that is inline.
struct TaskBody {
  uint32_t record;      // the owner's task record, and which use of it
  uint32_t generation;  // of its first result's object, too
  uint32_t payload_bytes;
  manta_function_id function;
  uint32_t args_bytes;
  uint32_t first_result;  // the owner's object, whose id is the task's for everybody else; kNoResult | record where there is none
  uint16_t dependencies;
  uint16_t results;
  uint8_t flags;
  uint8_t attempt;   // 0 for the first; stays at 255
  // A hash of what the task asks of its worker: children of the same shape may run in its place. Of an actor's call: the number of the
  // concurrency group that it asks for, 0 for none.
  uint16_t shape;
  unsigned char payload[kInlinePayload];  // or, with kPayloadInRing, the offset there; with kPayloadShared, a SharedHandle
};
inline constexpr uint32_t kNoResult = 1u << 31;  // no object has such an index
using TaskSlot = Slot<RealAtomics, TaskBody>;
static_assert(sizeof(TaskSlot) == 128 && offsetof(TaskSlot, body) == 4);
static_assert(offsetof(TaskBody, payload) == 44);

// Where the payload is with kPayloadInRing.
inline void SetRingOffset(uint32_t offset, TaskBody* body) { std::memcpy(body->payload, &offset, sizeof offset); }
inline uint32_t RingOffset(const TaskBody& body) {
  uint32_t offset;
  std::memcpy(&offset, body.payload, sizeof offset);
  return offset;
}

// A value in shared memory. The slot and its generation say whether it is still there; the rest finds it without a look-up.
struct SharedHandle {
  uint32_t slot;
  uint32_t generation;
  uint64_t offset;  // in the object arena
  uint64_t size;
};
static_assert(sizeof(SharedHandle) == 24);

enum class ValueKind : uint32_t {
  kInline = 0,  // `bytes` bytes follow
  kShared = 1,  // a SharedHandle follows
  kError = 2,   // an encoded Error follows (model/error_codec.h)
};

struct DependencyHeader {
  uint64_t owner;
  uint32_t index;
  uint32_t generation;
  ValueKind kind;
  uint32_t bytes;  // that follow, before padding to 8
};
static_assert(sizeof(DependencyHeader) == 24);

// ---- Completions --------------------------------------------------------------------------------------

inline constexpr uint32_t kInlineResult = 32;

enum class TaskStatus : uint8_t {
  kOk = 0,
  kFailed = 1,       // user code threw; the payload is one kError value
  kCancelled = 2,    // never ran
  kNotRunnable = 3,  // the descriptor names no code of this executable, or is damaged; the payload is one kError value
  kReturned = 4,     // not begun: a worker of another node gives it back to its owner (the far form of a slot that is taken back)
  kItem = 5,         // the task goes on: one of the results that it gives one by one, as the only one of a task that went well
};

inline constexpr uint8_t kResultsInRing = 1;  // not inline: `payload_bytes` at payload_offset of the result payload ring
inline constexpr uint8_t kResultsShared = 2;  // the result list was too large for the ring: inline_result is a SharedHandle of it

inline constexpr uint8_t kKeptReferences = 4;  // the list ends with the references that the worker still holds: a u64 count and entries

// What stands in a descriptor's payload behind the dependencies when its arguments contain references.
// Behind the bytes of a task's own name (SetName) and padding to 8.
struct NameTrailer {
  uint64_t bytes;
};

struct NestedHeader {
  uint64_t task_number;
  uint64_t count;  // ObjectIds that follow, 16 bytes each
};
static_assert(sizeof(NestedHeader) == 16 && sizeof(ObjectId) == 16);

// In a completion: behind a result's value, one per reference in it; and in the section of kept references.
struct WireReference {
  ObjectId object;
  uint64_t number;  // of the transfer, or the epoch
};
static_assert(sizeof(WireReference) == 24);

// Whether what comes with it are the values that a task gives.
constexpr bool HasValues(TaskStatus status) { return status == TaskStatus::kOk || status == TaskStatus::kItem; }

// One per claimed task, and one per item of a stream. Inline: the single result's bytes. Otherwise a list of `results` ResultHeaders, each followed by its value and
// by `nested` WireReferences.
struct CompletionBody {
  uint32_t record;
  uint32_t generation;
  TaskStatus status;
  uint8_t flags;
  uint16_t inline_bytes;
  uint32_t payload_bytes;
  uint32_t payload_offset;
  uint32_t run_ticks;  // of the processor's clock, saturating: what the task took, for the owner's window
  uint32_t item;       // of kItem: its number, from 0 on in each attempt
  unsigned char inline_result[kInlineResult];
};
using Completion = Message<RealAtomics, CompletionBody>;
static_assert(sizeof(Completion) == 64 && sizeof(CompletionBody) == 60);

struct ResultHeader {
  ValueKind kind;
  uint32_t bytes;  // that follow, before padding to 8
  uint32_t nested;
  uint32_t reserved;
};
static_assert(sizeof(ResultHeader) == 16);

// ---- Channels -----------------------------------------------------------------------------------------

// One per pair (owner, worker): tasks one way, completions the other. Lives as long as both processes.
struct ChannelHeader {
  uint64_t owner;   // daemon, all of this line: process ids,
  uint64_t worker;
  uint32_t owner_page;   // index of their process pages,
  uint32_t worker_page;
  uint32_t log2_slots;   // and sizes
  uint32_t log2_completions;
  uint32_t task_payload_bytes;
  uint32_t result_payload_bytes;
  uint64_t bytes;  // of the whole channel
  uint8_t dedicated;  // an actor's: nothing is taken back
  uint8_t remote;     // one end is on another node: its daemon plays it here
  uint8_t reserved[6];
  // Owner: completions consumed so far. The worker reads it when it needs room in its payload ring.
  alignas(kCacheLine) std::atomic<uint32_t> completions_consumed;
};
static_assert(sizeof(ChannelHeader) == 128);

inline constexpr uint32_t kLog2Slots = 8;        // the window of a task channel
inline constexpr uint32_t kLog2Completions = 9;  // at least twice the slots: credit for claimed and unclaimed tasks
inline constexpr uint32_t kPayloadRingBytes = 4 * 1024 * 1024;  // address space; pages are used as needed

// Addresses of a channel's parts, from its header.
struct ChannelView {
  ChannelHeader* header;
  TaskSlot* slots;
  Completion* completions;
  unsigned char* task_payload;
  unsigned char* result_payload;
};

constexpr uint64_t ChannelBytes(uint32_t log2_slots, uint32_t log2_completions, uint32_t task_payload,
                                uint32_t result_payload) {
  return sizeof(ChannelHeader) + (sizeof(TaskSlot) << log2_slots) +
         (sizeof(Completion) << log2_completions) + task_payload + result_payload;
}

inline ChannelView ViewChannel(void* arena, uint64_t offset) {
  auto* base = static_cast<unsigned char*>(arena) + offset;
  ChannelView view;
  view.header = reinterpret_cast<ChannelHeader*>(base);
  base += sizeof(ChannelHeader);
  view.slots = reinterpret_cast<TaskSlot*>(base);
  base += sizeof(TaskSlot) << view.header->log2_slots;
  view.completions = reinterpret_cast<Completion*>(base);
  base += sizeof(Completion) << view.header->log2_completions;
  view.task_payload = base;
  view.result_payload = base + view.header->task_payload_bytes;
  return view;
}

inline ProcessPage& PageAt(void* arena, uint32_t index) {
  const auto* header = static_cast<const ControlHeader*>(arena);
  return *reinterpret_cast<ProcessPage*>(static_cast<unsigned char*>(arena) + header->first_process_page +
                                         uint64_t{index} * sizeof(ProcessPage));
}

}  // namespace manta::shm
