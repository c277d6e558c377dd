// An interleaving explorer for structures in shared memory.
//
// A scenario is a function that builds shared data and adds two or three logical processes.
// Explore() runs it again and again, each time in another order of their steps, until all orders
// are done: every operation of ExplorerAtomics is a step. There are no threads: a process is a
// fiber, so a scenario must be deterministic but for the order of its steps.
//
//   Outcome outcome = Explore({.model = MemoryModel::kWeak}, [](Execution& run) {
//     auto& world = run.Make<World>();           // holds Atomic<> and Plain<> of ExplorerAtomics
//     run.Process("writer", [&] {
//       world.data.Set(1);
//       world.ready.store(1, std::memory_order_release);
//     });
//     run.Process("reader", [&] {
//       if (world.ready.load(std::memory_order_acquire) == 1) Check(world.data.Get() == 1, "new");
//     });
//   });
//   EXPECT_TRUE(outcome.ok()) << outcome.Report();
//
// What it does
//   - memory models: see memory.h. A data race between Plain<> accesses is a violation;
//   - crashes: a process that may crash is stopped before its first step or after any of its
//     stores, plain ones included (one crash per execution); then the process given to
//     Execution::OnCrash starts, which plays the daemon;
//   - a violation is a failed Check, a data race, an exception, a process that waits for ever, or a
//     bound that was exceeded. The report holds the steps that led there.
//
// How it stays small: states are compared by hash (a process's local state is a function of what it
// has read so far, so the history stands for it), and an execution that comes to a known state ends
// there. Plain<> accesses commute with all steps of the other processes unless there is a race,
// which the vector clocks find in any order; so they are not interleaved.
//
// What a scenario must keep to
//   - all shared variables exist before the first process runs (Execution::Make);
//   - ordinary variables shared by processes are for bookkeeping. Each has one writer, or its
//     writes commute (counters); nothing but a Check depends on one that another process writes.
//     They change at once with the step before, and so are not seen between two plain accesses.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "testing/explorer/memory.h"

namespace manta::explorer {

struct Options {
  MemoryModel model = MemoryModel::kSequential;
  bool crashes = false;
  // Off: every execution runs to its end, which only the smallest scenarios can afford.
  bool merge_states = true;
  // Off: Settle does nothing. Some exploration of each scenario should do without its promises.
  bool trust_settle = true;
  // Bounds. An exploration that would need more fails.
  uint64_t max_executions = 2'000'000;
  uint64_t max_states = 10'000'000;
};

struct Outcome {
  std::optional<std::string> violation;  // empty: all orders were tried and all were well
  std::string trace;                     // the steps that led to the violation
  uint64_t executions = 0;               // started from the beginning
  uint64_t states = 0;                   // distinct
  uint64_t steps = 0;                    // repeated ones included
  uint64_t crashes = 0;                  // states in which a process was stopped

  bool ok() const { return !violation.has_value(); }
  std::string Summary() const;  // one line of counts
  std::string Report() const;   // the summary, the violation and its trace
};

class Engine;

// One execution of a scenario, while it is set up.
class Execution {
 public:
  explicit Execution(Engine* engine) : engine_(engine) {}

  // Makes an object that lives as long as the execution.
  template <class T, class... Args>
  T& Make(Args&&... args) {
    auto owned = std::make_shared<T>(std::forward<Args>(args)...);
    Keep(owned);
    return *owned;
  }

  struct Traits {
    bool may_crash = false;          // with Options::crashes
    bool may_wait_for_ever = false;  // the end may find it waiting
  };
  // Adds a process. It runs once all are added.
  void Process(std::string name, std::function<void()> body, Traits traits);
  void Process(std::string name, std::function<void()> body) {
    Process(std::move(name), std::move(body), Traits());
  }

  // Adds a process that starts when another one has crashed, knowing all that it did. `dead` is its
  // name.
  void OnCrash(std::string name, std::function<void(const std::string& dead)> body);

  // Runs when no process can take a step any more and none waits for ever.
  void AtEnd(std::function<void()> body);

