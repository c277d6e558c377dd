// shm/message_ring.h under all interleavings: no message is torn, repeated or lost while the
// producer keeps to its credit.
#include "shm/message_ring.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/explorer/expectations.h"
#include "testing/explorer/mutants.h"

namespace manta::explorer {
namespace {

using shm::Message;
using shm::MessageConsumer;
using shm::MessageProducer;

constexpr uint32_t kLog2Size = 1;
constexpr uint32_t kSize = 1u << kLog2Size;

struct Settings {
  uint32_t messages = 5;
  uint32_t first_position = 0;
  uint32_t credit = kSize;
};

template <class A>
struct World {
  struct Body {
    typename A::template Plain<uint32_t> low;
    typename A::template Plain<uint32_t> high;
  };
  Message<A, Body> entries[kSize];
  // The consumer's: how many messages it has done with. In a channel, this is the window of tasks,
  // or the header's completions_consumed.
  typename A::template Atomic<uint32_t> consumed;

  uint32_t published = 0;
  uint32_t received = 0;
};

// Of the ring's two ends, or of some with a mistake.
template <class A, class Producer, class Consumer>
std::function<void(Execution&)> ScenarioOf(const Settings& settings) {
  return [settings](Execution& run) {
    auto& world = run.Make<World<A>>();
    for (uint32_t i = 0; i < kSize; ++i) {
      run.Name(world.entries[i].lap, "entry", i, ".lap");
      run.Name(world.entries[i].body.low, "entry", i, ".low");
      run.Name(world.entries[i].body.high, "entry", i, ".high");
    }
    run.Name(world.consumed, "consumed");
    run.Process(
        "producer",
        [&world, settings] {
          Producer producer(world.entries, kLog2Size, settings.first_position);
          for (uint32_t i = 0; i < settings.messages; ++i) {
            Settle({i});
            WaitUntil([&] {
              return i - world.consumed.load(std::memory_order_acquire) < settings.credit;
            });
            auto* body = producer.Next();
            body->low.Set(i + 1);
            body->high.Set(~(i + 1));
            producer.Publish();
            ++world.published;
          }
        },
        {.may_crash = true, .may_wait_for_ever = true});
    run.Process(
        "consumer",
        [&world, settings] {
          Consumer consumer(world.entries, kLog2Size, settings.first_position);
          for (uint32_t i = 0;; ++i) {
            Settle({i});
            const typename World<A>::Body* body = nullptr;
            WaitUntil([&] { return (body = consumer.Front()) != nullptr; });
            const uint32_t low = body->low.Get();
            Check(body->high.Get() == ~low, "a message is whole");
            Check(low == i + 1, "messages come once and in order");
            consumer.Pop();
            ++world.received;
            world.consumed.store(i + 1, std::memory_order_release);
          }
        },
        {.may_crash = true, .may_wait_for_ever = true});
    bool& consumer_died = run.Make<bool>(false);
    run.OnCrash("daemon", [&](const std::string& dead) { consumer_died = dead == "consumer"; });
    run.AtEnd([&world, &consumer_died] {
      Check(consumer_died || world.received == world.published, "all that was sent arrives");
    });
  };
}

template <class A>
std::function<void(Execution&)> Scenario(const Settings& settings) {
  using Body = typename World<A>::Body;
  return ScenarioOf<A, MessageProducer<A, Body>, MessageConsumer<A, Body>>(settings);
}

TEST(MessageRing, EveryMessageComesOnceWholeAndInOrder) {
  ExpectHoldsInAllModes("5 messages", Scenario<ExplorerAtomics>({}));
  ExpectHolds("3 messages, unsettled",
              {.model = MemoryModel::kWeak, .crashes = true, .trust_settle = false},
              Scenario<ExplorerAtomics>({.messages = 3}));
}

TEST(MessageRing, LapsWrapAround) {
  ExpectHoldsInAllModes("5 messages from position 2^32 - 3",
                        Scenario<ExplorerAtomics>({.first_position = 0xfffffffd}));
}

// ---- Planted mistakes ---------------------------------------------------------------------------

TEST(MessageRingMutants, RelaxedPublish) {
  using A = Mutated<[] { return Mutation{.exchanges = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed publish", {.model = MemoryModel::kWeak}, Scenario<A>({.messages = 1}),
                  "data race");
}

TEST(MessageRingMutants, RelaxedFront) {
  using A = Mutated<[] { return Mutation{.loads = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed front", {.model = MemoryModel::kWeak}, Scenario<A>({.messages = 1}),
                  "data race");
}

TEST(MessageRingMutants, RelaxedCredit) {
  using A = Mutated<[] { return Mutation{.stores = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed credit", {.model = MemoryModel::kWeak}, Scenario<A>({.messages = 3}),
                  "data race");
}

TEST(MessageRingMutants, MoreCreditThanEntries) {
  ExpectViolation("credit of size + 1", {},
                  Scenario<ExplorerAtomics>({.messages = 3, .credit = kSize + 1}), "all that was");
}

// Publishes the lap first and fills in the body afterwards.
struct PublishFirst {
  using A = ExplorerAtomics;
  using Body = World<A>::Body;

  PublishFirst(Message<A, Body>* entries, uint32_t log2_size, uint32_t position)
      : real(entries, log2_size, position) {}
  Body* Next() {
    Body* body = real.Next();
    real.Publish();
    return body;
  }
  void Publish() {}

  MessageProducer<A, Body> real;
};

TEST(MessageRingMutants, PublishBeforeTheBodyIsWritten) {
  ExpectViolation("publish first", {},
                  ScenarioOf<ExplorerAtomics, PublishFirst,
                             MessageConsumer<ExplorerAtomics, PublishFirst::Body>>(
                      {.messages = 1}),
                  "data race");
}

// Takes every entry that was ever written for a new one, as a ring without laps would.
struct FrontWithoutLap {
  using A = ExplorerAtomics;
  using Body = World<A>::Body;

  FrontWithoutLap(Message<A, Body>* entries, uint32_t, uint32_t position)
      : entries(entries), position(position) {}
  const Body* Front() const {
    const Message<A, Body>& entry = entries[position % kSize];
    return entry.lap.load(std::memory_order_acquire) != 0 ? &entry.body : nullptr;
  }
  void Pop() { ++position; }

  Message<A, Body>* entries;
  uint32_t position;
};

TEST(MessageRingMutants, EntriesWithoutLaps) {
  ExpectViolation("no laps", {},
                  ScenarioOf<ExplorerAtomics, MessageProducer<ExplorerAtomics, PublishFirst::Body>,
                             FrontWithoutLap>({.messages = 3}),
                  "once and in order");
}

}  // namespace
}  // namespace manta::explorer
