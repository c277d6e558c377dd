// shm/pin_table.h under all interleavings: while a reader holds a pin, the object's memory is not
// used for another one; and the daemon gets it back in the end, whoever dies.
#include "shm/pin_table.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/explorer/expectations.h"
#include "testing/explorer/mutants.h"

namespace manta::explorer {
namespace {

using shm::ObjectSlot;
using shm::ObjectState;
using shm::ObjectWord;
using shm::PinTable;
using shm::PinWord;

constexpr int kMaxReaders = 2;
constexpr uint32_t kSlot = 3;
constexpr uint32_t kEntries = 2;

struct Settings {
  int readers = 1;
  uint32_t generations = 2;  // the object's first one, and how often its memory is used again
  bool lessee = false;       // the first one is still being written
  // Mistakes.
  bool recheck = true;
  bool mark_before_scan = true;
  bool scan = true;
  bool unpin_early = false;
};

template <class A>
struct World {
  ObjectSlot<A> object;
  PinTable<A, kEntries> tables[kMaxReaders];
  typename A::template Plain<uint32_t> content;  // the generation that it belongs to
  typename A::template Atomic<uint32_t> reader_died[kMaxReaders];
  typename A::template Atomic<uint32_t> sealed_or_abandoned;  // what the daemon hears of the lessee

