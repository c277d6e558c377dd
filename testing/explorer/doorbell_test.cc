// shm/doorbell.h under all interleavings, in front of the rings that it serves: whoever waits for
// work never sleeps while there is some.
#include "shm/doorbell.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "shm/message_ring.h"
#include "shm/slot_ring.h"
#include "testing/explorer/expectations.h"
#include "testing/explorer/mutants.h"

namespace manta::explorer {
namespace {

using shm::Doorbell;
using shm::Message;
using shm::MessageConsumer;
using shm::MessageProducer;
using shm::Slot;
using shm::SlotConsumer;
using shm::SlotProducer;

// What Park and Ring are for RealAtomics.
template <class A>
void ParkAt(Doorbell<A>& doorbell) {
  Sleep(doorbell.parked, 1u);
}
// True: it was this ringer that had to wake.
template <class A>
bool RingAt(Doorbell<A>& doorbell) {
  const bool wakes = doorbell.MustWake();
  if (wakes) WakeOne(doorbell.parked);
  return wakes;
}

// ---- One waiter, some ringers with a message ring each ------------------------------------------

constexpr int kMaxRingers = 2;
constexpr uint32_t kLog2Messages = 2;  // more than are sent: no credit needed

enum class Daemon { kDisarmsAndWakes, kWakes, kDisarms };

struct Settings {
  uint32_t messages[kMaxRingers] = {1, 0};  // of each ringer; 0: there is none
  Daemon daemon = Daemon::kDisarmsAndWakes;
  // What the waiter does about its doorbell once it has slept: nothing, or Cancel.
  bool cancel_after_sleep = true;
  // Mistakes of a caller.
  bool look_after_announcing = true;
};

template <class A>
struct Rings {
  struct Body {
    typename A::template Plain<uint32_t> value;
  };
  Message<A, Body> entries[kMaxRingers][1u << kLog2Messages];
  Doorbell<A> doorbell;

