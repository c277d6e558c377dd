// What this process did of late, in flight recorders that outlive it (shm/recorder_events.h): the worker's half of timelines.
//
// A ring has one writer at a time. The thread that executes tasks has a ring of its own, which costs a task a few stores: no lock, no
// system call, no clock but the readings that the executor takes anyway. All other threads (of actors with threads, of drivers, of
// user code) share a second ring under a lock. Either file is made with its first event, so that a process without news costs nothing.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.h"
#include "contracts/recorder_files.h"
#include "shm/channel.h"
#include "shm/flight_recorder.h"
#include "shm/recorder_events.h"
#include "worker/ticks.h"

namespace manta::worker {

class TaskRecorder {
 public:
  struct Place {
    std::string session;  // its directory
    ProcessId process;
    shm::RecorderRole role = shm::RecorderRole::kUnknown;
    std::string program;  // of a driver
  };
  // `missing` is called, once, with the reason why something is not recorded. From any thread, but not under the owner's lock.
  TaskRecorder(Place place, std::function<void(const std::string& reason)> missing);
  ~TaskRecorder();

  // ---- The thread that executes

  // Before its first task; makes the calling thread the one that executes.
  bool has_begun() const { return has_begun_; }
  void BeginExecuting(bool hosts_actor);
  // The function that constructs the actor that this process hosts.
  void HostsActor(uint32_t constructor) {
    if (executing_) executing_->SetSubject(constructor);
  }

  // Stands for a function that has this name alone. Any thread; the one that executes takes no lock.
  uint32_t KeyOf(std::string_view name);

  // A task begins at `began` (NowTicks). Nested ones are not told.
  [[gnu::always_inline]] void Begins(shm::EventKind kind, const shm::TaskFacts& facts, uint64_t began) {
    if (__builtin_expect(!executing_ || !shares_clock_, 0)) return;
    const shm::RecorderEvent event = PackBegunTask(kind, facts, began);
    executing_->Begin(began, event.c, event.d);
  }
  // It has ended at `ended`; before anybody can see its result. Inline, so that the facts stay in registers: single bytes that were just
  // written, read back as one word, would wait until all that was written before them has left for the cache, the result's line included.
  [[gnu::always_inline]] void Ends(shm::EventKind kind, const shm::TaskFacts& facts, uint64_t began, uint64_t ended) {
    if (__builtin_expect(!executing_ || !shares_clock_, 0)) return EndsSlowly(kind, facts, began, ended);
    executing_->Record(PackTask(kind, 0, facts, ended, ended - began));
  }

  // ---- Any thread

  // A task of an actor's thread, or one that ran in place.
  void EndsOnAnyThread(shm::EventKind kind, const shm::TaskFacts& facts, uint64_t began, uint64_t ended) {
    if (__builtin_expect(Executes(), 1)) return Ends(kind, facts, began, ended);
    RecordAnywhere(PackTask(kind, 0, facts, 0, 0), kind, began, ended);
  }
  // A wait for `objects` objects, if it was long enough to be of interest.
  void Waited(shm::EventKind kind, shm::EventOutcome outcome, uint64_t began, uint64_t objects);
  void SpaceGiven(shm::EventOutcome outcome, uint64_t began, uint64_t bytes);

 private:
  // For look-ups without a copy.
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  using Keys = std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>>;
  uint32_t KeyIn(Keys* keys, std::string_view name);

  bool Executes() const { return executing_thread_.load(std::memory_order_relaxed) == pthread_self(); }
  void EndsSlowly(shm::EventKind kind, shm::TaskFacts facts, uint64_t began, uint64_t ended);
  void RecordAnywhere(shm::RecorderEvent event, shm::EventKind kind, uint64_t began, uint64_t ended);
  void Make(contracts::RecorderThreads threads, uint32_t events, uint32_t subject,
            std::optional<shm::FlightRecorder>* recorder);
  int64_t ToNs(uint64_t ticks);
  void AddProgram();
  void AddName(const contracts::RecorderNames::Function& function, const contracts::RecorderNames::Module& module);
  void Missing(const Error& error);

  const Place place_;
  const std::function<void(const std::string&)> missing_;
  std::atomic<bool> said_missing_{false};
  bool has_begun_ = false;
  Keys keys_;  // of names; the executing thread's
  std::mutex other_keys_mutex_;
  Keys other_keys_;  // those of all others
  bool shares_clock_ = false;  // the recording's ticks are NowTicks
  std::optional<shm::FlightRecorder> executing_;
  std::atomic<pthread_t> executing_thread_{};
  std::mutex others_mutex_;  // over the next two
  std::optional<shm::FlightRecorder> others_;
  bool tried_others_ = false;
  std::mutex clock_mutex_;
  TickClock clock_;
  std::mutex names_mutex_;
  contracts::RecorderNamesWriter names_;
};

}  // namespace manta::worker
