// shm/slot_ring.h under all interleavings: every item is executed exactly once or taken back
// exactly once, and neither side touches a body or what belongs to it while the other one may.
#include "shm/slot_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "testing/explorer/expectations.h"
#include "testing/explorer/mutants.h"

namespace manta::explorer {
namespace {

using shm::Slot;
using shm::SlotConsumer;
using shm::SlotProducer;

constexpr uint32_t kLog2Size = 1;
constexpr uint32_t kSize = 1u << kLog2Size;
constexpr int kMaxItems = 4;

struct Settings {
  int items = 3;
  uint32_t first_position = 0;
  // Of each item: whether the producer tries to take it back as soon as it is published.
  bool take_back[kMaxItems] = {};
  bool take_back_at_the_end = false;
  // Mistakes of a caller.
  bool release_early = false;
  bool reuse_payload_early = false;
};

template <class A>
struct World {
  struct Body {
    typename A::template Plain<uint32_t> low;
    typename A::template Plain<uint32_t> high;
  };
  Slot<A, Body> slots[kSize];
  // What stands outside of the slot and belongs to it, as a payload ring does.
  typename A::template Plain<uint32_t> payload[kSize];
  typename A::template Atomic<uint32_t> consumer_died;

  int published[kMaxItems] = {};
  int executed[kMaxItems] = {};
  int taken[kMaxItems] = {};
  bool claimed_by_dead[kMaxItems] = {};
};

uint64_t Bits(const int (&counts)[kMaxItems]) {
  uint64_t bits = 0;
  for (const int count : counts) bits = bits << 8 | static_cast<uint64_t>(count);
  return bits;
}

// Publishes all items, in between reusing the payload of items that are released, and takes back
// what the settings say. When the consumer dies, takes back the rest, and counts what it cannot.
template <class A>
void Produce(World<A>& world, const Settings& settings) {
  using Body = typename World<A>::Body;
  SlotProducer<A, Body> producer(world.slots, kLog2Size, settings.first_position);
  std::vector<uint32_t> positions;
  const auto take_back = [&](int item) {
    if (!producer.TakeBack(positions[item])) return;
    ++world.taken[item];
    Check(world.executed[item] == 0, "what is taken back was never started");
    world.payload[positions[item] % kSize].Set(0);
  };
  const auto died = [&] { return world.consumer_died.load(std::memory_order_acquire) == 1; };

  const auto settle = [&](uint64_t item) {
    Settle({item, Bits(world.taken), Bits(world.published)});
  };

  for (int item = 0; item < settings.items; ++item) {
    settle(item);
    Body* body = nullptr;
    WaitUntil([&] { return (body = producer.Reserve()) != nullptr || died(); });
    if (body == nullptr) break;
    world.payload[producer.position() % kSize].Set(item + 100);
    body->low.Set(item + 1);
    body->high.Set(~(item + 1));
    positions.push_back(producer.Publish());
    ++world.published[item];
    if (settings.take_back[item]) take_back(item);
    if (settings.reuse_payload_early || producer.IsReleased(positions[item])) {
      world.payload[positions[item] % kSize].Set(0);
    }
  }
  const int made = static_cast<int>(positions.size());
  if (settings.take_back_at_the_end) {
    for (int item = made; item-- > 0;) take_back(item);
  }
  settle(made);
  const auto all_released = [&] {
    for (const uint32_t position : positions) {
      if (!producer.IsReleased(position)) return false;
    }
    return true;
  };
  WaitUntil([&] { return died() || all_released(); });
  for (int item = 0; item < made; ++item) {
    if (producer.IsReleased(positions[item])) continue;
    if (producer.TakeBack(positions[item])) {
      ++world.taken[item];
      Check(world.executed[item] == 0, "what is taken back was never started");
    } else if (world.taken[item] == 0) {
      world.claimed_by_dead[item] = true;
    }
  }
}

template <class A>
void Consume(World<A>& world, const Settings& settings) {
  using Body = typename World<A>::Body;
  SlotConsumer<A, Body> consumer(world.slots, kLog2Size, settings.first_position);
  for (;;) {
    Settle({consumer.position(), Bits(world.executed)});
    Body* body = nullptr;
    uint32_t position = 0;
    WaitUntil([&] { return (body = consumer.Claim(&position)) != nullptr; });
    if (settings.release_early) consumer.Release(position);
    const uint32_t low = body->low.Get();
    Check(body->high.Get() == ~low, "a body is whole");
    const int item = static_cast<int>(low) - 1;
    Check(item == static_cast<int>(position - settings.first_position), "items keep their order");
    Check(world.payload[position % kSize].Get() == 100 + low - 1, "a payload stays until released");
    Check(++world.executed[item] == 1, "an item is executed once");
    if (!settings.release_early) consumer.Release(position);
  }
}

template <class A>
std::function<void(Execution&)> Scenario(const Settings& settings) {
  return [settings](Execution& run) {
    auto& world = run.Make<World<A>>();
    const uint32_t lap = settings.first_position >> kLog2Size;
    for (uint32_t i = 0; i < kSize; ++i) {
      run.Name(world.slots[i].word, "slot", i, ".word");
      run.Name(world.slots[i].body.low, "slot", i, ".low");
      run.Name(world.slots[i].body.high, "slot", i, ".high");
      run.Name(world.payload[i], "payload", i);
      world.slots[i].word.store(shm::SlotWord(lap, shm::SlotState::kEmpty));
    }
    run.Name(world.consumer_died, "consumer_died");
    run.Process(
        "producer", [&, settings] { Produce(world, settings); }, {.may_crash = true});
    run.Process(
        "consumer", [&, settings] { Consume(world, settings); },
        {.may_crash = true, .may_wait_for_ever = true});
    run.OnCrash("daemon", [&](const std::string& dead) {
      if (dead == "consumer") world.consumer_died.store(1, std::memory_order_release);
    });
    run.AtEnd([&] {
      for (int item = 0; item < kMaxItems; ++item) {
        const int done = world.executed[item] + world.taken[item];
        if (world.claimed_by_dead[item]) {
          Check(world.taken[item] == 0, "what the dead had claimed is not taken back");
        } else {
          Check(done == world.published[item], "an item is executed or taken back, once");
        }
      }
    });
  };
}

TEST(SlotRing, EveryItemIsExecutedOnce) {
  ExpectHoldsInAllModes("4 items", Scenario<ExplorerAtomics>({.items = 4}));
}

TEST(SlotRing, WhatIsTakenBackIsNotExecuted) {
  ExpectHoldsInAllModes("3 items, each taken back at once",
                        Scenario<ExplorerAtomics>({.take_back = {true, true, true}}));
  ExpectHoldsInAllModes("3 items, the second one taken back",
                        Scenario<ExplorerAtomics>({.take_back = {false, true, false}}));
  ExpectHoldsInAllModes("3 items, all taken back at the end",
                        Scenario<ExplorerAtomics>({.take_back_at_the_end = true}));
}

TEST(SlotRing, HoldsWithoutWhatTheScenarioPromises) {
  for (const MemoryModel model : {MemoryModel::kSequential, MemoryModel::kWeak}) {
    ExpectHolds("2 items, the first one taken back, unsettled",
                {.model = model, .crashes = true, .trust_settle = false},
                Scenario<ExplorerAtomics>({.items = 2, .take_back = {true}}));
  }
}

// Two threads of the consuming process: one claims, the other one executes and releases.
TEST(SlotRing, AnyThreadMayRelease) {
  ExpectHoldsInAllModes("3 items, released by another thread", [](Execution& run) {
    using A = ExplorerAtomics;
    using Body = World<A>::Body;
    struct Handover {
      A::Atomic<uint32_t> claimed;  // how many
      World<A> world;
    };
    auto& handover = run.Make<Handover>();
    run.Process("producer", [&] { Produce(handover.world, {.items = 3}); });
    run.Process(
        "claimer",
        [&] {
          SlotConsumer<A, Body> consumer(handover.world.slots, kLog2Size);
          for (;;) {
            Settle({consumer.position()});
            uint32_t position = 0;
            WaitUntil([&] { return consumer.Claim(&position) != nullptr; });
            handover.claimed.store(consumer.position(), std::memory_order_release);
          }
        },
        {.may_wait_for_ever = true});
    run.Process(
        "releaser",
        [&] {
          SlotConsumer<A, Body> consumer(handover.world.slots, kLog2Size);
          for (uint32_t position = 0;; ++position) {
            Settle({position});
            WaitUntil([&] { return handover.claimed.load(std::memory_order_acquire) > position; });
            const Body& body = handover.world.slots[position % kSize].body;
            Check(body.low.Get() == position + 1, "items keep their order");
            Check(body.high.Get() == ~(position + 1), "a body is whole");
            consumer.Release(position);
            ++handover.world.executed[position];
          }
        },
        {.may_wait_for_ever = true});
    run.AtEnd([&] {
      for (int item = 0; item < 3; ++item) {
        Check(handover.world.executed[item] == 1, "an item is executed once");
      }
    });
  });
}

TEST(SlotRing, LapsWrapAround) {
  for (const uint32_t first : {0x7ffffffeu, 0xfffffffeu}) {
    ExpectHoldsInAllModes(
        "4 items from position " + std::to_string(first),
        Scenario<ExplorerAtomics>(
            {.items = 4, .first_position = first, .take_back = {false, true}}));
  }
}

// ---- Planted mistakes ---------------------------------------------------------------------------

template <auto kMutation>
void ExpectCaught(const std::string& name, const Settings& settings, MemoryModel model,
                  const std::string& part) {
  ExpectViolation(name, {.model = model}, Scenario<Mutated<kMutation>>(settings), part);
}

TEST(SlotRingMutants, ClaimWithoutCompareAndSwap) {
  ExpectCaught<[] { return Mutation{.compare_exchange_splits = true}; }>(
      "claim and take back without compare-and-swap", {.items = 1, .take_back = {true}},
      MemoryModel::kSequential, "");
}

TEST(SlotRingMutants, RelaxedPublish) {
  ExpectCaught<[] { return Mutation{.exchanges = std::memory_order_relaxed}; }>(
      "relaxed publish", {.items = 1}, MemoryModel::kWeak, "data race");
}

TEST(SlotRingMutants, RelaxedRelease) {
  ExpectCaught<[] { return Mutation{.stores = std::memory_order_relaxed}; }>(
      "relaxed release", {.items = 3}, MemoryModel::kWeak, "data race");
}

TEST(SlotRingMutants, RelaxedLoads) {
  ExpectCaught<[] { return Mutation{.loads = std::memory_order_relaxed}; }>(
      "relaxed loads", {.items = 3}, MemoryModel::kWeak, "data race");
}

TEST(SlotRingMutants, RelaxedClaim) {
  // The load before the compare-and-swap synchronizes as well: each of the two is enough.
  ExpectHolds("relaxed compare-and-swap after an acquire load", {.model = MemoryModel::kWeak},
              Scenario<Mutated<[] {
                return Mutation{.compare_exchanges = std::memory_order_relaxed};
              }>>({.items = 3}));
  ExpectCaught<[] {
    return Mutation{.loads = std::memory_order_relaxed,
                    .compare_exchanges = std::memory_order_relaxed};
  }>("relaxed claim", {.items = 1}, MemoryModel::kWeak, "data race");
}

TEST(SlotRingMutants, CallerReleasesBeforeItHasReadTheBody) {
  ExpectViolation("early release", {},
                  Scenario<ExplorerAtomics>({.items = 3, .release_early = true}), "data race");
}

TEST(SlotRingMutants, CallerReusesAPayloadBeforeItIsReleased) {
  ExpectViolation("early reuse", {},
                  Scenario<ExplorerAtomics>({.items = 1, .reuse_payload_early = true}),
                  "data race");
}

}  // namespace
}  // namespace manta::explorer