  // Names a variable in traces. `parts` (text and numbers) are put together.
  template <class Variable, class... Parts>
  void Name(const Variable& variable, const Parts&... parts) {
    if (!WantsNames()) return;
    SetName(variable.location(), Variable::kIsPlain, (Text(parts) + ...));
  }

 private:
  static std::string Text(std::string_view text) { return std::string(text); }
  static std::string Text(uint64_t number) { return std::to_string(number); }

  bool WantsNames() const;  // in the first execution
  void Keep(std::shared_ptr<void> object);
  void SetName(uint32_t location, bool plain, std::string name);

  Engine* engine_;
};

Outcome Explore(const Options& options, const std::function<void(Execution&)>& scenario);

// The execution violates its requirements unless `condition`.
void Check(bool condition, std::string_view requirement,
           std::source_location site = std::source_location::current());

// Promises that from here on the calling process, and the bookkeeping that it has written, are
// determined by `values` and by this place in its code, not by how it came here. Executions then
// merge that differ in no more than that: in a loop, this makes scenarios small.
void Settle(std::initializer_list<uint64_t> values,
            std::source_location site = std::source_location::current());

// Polls until `poll` returns true. Polls that read nothing new are left out: after a failed one the
// process waits until there is something newer to read in a location that it read, and then reads
// that: stores become visible some time. A failing poll that only loads leaves no trace in the
// process's own variables.
template <class Poll>
void WaitUntil(Poll poll, std::source_location site = std::source_location::current());

namespace internal {

enum class OpKind : uint8_t {
  kLoad,
  kStore,
  kUpdate,
  kFence,
  kReadPlain,
  kWritePlain,
  kSleep,  // futex wait
  kWake,   // futex wake of one
  kRetry,  // between two polls
};

struct Op {
  OpKind kind;
  std::memory_order order = std::memory_order_seq_cst;  // of success, where there are two
  std::memory_order failure = std::memory_order_relaxed;
  UpdateKind update = UpdateKind::kExchange;
  uint32_t location = 0;
  uint64_t operand = 0;
  uint64_t expected = 0;
  std::source_location site;
};

struct OpResult {
  uint64_t value = 0;
  bool succeeded = true;
};

uint32_t AddAtomic(uint64_t value, uint32_t bytes);
uint32_t AddPlain(uint64_t value);
OpResult Perform(const Op& op);
void BeginPoll();
void EndPoll();

template <class T>
uint64_t ToWord(T value) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof(T));
  return word;
}

template <class T>
T FromWord(uint64_t word) {
  T value;
  std::memcpy(&value, &word, sizeof(T));
  return value;
}

constexpr std::memory_order FailureOrder(std::memory_order success) {
  switch (success) {
    case std::memory_order_acq_rel:
      return std::memory_order_acquire;
    case std::memory_order_release:
      return std::memory_order_relaxed;
    default:
      return success;
  }
}

}  // namespace internal

// The atomics policy (shm/atomics.h) of an exploration.
struct ExplorerAtomics {
  using Order = std::memory_order;
  using Site = std::source_location;
  static constexpr Order kSeqCst = std::memory_order_seq_cst;

  template <class T>
  class Atomic {
   public:
    static constexpr bool kIsPlain = false;

    Atomic() : Atomic(T{}) {}
    explicit Atomic(T value)
        : location_(internal::AddAtomic(internal::ToWord(value), sizeof(T))) {}
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

