// What the events of flight recorders say: their kinds, and how each packs its facts into the 24 bytes
// behind the time. An event is written at the end of what it tells of, and says how long that took.
//
// `kind` is an EventKind in its low byte and the number of the thread in its high one (0: the thread
// that executes tasks). Processes by their id, or by its serial where the node goes without saying.
//
//   kind                     a                        b          c                    d
//   kTask, kInPlace,         outcome | node << 3 |    duration   owner's serial |     function |
//   kActorCall, kActorStart  attempt << 8                        first result << 24 |  generation's
//                                                                generation's upper   lower half << 32
//                                                                half << 48
//   kGet, kWait              outcome                  duration   objects
//   kSpace                   outcome                  duration   bytes
//   kJoined                  role                     pid        process              job
//   kGone                    signal | exit code << 8  pid        process              1: for good
//   kDemand                  key                      wanted     owner                1: dedicated
//   kLeaseGranted            1: dedicated             owner      worker               lease
//   kLeaseRevoked,                                               worker               lease
//   kLeaseReturned, kLeaseLost
//   kActor                   state | restarts << 4    serial     creator              host
//
// Durations are ticks of the recording's clock: 48 bits, of which the upper 16 stand in those of d.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/ids.h"
#include "manta/manta_c.h"
#include "shm/flight_recorder.h"

namespace manta::shm {

enum class EventKind : uint8_t {
  kNone = 0,
  // Of processes that run user code:
  kTask = 1,
  kActorCall = 2,
  kActorStart = 3,  // the constructor
  kInPlace = 4,     // a task that its parent ran while it waited for it
  kGet = 5,
  kWait = 6,
  kSpace = 7,       // space in the object arena was asked for, and given or refused
  // Of daemons:
  kJoined = 16,
  kGone = 17,
  kDemand = 18,
  kLeaseGranted = 19,
  kLeaseRevoked = 20,
  kLeaseReturned = 21,
  kLeaseLost = 22,
  kActor = 23,
};

enum class EventOutcome : uint8_t {
  kOk = 0,
  kError = 1,
  kCancelled = 2,
  kRefused = 3,  // never ran: no such code here, a damaged descriptor, no actor
  kTimeout = 4,
};

// Who writes a recording.
enum class RecorderRole : uint32_t { kUnknown = 0, kDriver = 1, kWorker = 2, kDaemon = 3 };

constexpr EventKind KindOf(const RecorderEvent& event) {
  return static_cast<EventKind>(event.kind & 0xff);
}
constexpr uint8_t ThreadOf(const RecorderEvent& event) {
  return static_cast<uint8_t>(event.kind >> 8);
}
constexpr uint16_t KindWord(EventKind kind, uint8_t thread) {
  return static_cast<uint16_t>(uint32_t{thread} << 8 | static_cast<uint32_t>(kind));
}

// Under which a function stands among the session's names (contracts/recorder_files.h). Never 0.
constexpr uint32_t FunctionKey(const manta_function_id& id) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint32_t part : {id.module, id.invoker, id.target_module, id.target}) {
    hash = (hash ^ part) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  const auto key = static_cast<uint32_t>(hash >> 32);
  return key == 0 ? 1 : key;
}

// ---- Durations ----

inline constexpr uint64_t kLongestDuration = (uint64_t{1} << 48) - 1;

constexpr void PackDuration(uint64_t ticks, RecorderEvent* event) {
  ticks = std::min(ticks, kLongestDuration);
  event->b = static_cast<uint32_t>(ticks);
  event->d |= ticks >> 32 << 48;
}
constexpr uint64_t DurationOf(const RecorderEvent& event) {
  return event.d >> 48 << 32 | event.b;
}
constexpr bool IsTask(EventKind kind) { return kind >= EventKind::kTask && kind <= EventKind::kInPlace; }
constexpr bool HasDuration(EventKind kind) {
  return kind >= EventKind::kTask && kind <= EventKind::kSpace;
}

// ---- Tasks ----

// Nodes from here on are not told apart: so many bits are left for them.
inline constexpr uint32_t kManyNodes = 31;

// The same with processes of a node, and with objects of a process: 24 bits each.
inline constexpr uint32_t kManyInTask = (1u << 24) - 1;