  uint32_t reads = 0;
};

// Reads each generation in place, if it is there, by one entry after the other.
template <class A>
void Read(World<A>& world, int reader, const Settings& settings) {
  PinTable<A, kEntries>& table = world.tables[reader];
  for (uint32_t generation = 1; generation <= settings.generations; ++generation) {
    Settle({generation});
    const uint32_t entry = generation % kEntries;
    bool pinned = true;
    if (settings.recheck) {
      pinned = table.Pin(entry, kSlot, generation, world.object);
    } else {
      pinned = world.object.word.load(std::memory_order_seq_cst) ==
               ObjectWord(generation, ObjectState::kSealed);
      if (pinned) table.entries[entry].store(PinWord(kSlot, generation), std::memory_order_seq_cst);
    }
    if (!pinned) continue;
    if (settings.unpin_early) table.Unpin(entry);
    Check(world.content.Get() == generation, "a pinned object stays");
    Check(world.content.Get() == generation, "a pinned object stays");
    ++world.reads;
    if (!settings.unpin_early) table.Unpin(entry);
  }
}

// Frees each generation and uses its memory for the next one.
template <class A>
void Reuse(World<A>& world, const Settings& settings) {
  if (settings.lessee) {
    WaitUntil([&] {
      return world.sealed_or_abandoned.load(std::memory_order_acquire) == 1;
    });
  }
  const auto held = [&] {
    for (int reader = 0; reader < settings.readers; ++reader) {
      // A dead process's table is not asked any more.
      if (world.reader_died[reader].load(std::memory_order_acquire) == 1) continue;
      if (world.tables[reader].Holds(kSlot)) return true;
    }
    return false;
  };
  for (uint32_t generation = 1; generation < settings.generations; ++generation) {
    Settle({generation});
    const auto mark = [&] {
      world.object.word.store(ObjectWord(generation, ObjectState::kDying),
                              std::memory_order_seq_cst);
      A::Fence();
    };
    if (settings.mark_before_scan) mark();
    if (settings.scan) WaitUntil([&] { return !held(); });
    if (!settings.mark_before_scan) mark();
    world.content.Set(generation + 1);
    world.object.word.store(ObjectWord(generation + 1, ObjectState::kSealed),
                            std::memory_order_release);
  }
}

// Writes the first generation and seals it.
template <class A>
void Write(World<A>& world) {
  world.content.Set(1);
  uint64_t writing = ObjectWord(1, ObjectState::kWriting);
  world.object.word.compare_exchange_strong(writing, ObjectWord(1, ObjectState::kSealed),
                                            std::memory_order_release, std::memory_order_relaxed);
  world.sealed_or_abandoned.store(1, std::memory_order_release);
}

template <class A>
std::function<void(Execution&)> Scenario(const Settings& settings) {
  return [settings](Execution& run) {
    auto& world = run.Make<World<A>>();
    run.Name(world.object.word, "object.word");
    run.Name(world.content, "content");
    run.Name(world.sealed_or_abandoned, "sealed_or_abandoned");
    for (int reader = 0; reader < kMaxReaders; ++reader) {
      run.Name(world.reader_died[reader], "reader", reader, "_died");
      for (uint32_t i = 0; i < kEntries; ++i) {
        run.Name(world.tables[reader].entries[i], "table", reader, "[", i, "]");
      }
    }
    if (settings.lessee) {
      world.object.word.store(ObjectWord(1, ObjectState::kWriting));
      run.Process("lessee", [&world] { Write(world); }, {.may_crash = true});
    } else {
      world.object.word.store(ObjectWord(1, ObjectState::kSealed));
      world.content.Set(1);
    }
    for (int reader = 0; reader < settings.readers; ++reader) {
      run.Process(
          "reader" + std::to_string(reader),
          [&world, settings, reader] { Read(world, reader, settings); }, {.may_crash = true});
    }
    run.Process("daemon", [&world, settings] { Reuse(world, settings); });
    run.OnCrash("daemon (death)", [&world](const std::string& dead) {
      if (dead == "lessee") {
        world.sealed_or_abandoned.store(1, std::memory_order_release);
      } else {
        world.reader_died[dead == "reader0" ? 0 : 1].store(1, std::memory_order_release);
      }
    });
    run.AtEnd([&world, settings] {
      Check(world.content.Get() == settings.generations, "the daemon gets all memory back");
    });
  };
}

TEST(PinTable, APinnedObjectStays) {
  ExpectHoldsInAllModes("1 reader, 3 generations", Scenario<ExplorerAtomics>({.generations = 3}));
  ExpectHolds("2 readers, 2 generations", {.crashes = true},
              Scenario<ExplorerAtomics>({.readers = 2}));
  ExpectHolds("2 readers, 2 generations", {.model = MemoryModel::kWeak},
              Scenario<ExplorerAtomics>({.readers = 2}));
  ExpectHolds("1 reader, 2 generations, unsettled",
              {.model = MemoryModel::kWeak, .crashes = true, .trust_settle = false},
              Scenario<ExplorerAtomics>({}));
}

TEST(PinTable, AnObjectIsReadOnceItIsSealed) {
  ExpectHoldsInAllModes("a lessee and 1 reader, 2 generations",
                        Scenario<ExplorerAtomics>({.lessee = true}));
}

TEST(PinTable, TheFenceOrTheSequentiallyConsistentAccessesAreEnough) {
  using WithoutFence = Mutated<[] { return Mutation{.no_fence = true}; }>;
  using WithoutSeqCst = Mutated<[] {
    return Mutation{.loads = std::memory_order_acquire, .stores = std::memory_order_release};
  }>;
  ExpectHolds("no fence", {.model = MemoryModel::kWeak},
              Scenario<WithoutFence>({.readers = 2}));
  ExpectHolds("no seq_cst accesses", {.model = MemoryModel::kWeak},
              Scenario<WithoutSeqCst>({.readers = 2}));
}

// ---- Planted mistakes ---------------------------------------------------------------------------

TEST(PinTableMutants, NeitherFenceNorSequentiallyConsistentAccesses) {
  using A = Mutated<[] {
    return Mutation{.loads = std::memory_order_acquire,
                    .stores = std::memory_order_release,
                    .no_fence = true};
  }>;
  ExpectViolation("no fence and no seq_cst accesses", {.model = MemoryModel::kWeak},
                  Scenario<A>({}), "content");
  ExpectHolds("no fence and no seq_cst accesses", {}, Scenario<A>({}));
}

TEST(PinTableMutants, PinAfterTheCheck) {
  ExpectViolation("no check after the pin", {}, Scenario<ExplorerAtomics>({.recheck = false}),
                  "data race on content");
}

TEST(PinTableMutants, ScanBeforeTheMark) {
  ExpectViolation("scan before the mark", {},
                  Scenario<ExplorerAtomics>({.mark_before_scan = false}), "data race on content");
}

TEST(PinTableMutants, NoScan) {
  ExpectViolation("no scan", {}, Scenario<ExplorerAtomics>({.scan = false}),
                  "data race on content");
}

TEST(PinTableMutants, UnpinBeforeTheLastRead) {
  ExpectViolation("unpin before the last read", {},
                  Scenario<ExplorerAtomics>({.unpin_early = true}), "data race on content");
}

TEST(PinTableMutants, RelaxedUnpin) {
  using A = Mutated<[] { return Mutation{.stores = std::memory_order_relaxed}; }>;
  ExpectViolation("relaxed unpin", {.model = MemoryModel::kWeak}, Scenario<A>({}),
                  "data race on content");
}

}  // namespace
}  // namespace manta::explorer