    T load(Order order = kSeqCst, Site site = Site::current()) const {
      return Do({internal::OpKind::kLoad, order, {}, {}, location_, 0, 0, site});
    }
    void store(T value, Order order = kSeqCst, Site site = Site::current()) {
      Do({internal::OpKind::kStore, order, {}, {}, location_, Word(value), 0, site});
    }
    T exchange(T value, Order order = kSeqCst, Site site = Site::current()) {
      return Modify(UpdateKind::kExchange, value, order, site);
    }
    bool compare_exchange_strong(T& expected, T desired, Order success, Order failure,
                                 Site site = Site::current()) {
      const internal::OpResult result = internal::Perform(
          {internal::OpKind::kUpdate, success, failure, UpdateKind::kCompareExchange, location_,
           Word(desired), Word(expected), site});
      if (!result.succeeded) expected = internal::FromWord<T>(result.value);
      return result.succeeded;
    }
    bool compare_exchange_strong(T& expected, T desired, Order order = kSeqCst,
                                 Site site = Site::current()) {
      return compare_exchange_strong(expected, desired, order, internal::FailureOrder(order), site);
    }
    // Never fails spuriously: a loop around it would only read again.
    bool compare_exchange_weak(T& expected, T desired, Order success, Order failure,
                               Site site = Site::current()) {
      return compare_exchange_strong(expected, desired, success, failure, site);
    }
    bool compare_exchange_weak(T& expected, T desired, Order order = kSeqCst,
                               Site site = Site::current()) {
      return compare_exchange_strong(expected, desired, order, site);
    }
    T fetch_add(T value, Order order = kSeqCst, Site site = Site::current()) {
      return Modify(UpdateKind::kAdd, value, order, site);
    }
    T fetch_sub(T value, Order order = kSeqCst, Site site = Site::current()) {
      return Modify(UpdateKind::kSub, value, order, site);
    }
    T fetch_and(T value, Order order = kSeqCst, Site site = Site::current()) {
      return Modify(UpdateKind::kAnd, value, order, site);
    }
    T fetch_or(T value, Order order = kSeqCst, Site site = Site::current()) {
      return Modify(UpdateKind::kOr, value, order, site);
    }
    T fetch_xor(T value, Order order = kSeqCst, Site site = Site::current()) {
      return Modify(UpdateKind::kXor, value, order, site);
    }

    uint32_t location() const { return location_; }

   private:
    static uint64_t Word(T value) { return internal::ToWord(value); }
    static T Do(const internal::Op& op) {
      return internal::FromWord<T>(internal::Perform(op).value);
    }
    T Modify(UpdateKind kind, T value, Order order, Site site) {
      return Do({internal::OpKind::kUpdate, order, {}, kind, location_, Word(value), 0, site});
    }

    uint32_t location_;
  };

  template <class T>
  class Plain {
   public:
    static constexpr bool kIsPlain = true;

    Plain() : location_(internal::AddPlain(internal::ToWord(T{}))) {}
    Plain(const Plain&) = delete;
    Plain& operator=(const Plain&) = delete;

    T Get(Site site = Site::current()) const {
      return internal::FromWord<T>(
          internal::Perform({internal::OpKind::kReadPlain, {}, {}, {}, location_, 0, 0, site})
              .value);
    }
    void Set(T value, Site site = Site::current()) {
      internal::Perform({internal::OpKind::kWritePlain, {}, {}, {}, location_,
                         internal::ToWord(value), 0, site});
    }

    uint32_t location() const { return location_; }

   private:
    uint32_t location_;
  };

  static void Fence(Site site = Site::current()) {
    internal::Perform({internal::OpKind::kFence, kSeqCst, {}, {}, 0, 0, 0, site});
  }
};

// The kernel's futex: sleeps when the newest value is `expected`, in one step; false: it was
// another. Both are full fences.
template <class Atomic, class T>
bool Sleep(Atomic& atomic, T expected,
           std::source_location site = std::source_location::current()) {
  return internal::Perform({internal::OpKind::kSleep, std::memory_order_seq_cst, {}, {},
                            atomic.location(), 0, internal::ToWord(expected), site})
      .succeeded;
}

// Wakes one process that sleeps there, any one, if there is one.
template <class Atomic>
void WakeOne(Atomic& atomic, std::source_location site = std::source_location::current()) {
  internal::Perform({internal::OpKind::kWake, std::memory_order_seq_cst, {}, {},
                     atomic.location(), 0, 0, site});
}

template <class Poll>
void WaitUntil(Poll poll, std::source_location site) {
  for (;;) {
    internal::BeginPoll();
    const bool done = poll();
    internal::EndPoll();
    if (done) return;
    internal::Perform({internal::OpKind::kRetry, {}, {}, {}, 0, 0, 0, site});
  }
}

}  // namespace manta::explorer
