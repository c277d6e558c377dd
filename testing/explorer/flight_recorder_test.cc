// The ring of shm/flight_recorder.h under all interleavings: a reader gets whole events in order,
// from a writer that is at work or has died anywhere.
#include "shm/flight_recorder.h"

#include <gtest/gtest.h>

#include "testing/explorer/expectations.h"
#include "testing/explorer/mutants.h"

namespace manta::explorer {
namespace {

using shm::ReadRecorderRing;
using shm::RecorderEvent;
using shm::RecorderSlot;
using shm::RecorderWriter;

constexpr uint32_t kLog2Events = 1;
constexpr uint64_t kSize = 1u << kLog2Events;

template <class A>
struct World {
  typename A::template Atomic<uint64_t> written;
  RecorderSlot<A> slots[kSize];
};

RecorderEvent EventOf(uint64_t n) {
  return {n + 1, static_cast<uint16_t>(n + 1), 2, 3, n + 10, n + 20};
}

// `least`: how many events have to be there.
template <class A>
void Read(World<A>& world, bool at_work) {
  uint64_t events = 0;
  uint64_t next = 0;
  const uint64_t written = ReadRecorderRing<A>(
      world.written, world.slots, kLog2Events, [&](uint64_t index, const RecorderEvent& event) {
        Check(events == 0 || index == next, "events come in order, without holes");
        Check(event == EventOf(index), "an event is whole");
        next = index + 1;
        ++events;
      });
  if (at_work) return;
  Check(events >= (written < kSize ? written : kSize - 1), "the latest events are there");
  Check(events == 0 || next == written, "the latest events are there");
}

template <class A>
std::function<void(Execution&)> Scenario(uint64_t events) {
  return [events](Execution& run) {
    auto& world = run.Make<World<A>>();
    run.Name(world.written, "written");
    for (uint64_t i = 0; i < kSize; ++i) {
      for (uint64_t word = 0; word < 4; ++word) {
        run.Name(world.slots[i].words[word], "slot", i, ".word", word);
      }
    }
    run.Process(
        "writer",
        [&world, events] {
          RecorderWriter<A> writer(&world.written, world.slots, kLog2Events);
          for (uint64_t n = 0; n < events; ++n) {
            Settle({n});
            writer.Record(EventOf(n));
          }
        },
        {.may_crash = true});
    run.Process("reader", [&world] { Read(world, true); });
    run.OnCrash("post-mortem", [&world](const std::string&) { Read(world, false); });
    run.AtEnd([&world] { Read(world, false); });
  };
}

TEST(FlightRecorder, EventsAreWholeAndInOrder) {
  ExpectHoldsInAllModes("4 events", Scenario<ExplorerAtomics>(4));
}

TEST(FlightRecorderMutants, RelaxedStores) {
  using A = Mutated<[] { return Mutation{.stores = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed stores", {.model = MemoryModel::kWeak}, Scenario<A>(3), "whole");
}

TEST(FlightRecorderMutants, RelaxedLoads) {
  using A = Mutated<[] { return Mutation{.loads = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed loads", {.model = MemoryModel::kWeak}, Scenario<A>(3), "whole");
}

// A reader that takes an event of which the slot may be written for one that stays.
TEST(FlightRecorderMutants, KeepTheOldestEvent) {
  const auto scenario = [](Execution& run) {
    using A = ExplorerAtomics;
    auto& world = run.Make<World<A>>();
    run.Process("writer", [&world] {
      RecorderWriter<A> writer(&world.written, world.slots, kLog2Events);
      for (uint64_t n = 0; n < 3; ++n) writer.Record(EventOf(n));
    });
    run.Process("reader", [&world] {
      // As if the ring had one event more than it has.
      if (world.written.load(std::memory_order_acquire) != kSize) return;
      const uint64_t ticks = world.slots[0].words[0].load(std::memory_order_acquire);
      if (world.written.load(std::memory_order_acquire) != kSize) return;
      Check(ticks == EventOf(0).ticks, "an event is whole");
    });
  };
  ExpectViolation("keeps the oldest event", {}, scenario, "whole");
}

}  // namespace
}  // namespace manta::explorer