  uint32_t published[kMaxRingers] = {};
  uint32_t received[kMaxRingers] = {};
};

template <class A>
void WaitForMessages(Rings<A>& rings, const Settings& settings) {
  using Body = typename Rings<A>::Body;
  std::vector<MessageConsumer<A, Body>> consumers;
  for (int i = 0; i < kMaxRingers && settings.messages[i] > 0; ++i) {
    consumers.emplace_back(rings.entries[i], kLog2Messages);
  }
  const auto has_work = [&] {
    for (const auto& consumer : consumers) {
      if (consumer.HasWork()) return true;
    }
    return false;
  };
  for (;;) {
    for (size_t i = 0; i < consumers.size(); ++i) {
      Settle({i, rings.received[0], rings.received[1]});
      while (const Body* body = consumers[i].Front()) {
        Check(body->value.Get() == rings.received[i] + 1, "messages come in order");
        consumers[i].Pop();
        ++rings.received[i];
      }
    }
    Settle({kMaxRingers, rings.received[0], rings.received[1]});
    rings.doorbell.Announce();
    if (settings.look_after_announcing && has_work()) {
      rings.doorbell.Cancel();
      continue;
    }
    ParkAt(rings.doorbell);
    if (settings.cancel_after_sleep) rings.doorbell.Cancel();
  }
}

template <class A>
std::function<void(Execution&)> Scenario(const Settings& settings) {
  return [settings](Execution& run) {
    using Body = typename Rings<A>::Body;
    auto& rings = run.Make<Rings<A>>();
    run.Name(rings.doorbell.parked, "parked");
    for (int ringer = 0; ringer < kMaxRingers; ++ringer) {
      for (uint32_t i = 0; i < 1u << kLog2Messages; ++i) {
        run.Name(rings.entries[ringer][i].lap, "ring", ringer, "[", i, "].lap");
        run.Name(rings.entries[ringer][i].body.value, "ring", ringer, "[", i, "].value");
      }
    }
    run.Process(
        "waiter", [&rings, settings] { WaitForMessages(rings, settings); },
        {.may_crash = true, .may_wait_for_ever = true});
    for (int ringer = 0; ringer < kMaxRingers && settings.messages[ringer] > 0; ++ringer) {
      run.Process(
          "ringer" + std::to_string(ringer),
          [&rings, settings, ringer] {
            MessageProducer<A, Body> producer(rings.entries[ringer], kLog2Messages);
            for (uint32_t i = 0; i < settings.messages[ringer]; ++i) {
              Settle({i});
              producer.Next()->value.Set(i + 1);
              producer.Publish();
              ++rings.published[ringer];
              RingAt(rings.doorbell);
            }
          },
          {.may_crash = true});
    }
    bool& waiter_died = run.Make<bool>(false);
    run.OnCrash("daemon", [&rings, &waiter_died, settings](const std::string& dead) {
      waiter_died = dead == "waiter";
      if (settings.daemon != Daemon::kWakes) rings.doorbell.Disarm();
      if (settings.daemon != Daemon::kDisarms) WakeOne(rings.doorbell.parked);
    });
    run.AtEnd([&rings, &waiter_died] {
      for (int i = 0; i < kMaxRingers; ++i) {
        Check(waiter_died || rings.received[i] == rings.published[i],
              "nobody sleeps while there is a message");
      }
    });
  };
}

TEST(Doorbell, NoWakeIsLostByOneRinger) {
  for (const bool cancel : {true, false}) {
    ExpectHoldsInAllModes(
        std::string("1 ringer, 3 messages") + (cancel ? ", cancel after sleep" : ""),
        Scenario<ExplorerAtomics>({.messages = {3}, .cancel_after_sleep = cancel}));
  }
  ExpectHolds("1 ringer, 2 messages, unsettled",
              {.model = MemoryModel::kWeak, .crashes = true, .trust_settle = false},
              Scenario<ExplorerAtomics>({.messages = {2}}));
}

TEST(Doorbell, NoWakeIsLostByTwoRingers) {
  ExpectHoldsInAllModes("2 ringers, 1 message each, cancel after sleep",
                        Scenario<ExplorerAtomics>({.messages = {1, 1}}));
  ExpectHolds("2 ringers, 1 message each", {.model = MemoryModel::kWeak},
              Scenario<ExplorerAtomics>({.messages = {1, 1}, .cancel_after_sleep = false}));
}

// A wake is a system call: of several ringers that find a waiter parked, one makes it.
TEST(Doorbell, OneRingerPaysForTheWake) {
  const auto scenario = [](Execution& run) {
    auto& rings = run.Make<Rings<ExplorerAtomics>>();
    auto& wakes = run.Make<uint32_t>(0);
    rings.doorbell.Announce();
    for (int ringer = 0; ringer < kMaxRingers; ++ringer) {
      run.Process("ringer" + std::to_string(ringer), [&rings, &wakes] {
        if (RingAt(rings.doorbell)) ++wakes;
      });
    }
    run.AtEnd([&wakes] { Check(wakes == 1, "exactly one wakes"); });
  };
  for (const MemoryModel model : {MemoryModel::kSequential, MemoryModel::kWeak}) {
    ExpectHolds("2 ringers, 1 announcement", {.model = model}, scenario);
  }
}

TEST(Doorbell, NoWakeIsLostByTwoRingersThatRingMoreThanOnce) {
  ExpectHolds("2 ringers, 2 messages and 1", {.crashes = true},
              Scenario<ExplorerAtomics>({.messages = {2, 1}}));
  ExpectHolds("2 ringers, 2 messages and 1", {.model = MemoryModel::kWeak},
              Scenario<ExplorerAtomics>({.messages = {2, 1}}));
}

constexpr char kSleeps[] = "nobody sleeps while there is a message";

TEST(DoorbellMutants, TheDaemonDoesNotWake) {
  ExpectViolation("a ringer dies before it wakes", {.crashes = true},
                  Scenario<ExplorerAtomics>({.daemon = Daemon::kDisarms}), kSleeps);
}

TEST(DoorbellMutants, TheDaemonWakesButDoesNotDisarm) {
  ExpectViolation("a ringer dies before it rings, and the waiter is about to sleep",
                  {.crashes = true},
                  Scenario<ExplorerAtomics>({.daemon = Daemon::kWakes}), kSleeps);
}

TEST(DoorbellMutants, RelaxedAnnouncement) {
  using A = Mutated<[] { return Mutation{.stores = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed announcement", {.model = MemoryModel::kWeak},
                  Scenario<A>({}), kSleeps);
}

TEST(DoorbellMutants, ReleaseAnnouncement) {
  using A = Mutated<[] { return Mutation{.stores = std::memory_order_release}; }>;
  ExpectViolation("release announcement", {.model = MemoryModel::kWeak},
                  Scenario<A>({}), kSleeps);
  // Nothing is wrong with it but the order of memory.
  ExpectHolds("release announcement", {}, Scenario<A>({}));
}

TEST(DoorbellMutants, PublishByAReleaseStore) {
  using A = Mutated<[] { return Mutation{.exchange_stores = true}; }>;
  ExpectViolation("publish by a release store", {.model = MemoryModel::kWeak},
                  Scenario<A>({}), kSleeps);
}

TEST(DoorbellMutants, PublishByAnAcquireReleaseExchange) {
  using A = Mutated<[] { return Mutation{.exchanges = std::memory_order_acq_rel}; }>;
  ExpectViolation("publish by an acq_rel exchange", {.model = MemoryModel::kWeak},
                  Scenario<A>({}), kSleeps);
}

TEST(DoorbellMutants, AcquireLoads) {
  using A = Mutated<[] { return Mutation{.loads = std::memory_order_acquire}; }>;
  ExpectViolation("looks at rings and parked by acquire loads", {.model = MemoryModel::kWeak},
                  Scenario<A>({}), kSleeps);
}

TEST(DoorbellMutants, TheWaiterDoesNotLookAgain) {
  ExpectViolation("no look after the announcement", {},
                  Scenario<ExplorerAtomics>({.look_after_announcing = false}),
                  kSleeps);
}

// ---- An owner and a worker: tasks one way, completions the other --------------------------------

constexpr uint32_t kLog2Tasks = 0;        // so that the owner has to wait for room, too
constexpr uint32_t kLog2Completions = 1;

struct TripSettings {
  uint32_t tasks = 2;
  // Unread completions and tasks on their way, at most.
  uint32_t credit = 1u << kLog2Completions;
  bool take_back = false;  // the owner tries to take the first task back, and then sends it again
  bool complete_before_release = false;
};

template <class A>
struct Channel {
  struct Task {
    typename A::template Plain<uint32_t> value;
  };
  struct Result {
    typename A::template Plain<uint32_t> value;
  };
  Slot<A, Task> tasks[1u << kLog2Tasks];
  Message<A, Result> completions[1u << kLog2Completions];
  Doorbell<A> owner;
  Doorbell<A> worker;
};

template <class A>
void Own(Channel<A>& channel, const TripSettings& settings) {
  SlotProducer<A, typename Channel<A>::Task> tasks(channel.tasks, kLog2Tasks);
  MessageConsumer<A, typename Channel<A>::Result> completions(channel.completions,
                                                              kLog2Completions);
  uint32_t sent = 0;
  uint32_t completed = 0;
  bool took_back = !settings.take_back;
  for (;;) {
    Settle({sent, completed, took_back, tasks.position()});
    const auto may_send = [&] {
      return sent < settings.tasks && sent - completed < settings.credit;
    };
    while (may_send()) {
      auto* task = tasks.Reserve();
      if (task == nullptr) break;
      task->value.Set(sent + 1);
      const uint32_t position = tasks.Publish();
      ++sent;
      RingAt(channel.worker);
      if (!took_back) {
        took_back = true;
        if (tasks.TakeBack(position)) --sent;
      }
    }
    while (const auto* result = completions.Front()) {
      Check(result->value.Get() == completed + 1, "results come in order");
      completions.Pop();
      ++completed;
    }
    if (completed == settings.tasks) return;
    channel.owner.Announce();
    if (completions.HasWork() || (may_send() && tasks.Reserve() != nullptr)) {
      channel.owner.Cancel();
      continue;
    }
    ParkAt(channel.owner);
    channel.owner.Cancel();
  }
}

template <class A>
void Work(Channel<A>& channel, const TripSettings& settings) {
  SlotConsumer<A, typename Channel<A>::Task> tasks(channel.tasks, kLog2Tasks);
  MessageProducer<A, typename Channel<A>::Result> completions(channel.completions,
                                                              kLog2Completions);
  for (;;) {
    Settle({tasks.position(), completions.position()});
    uint32_t position = 0;
    while (const auto* task = tasks.Claim(&position)) {
      completions.Next()->value.Set(task->value.Get());
      if (!settings.complete_before_release) tasks.Release(position);
      completions.Publish();
      RingAt(channel.owner);
      if (settings.complete_before_release) tasks.Release(position);
    }
    channel.worker.Announce();
    if (tasks.HasWork()) {
      channel.worker.Cancel();
      continue;
    }
    ParkAt(channel.worker);
    channel.worker.Cancel();
  }
}

template <class A>
std::function<void(Execution&)> RoundTrip(const TripSettings& settings) {
  return [settings](Execution& run) {
    auto& channel = run.Make<Channel<A>>();
    run.Name(channel.tasks[0].word, "task.word");
    run.Name(channel.tasks[0].body.value, "task.value");
    for (uint32_t i = 0; i < 1u << kLog2Completions; ++i) {
      run.Name(channel.completions[i].lap, "completion", i, ".lap");
      run.Name(channel.completions[i].body.value, "completion", i, ".value");
    }
    run.Name(channel.owner.parked, "owner.parked");
    run.Name(channel.worker.parked, "worker.parked");
    run.Process("owner", [&channel, settings] { Own(channel, settings); });
    run.Process(
        "worker", [&channel, settings] { Work(channel, settings); }, {.may_wait_for_ever = true});
  };
}

TEST(RoundTrip, OwnerAndWorkerAlwaysWakeEachOther) {
  for (const MemoryModel model : {MemoryModel::kSequential, MemoryModel::kWeak}) {
    ExpectHolds("3 tasks through one slot", {.model = model},
                RoundTrip<ExplorerAtomics>({.tasks = 3}));
  }
}

// A free slot is no credit: completions that the owner has not read fill their ring all the same.
TEST(RoundTripMutants, TheOwnerSendsAsLongAsThereAreFreeSlots) {
  ExpectViolation("no credit for completions", {},
                  RoundTrip<ExplorerAtomics>({.tasks = 3, .credit = 3}), "data race");
}

// The owner looks for room when a completion has come. If the worker gives the slot back only after
// that, and rings no more, the owner sleeps for ever in front of a free slot.
TEST(RoundTripMutants, TheWorkerReleasesAfterItHasCompleted) {
  ExpectViolation("release after completion", {},
                  RoundTrip<ExplorerAtomics>({.complete_before_release = true}),
                  "owner waits for ever: asleep");
}

// A slot that was taken back is free once the worker has passed it, and that rings no bell.
TEST(RoundTripMutants, TheOwnerWaitsForASlotThatItTookBack) {
  ExpectViolation("waits for a slot that it took back", {},
                  RoundTrip<ExplorerAtomics>({.take_back = true}),
                  "owner waits for ever: asleep");
}

}  // namespace
}  // namespace manta::explorer
