// The flight recorder: each process writes small fixed events into a ring of its own, in a file
// that is mapped shared, and so outlives the process however it ends. Recent history for timelines
// and post-mortems; bounded, always on, a few nanoseconds an event, no lock and no system call.
//
// Region (64-byte header lines, then events; little endian, 8-byte words):
//
//   RecorderHeader | RecorderSlot[2^log2_events]
//
// One writer, any number of readers that never write. Event n stands in slot n modulo the size:
//
//   writer                                  reader
//   1. store the 4 words of event n         1. load `written`, w1         (acquire)
//      (release)                            2. copy the slots             (acquire)
//   2. store `written` = n + 1 (release)    3. load `written` again, w2
//                                           4. keep the events w2 - size < n < w1
//
// A word of event n that a reader copies in step 2 was stored after `written` = n, which the reader
// then sees in step 3; so what step 4 keeps was not being overwritten. Crash: a writer that dies
// within step 1 leaves the slot of event `written` half written: the oldest event, which step 4
// leaves out.
#pragma once

#include <time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "shm/atomics.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace manta::shm {

// What an event says is up to its kind; kind 0 is none.
struct RecorderEvent {
  uint64_t ticks = 0;
  uint16_t kind = 0;
  uint16_t a = 0;
  uint32_t b = 0;
  uint64_t c = 0;
  uint64_t d = 0;

  bool operator==(const RecorderEvent&) const = default;
};
static_assert(sizeof(RecorderEvent) == 32);

template <class A>
struct RecorderSlot {
  typename A::template Atomic<uint64_t> words[4];  // ticks; b << 32 | a << 16 | kind; c; d
};
static_assert(sizeof(RecorderSlot<RealAtomics>) == sizeof(RecorderEvent));

// The writing end.
template <class A>
class RecorderWriter {
 public:
  // `slots` has 2^log2_events entries, and `written` counts none of them yet.
  RecorderWriter(typename A::template Atomic<uint64_t>* written, RecorderSlot<A>* slots,
                 uint32_t log2_events)
      : written_(written), slots_(slots), mask_((uint64_t{1} << log2_events) - 1) {}

  void Record(const RecorderEvent& event) {
    RecorderSlot<A>& slot = slots_[next_ & mask_];
    const uint64_t small = uint64_t{event.b} << 32 | uint64_t{event.a} << 16 | event.kind;
    slot.words[0].store(event.ticks, std::memory_order_release);
    slot.words[1].store(small, std::memory_order_release);
    slot.words[2].store(event.c, std::memory_order_release);
    slot.words[3].store(event.d, std::memory_order_release);
    written_->store(++next_, std::memory_order_release);
  }

 private:
  typename A::template Atomic<uint64_t>* written_;
  RecorderSlot<A>* slots_;
  uint64_t mask_;
  uint64_t next_ = 0;
};

// Hands `visit(index, event)` what stands in a ring, oldest first, and returns how many events were
// ever written. The writer may be at work, or have stopped anywhere. The last size - 1 events are
// there unless it is at work.
template <class A, class Visit>
uint64_t ReadRecorderRing(const typename A::template Atomic<uint64_t>& written,
                          const RecorderSlot<A>* slots, uint32_t log2_events, Visit visit) {
  const uint64_t size = uint64_t{1} << log2_events;
  const uint64_t end = written.load(std::memory_order_acquire);
  const uint64_t begin = end < size ? 0 : end - size;
  std::vector<RecorderEvent> events;
  events.reserve(static_cast<size_t>(end - begin));
  for (uint64_t n = begin; n < end; ++n) {
    const RecorderSlot<A>& slot = slots[n & (size - 1)];
    RecorderEvent& event = events.emplace_back();
    event.ticks = slot.words[0].load(std::memory_order_acquire);
    const uint64_t small = slot.words[1].load(std::memory_order_acquire);
    event.kind = static_cast<uint16_t>(small);
    event.a = static_cast<uint16_t>(small >> 16);
    event.b = static_cast<uint32_t>(small >> 32);
    event.c = slot.words[2].load(std::memory_order_acquire);
    event.d = slot.words[3].load(std::memory_order_acquire);
  }
  const uint64_t now = written.load(std::memory_order_acquire);
  for (uint64_t n = begin; n < end; ++n) {
    if (n + size > now) visit(n, events[static_cast<size_t>(n - begin)]);
  }
  return end;
}

inline constexpr uint64_t kRecorderMagic = 0x31636552'61746e4d;  // "MntaRec1", little endian
inline constexpr uint32_t kRecorderVersion = 2;
inline constexpr uint32_t kMinRecorderEvents = 64;
inline constexpr uint32_t kMaxRecorderEvents = 1u << 22;

enum class RecorderClock : uint32_t {
  kMonotonic = 0,  // ticks are nanoseconds of CLOCK_MONOTONIC
  kTsc = 1,        // x86-64
  kCntvct = 2,     // aarch64
};

// The same moment on three clocks.
struct RecorderMoment {
  std::atomic<uint64_t> ticks;
  std::atomic<uint64_t> monotonic_ns;
  std::atomic<uint64_t> wall_ns;
  std::atomic<uint64_t> reserved;
};