struct TaskFacts {
  ProcessId owner;           // node kManyNodes, serial kManyInTask: that one, or a higher one
  uint32_t first_result = 0;  // shm::TaskBody::first_result; kManyInTask: that one, a higher one, or none
  uint32_t generation = 0;
  uint32_t function = 0;     // FunctionKey
  uint8_t attempt = 0;
  EventOutcome outcome = EventOutcome::kOk;

  // Whether they say which task it was.
  constexpr bool name_the_task() const {
    return NodeIndexOf(owner) < kManyNodes && SerialOf(owner) < kManyInTask && first_result < kManyInTask;
  }

  bool operator==(const TaskFacts&) const = default;
};

constexpr RecorderEvent PackTask(EventKind kind, uint8_t thread, const TaskFacts& facts, uint64_t end,
                                 uint64_t duration) {
  RecorderEvent event;
  event.ticks = end;
  event.kind = KindWord(kind, thread);
  const uint32_t node = std::min(NodeIndexOf(facts.owner), kManyNodes);
  event.a = static_cast<uint16_t>(static_cast<uint32_t>(facts.outcome) | node << 3 |
                                  uint32_t{facts.attempt} << 8);
  event.c = std::min(SerialOf(facts.owner), kManyInTask) | uint64_t{std::min(facts.first_result, kManyInTask)} << 24 |
            uint64_t{facts.generation >> 16} << 48;
  event.d = facts.function | uint64_t{facts.generation & 0xffff} << 32;
  PackDuration(duration, &event);
  return event;
}

constexpr TaskFacts TaskOf(const RecorderEvent& event) {
  TaskFacts facts;
  facts.owner = MakeProcessId(event.a >> 3 & kManyNodes, static_cast<uint32_t>(event.c) & kManyInTask);
  facts.first_result = static_cast<uint32_t>(event.c >> 24) & kManyInTask;
  facts.generation = static_cast<uint32_t>(event.d >> 32 & 0xffff) | static_cast<uint32_t>(event.c >> 48) << 16;
  facts.function = static_cast<uint32_t>(event.d);
  facts.attempt = static_cast<uint8_t>(event.a >> 8);
  facts.outcome = static_cast<EventOutcome>(event.a & 7);
  return facts;
}

// What FlightRecorder::Begin notes of a task: c and d of its event, with kind and `a` where that has its duration's upper half.
constexpr RecorderEvent PackBegunTask(EventKind kind, const TaskFacts& facts, uint64_t begin) {
  RecorderEvent event = PackTask(kind, 0, facts, begin, 0);
  const uint32_t beside = (event.a & ~7u) | (static_cast<uint32_t>(kind) & 7);
  event.d |= uint64_t{beside} << 48;
  return event;
}
// As an event without a duration, of kind kTask, kActorCall or kActorStart.
constexpr RecorderEvent BegunTask(const RecorderEvent& begun) {
  RecorderEvent event = begun;
  const auto kind = static_cast<EventKind>(begun.d >> 48 & 7);
  event.kind = KindWord(kind == EventKind::kActorCall || kind == EventKind::kActorStart ? kind : EventKind::kTask, 0);
  event.a = static_cast<uint16_t>(begun.d >> 48 & ~uint64_t{7});
  event.d = begun.d & kLongestDuration;
  return event;
}

// Where the facts meet in one word.
static_assert(TaskOf(PackTask(EventKind::kTask, 255,
                              {MakeProcessId(30, UINT32_MAX), UINT32_MAX, UINT32_MAX, UINT32_MAX, 255,
                               EventOutcome::kTimeout},
                              1, kLongestDuration)) ==
              TaskFacts{MakeProcessId(30, kManyInTask), kManyInTask, UINT32_MAX, UINT32_MAX, 255,
                        EventOutcome::kTimeout});
static_assert(DurationOf(PackTask(EventKind::kTask, 0, {}, 1, kLongestDuration + 1)) ==
              kLongestDuration);
static_assert(DurationOf(PackTask(EventKind::kTask, 0, {{}, 0, UINT32_MAX, UINT32_MAX, 0, {}}, 1, 7)) == 7);

}  // namespace manta::shm