// All of it is the writer's. `magic` is written last.
struct RecorderHeader {
  std::atomic<uint64_t> magic;
  uint32_t version;
  uint32_t log2_events;
  uint32_t pid;
  RecorderClock clock;
  std::atomic<uint64_t> process;  // the process id, 0 while there is none
  uint64_t boot;                  // tells the machine's starts apart
  std::atomic<uint32_t> role;     // who writes; what it says is up to the writer, as with events
  std::atomic<uint32_t> subject;  // what its process is there for
  uint64_t reserved[2];
  RecorderMoment created;
  // Calibration n >= 1 stands in recent[n modulo 2], `calibrations` counts them.
  RecorderMoment recent[2];
  std::atomic<uint64_t> calibrations;
  uint64_t reserved2[3];
  alignas(kCacheLine) std::atomic<uint64_t> written;  // events so far
  // What has begun and has no event yet: its time, and the words c and d of that event. In the line of
  // `written`, which the writer touches anyway. `running_since` is written last, and 0 before the others.
  std::atomic<uint64_t> running_since;
  std::atomic<uint64_t> running_c;
  std::atomic<uint64_t> running_d;
};
static_assert(sizeof(RecorderHeader) == 256);

constexpr uint64_t RecorderBytes(uint32_t log2_events) {
  return sizeof(RecorderHeader) + (sizeof(RecorderEvent) << log2_events);
}

// The writing end of a region in this process, perhaps with the mapping that holds it. One thread
// at a time.
class FlightRecorder {
 public:
  FlightRecorder(FlightRecorder&& other) noexcept
      : header_(std::exchange(other.header_, nullptr)),
        mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
        reads_counter_(other.reads_counter_),
        writer_(other.writer_) {}
  FlightRecorder& operator=(FlightRecorder&&) = delete;
  ~FlightRecorder();

  void Record(uint16_t kind, uint16_t a = 0, uint32_t b = 0, uint64_t c = 0, uint64_t d = 0) {
    RecordAt(Ticks(), kind, a, b, c, d);
  }

  // Reading the counter is most of what an event costs (9 of 12 ns here): what happens at once can
  // share a reading.
  void RecordAt(uint64_t ticks, uint16_t kind, uint16_t a = 0, uint32_t b = 0, uint64_t c = 0,
                uint64_t d = 0) {
    writer_.Record({ticks, kind, a, b, c, d});
  }
  void Record(const RecorderEvent& event) { writer_.Record(event); }
  // Notes what begins now, for a reader that comes before its event.
  void Begin(uint64_t ticks, uint64_t c, uint64_t d) {
    header_->running_since.store(0, std::memory_order_relaxed);
    header_->running_c.store(c, std::memory_order_release);
    header_->running_d.store(d, std::memory_order_release);
    header_->running_since.store(ticks, std::memory_order_release);
  }
  // Whether ticks are those of the processor's counter, and not nanoseconds.
  bool reads_counter() const { return reads_counter_; }
  uint64_t Ticks() const {
#if defined(__x86_64__)
    if (reads_counter_) return __rdtsc();
#elif defined(__aarch64__)
    if (reads_counter_) {
      uint64_t ticks;
      asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
      return ticks;
    }
#endif
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  }

  // Notes what the clocks say now. Call every now and then (seconds to minutes): a reader converts
  // ticks to time by the last note. Not on the hot path.
  void Calibrate();

  void SetProcess(ProcessId process) {
    header_->process.store(process.value, std::memory_order_release);
  }
  void SetRole(uint32_t role) { header_->role.store(role, std::memory_order_release); }
  void SetSubject(uint32_t subject) { header_->subject.store(subject, std::memory_order_release); }

 private:
  friend Result<FlightRecorder> CreateRecorder(void* region, uint64_t bytes);
  friend Result<FlightRecorder> CreateRecorderFile(const std::string& path, uint32_t events);

  FlightRecorder(RecorderHeader* header, uint32_t log2_events);

  RecorderHeader* header_;
  uint64_t mapped_bytes_ = 0;  // to unmap
  bool reads_counter_;
  RecorderWriter<RealAtomics> writer_;
};

// Makes a recorder of a zeroed region (64-byte aligned) that holds at least kMinRecorderEvents; it
// uses as many events as fit, rounded down to a power of two. The region outlives the recorder.
Result<FlightRecorder> CreateRecorder(void* region, uint64_t bytes);

// Makes a recorder in a new file, for `events` rounded up to a power of two; a file of that name is
// replaced. The file's space is allocated at once: a full disk is an error here, no signal later.
Result<FlightRecorder> CreateRecorderFile(const std::string& path, uint32_t events);

struct RecordedEvent {
  uint64_t index = 0;        // events of a process count from 0
  int64_t monotonic_ns = 0;  // on the clock that the node's processes share
  int64_t wall_ns = 0;       // since 1970
  RecorderEvent event;
};

struct Recording {
  uint32_t pid = 0;
  ProcessId process;
  uint32_t role = 0;
  uint32_t subject = 0;
  int64_t created_wall_ns = 0;
  // When the counter stood, or will stand, at `ticks`; what is later is not earlier.
  int64_t MonotonicAt(uint64_t ticks) const;
  uint64_t anchor_ticks = 0;
  int64_t anchor_monotonic_ns = 0;
  double ns_per_tick = 1;
  // What had begun: `event.ticks` is when, `event.kind` is 0. Its event may be there, too, with the same beginning.
  std::optional<RecordedEvent> running;
  uint64_t written = 0;               // events ever; those before events[0] are overwritten
  std::vector<RecordedEvent> events;  // by index
};

// Reads the region (64-byte aligned) of a living process or one that was left behind, whatever
// stands in it: an error means that it is no recording; events that cannot be trusted are left out.
Result<Recording> ReadRecorder(const void* region, uint64_t bytes);

// As ReadRecorder. The file does not shrink meanwhile (writers never make it).
Result<Recording> ReadRecorderFile(const std::string& path);

}  // namespace manta::shm
