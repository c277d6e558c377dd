// The explorer itself: what its memory models allow and forbid, on the usual litmus tests, and what
// it reports.
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "testing/explorer/explorer.h"

namespace manta::explorer {
namespace {

template <class T>
using Atomic = ExplorerAtomics::Atomic<T>;
template <class T>
using Plain = ExplorerAtomics::Plain<T>;
using Outcomes = std::set<std::vector<int>>;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

struct World {
  Atomic<int> x, y;
  Plain<int> data;
  int r[4] = {};
};

using Thread = std::function<void(World&)>;
using Final = std::function<std::vector<int>(World&)>;

Outcome RunThreads(const Options& options, const std::vector<Thread>& threads, const Final& final,
            Outcomes* outcomes) {
  return Explore(options, [&](Execution& run) {
    auto& world = run.Make<World>();
    run.Name(world.x, "x");
    run.Name(world.y, "y");
    run.Name(world.data, "data");
    for (size_t i = 0; i < threads.size(); ++i) {
      run.Process("thread" + std::to_string(i + 1), [&, i] { threads[i](world); });
    }
    run.AtEnd([&] { outcomes->insert(final(world)); });
  });
}

// All final states; the threads may not go wrong.
Outcomes All(MemoryModel model, const std::vector<Thread>& threads, const Final& final) {
  Outcomes outcomes;
  const Outcome outcome = RunThreads({.model = model}, threads, final, &outcomes);
  EXPECT_TRUE(outcome.ok()) << outcome.Report();
  // Merging states leaves none of them out.
  Outcomes unmerged;
  const Outcome all =
      RunThreads({.model = model, .merge_states = false}, threads, final, &unmerged);
  EXPECT_TRUE(all.ok()) << all.Report();
  EXPECT_EQ(outcomes, unmerged);
  return outcomes;
}
Outcomes Weak(const std::vector<Thread>& threads, const Final& final) {
  return All(MemoryModel::kWeak, threads, final);
}
Outcomes Sequential(const std::vector<Thread>& threads, const Final& final) {
  return All(MemoryModel::kSequential, threads, final);
}

std::vector<int> TwoRegisters(World& w) { return {w.r[0], w.r[1]}; }

const Outcomes kAllOfTwo = {{0, 0}, {0, 1}, {1, 0}, {1, 1}};

std::vector<Thread> StoreBuffering(std::memory_order store, std::memory_order load, bool fence1,
                                   bool fence2) {
  return {[=](World& w) {
            w.x.store(1, store);
            if (fence1) ExplorerAtomics::Fence();
            w.r[0] = w.y.load(load);
          },
          [=](World& w) {
            w.y.store(1, store);
            if (fence2) ExplorerAtomics::Fence();
            w.r[1] = w.x.load(load);
          }};
}

TEST(Litmus, StoreBuffering) {
  const Outcomes not_both_stale = {{0, 1}, {1, 0}, {1, 1}};
  EXPECT_EQ(Sequential(StoreBuffering(kRelaxed, kRelaxed, false, false), TwoRegisters),
            not_both_stale);
  EXPECT_EQ(Weak(StoreBuffering(kRelaxed, kRelaxed, false, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(StoreBuffering(kRelease, kAcquire, false, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(StoreBuffering(kSeqCst, kAcquire, false, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(StoreBuffering(kRelease, kSeqCst, false, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(StoreBuffering(kSeqCst, kSeqCst, false, false), TwoRegisters), not_both_stale);
  EXPECT_EQ(Weak(StoreBuffering(kRelaxed, kRelaxed, true, true), TwoRegisters), not_both_stale);
  EXPECT_EQ(Weak(StoreBuffering(kRelaxed, kRelaxed, true, false), TwoRegisters), kAllOfTwo);
}

TEST(Litmus, StoreBufferingWithAFenceOnOneSideAndSeqCstOnTheOther) {
  const std::vector<Thread> threads = {[](World& w) {
                                         w.x.store(1, kRelaxed);
                                         ExplorerAtomics::Fence();
                                         w.r[0] = w.y.load(kRelaxed);
                                       },
                                       [](World& w) {
                                         w.y.store(1, kSeqCst);
                                         w.r[1] = w.x.load(kSeqCst);
                                       }};
  EXPECT_EQ(Weak(threads, TwoRegisters), (Outcomes{{0, 1}, {1, 0}, {1, 1}}));
}

TEST(Litmus, ASeqCstExchangeDoesNotOrderALaterRelaxedLoad) {
  const std::vector<Thread> threads = {[](World& w) {
                                         w.x.exchange(1, kSeqCst);
                                         w.r[0] = w.y.load(kRelaxed);
                                       },
                                       [](World& w) {
                                         w.y.exchange(1, kSeqCst);
                                         w.r[1] = w.x.load(kRelaxed);
                                       }};
  EXPECT_EQ(Weak(threads, TwoRegisters), kAllOfTwo);
}

std::vector<Thread> MessagePassing(std::memory_order store, std::memory_order load, bool fences) {
  return {[=](World& w) {
            w.x.store(1, kRelaxed);
            if (fences) ExplorerAtomics::Fence();
            w.y.store(1, store);
          },
          [=](World& w) {
            w.r[0] = w.y.load(load);
            if (fences) ExplorerAtomics::Fence();
            w.r[1] = w.x.load(kRelaxed);
          }};
}

TEST(Litmus, MessagePassing) {
  const Outcomes ordered = {{0, 0}, {0, 1}, {1, 1}};
  EXPECT_EQ(Sequential(MessagePassing(kRelaxed, kRelaxed, false), TwoRegisters), ordered);
  EXPECT_EQ(Weak(MessagePassing(kRelaxed, kRelaxed, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(MessagePassing(kRelease, kRelaxed, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(MessagePassing(kRelaxed, kAcquire, false), TwoRegisters), kAllOfTwo);
  EXPECT_EQ(Weak(MessagePassing(kRelease, kAcquire, false), TwoRegisters), ordered);
  EXPECT_EQ(Weak(MessagePassing(kRelaxed, kRelaxed, true), TwoRegisters), ordered);
}

TEST(Litmus, LoadBufferingIsNotModelled) {
  const std::vector<Thread> threads = {[](World& w) {
                                         w.r[0] = w.y.load(kRelaxed);
                                         w.x.store(1, kRelaxed);
                                       },
                                       [](World& w) {
                                         w.r[1] = w.x.load(kRelaxed);
                                         w.y.store(1, kRelaxed);
                                       }};
  EXPECT_EQ(Weak(threads, TwoRegisters), (Outcomes{{0, 0}, {0, 1}, {1, 0}}));
}

std::vector<Thread> IndependentReads(std::memory_order store, std::memory_order load,
                                     bool fences) {
  return {[=](World& w) { w.x.store(1, store); }, [=](World& w) { w.y.store(1, store); },
          [=](World& w) {
            w.r[0] = w.x.load(load);
            if (fences) ExplorerAtomics::Fence();
            w.r[1] = w.y.load(load);
          },
          [=](World& w) {
            w.r[2] = w.y.load(load);
            if (fences) ExplorerAtomics::Fence();
            w.r[3] = w.x.load(load);
          }};
}

TEST(Litmus, IndependentReadsOfIndependentWrites) {
  const auto final = [](World& w) { return std::vector<int>(w.r, w.r + 4); };
  const std::vector<int> disagree = {1, 0, 1, 0};
  EXPECT_TRUE(Weak(IndependentReads(kRelease, kAcquire, false), final).contains(disagree));
  EXPECT_EQ(Weak(IndependentReads(kRelease, kAcquire, false), final).size(), 16u);
  EXPECT_FALSE(Weak(IndependentReads(kSeqCst, kSeqCst, false), final).contains(disagree));
  EXPECT_EQ(Weak(IndependentReads(kSeqCst, kSeqCst, false), final).size(), 15u);
  EXPECT_EQ(Weak(IndependentReads(kRelaxed, kRelaxed, true), final).size(), 15u);
  EXPECT_EQ(Sequential(IndependentReads(kRelaxed, kRelaxed, false), final).size(), 15u);
}

TEST(Litmus, ReadsOfOneLocationAreCoherent) {
  const auto final = [](World& w) { return std::vector<int>(w.r, w.r + 4); };
  const std::vector<Thread> threads = {[](World& w) { w.x.store(1, kRelaxed); },
                                       [](World& w) { w.x.store(2, kRelaxed); },
                                       [](World& w) {
                                         w.r[0] = w.x.load(kRelaxed);
                                         w.r[1] = w.x.load(kRelaxed);
                                       },
                                       [](World& w) {
                                         w.r[2] = w.x.load(kRelaxed);
                                         w.r[3] = w.x.load(kRelaxed);
                                       }};
  const Outcomes outcomes = Weak(threads, final);
  EXPECT_TRUE(outcomes.contains({1, 2, 1, 2}));
  EXPECT_TRUE(outcomes.contains({2, 1, 2, 1}));
  EXPECT_FALSE(outcomes.contains({1, 2, 2, 1}));
  EXPECT_FALSE(outcomes.contains({2, 1, 1, 2}));
  EXPECT_FALSE(outcomes.contains({1, 0, 0, 0}));
}

std::vector<Thread> TwoPlusTwoWrites(std::memory_order order) {
  return {[=](World& w) {
            w.x.store(1, order);
            w.y.store(2, order);
          },
          [=](World& w) {
            w.y.store(1, order);
            w.x.store(2, order);
          }};
}

TEST(Litmus, StoresMayGoBehindWhatOthersHaveStored) {
  const auto final = [](World& w) { return std::vector<int>{w.x.load(), w.y.load()}; };
  const Outcomes ordered = {{1, 2}, {2, 1}, {2, 2}};
  const Outcomes all = {{1, 1}, {1, 2}, {2, 1}, {2, 2}};
  EXPECT_EQ(Weak(TwoPlusTwoWrites(kRelaxed), final), all);
  EXPECT_EQ(Weak(TwoPlusTwoWrites(kRelease), final), all);
  EXPECT_EQ(Weak(TwoPlusTwoWrites(kSeqCst), final), ordered);
  EXPECT_EQ(Sequential(TwoPlusTwoWrites(kRelaxed), final), ordered);
}

TEST(Litmus, WriteToReadCausality) {
  const auto threads = [](std::memory_order store, std::memory_order load) {
    return std::vector<Thread>{[=](World& w) { w.x.store(1, store); },
                               [=](World& w) {
                                 w.r[0] = w.x.load(load);
                                 w.y.store(1, store);
                               },
                               [=](World& w) {
                                 w.r[1] = w.y.load(load);
                                 w.r[2] = w.x.load(kRelaxed);
                               }};
  };
  const auto final = [](World& w) { return std::vector<int>(w.r, w.r + 3); };
  EXPECT_TRUE(Weak(threads(kRelaxed, kRelaxed), final).contains({1, 1, 0}));
  EXPECT_FALSE(Weak(threads(kRelease, kAcquire), final).contains({1, 1, 0}));
}

TEST(Litmus, WriteAfterRead) {  // "S" and "R"
  const auto s = [](std::memory_order store, std::memory_order load) {
    return std::vector<Thread>{[=](World& w) {
                                 w.x.store(2, kRelaxed);
                                 w.y.store(1, store);
                               },
                               [=](World& w) {
                                 w.r[0] = w.y.load(load);
                                 w.x.store(1, kRelaxed);
                               }};
  };
  const auto s_final = [](World& w) { return std::vector<int>{w.r[0], w.x.load()}; };
  EXPECT_TRUE(Weak(s(kRelaxed, kRelaxed), s_final).contains({1, 2}));
  EXPECT_FALSE(Weak(s(kRelease, kAcquire), s_final).contains({1, 2}));

  const auto r = [](std::memory_order order) {
    return std::vector<Thread>{[=](World& w) {
                                 w.x.store(1, order);
                                 w.y.store(1, order);
                               },
                               [=](World& w) {
                                 w.y.store(2, order);
                                 w.r[0] = w.x.load(order == kRelease ? kAcquire : order);
                               }};
  };
  const auto r_final = [](World& w) { return std::vector<int>{w.y.load(), w.r[0]}; };
  EXPECT_TRUE(Weak(r(kRelease), r_final).contains({2, 0}));
  EXPECT_FALSE(Weak(r(kSeqCst), r_final).contains({2, 0}));
}

TEST(Litmus, UpdatesAreAtomic) {
  const auto final = [](World& w) { return std::vector<int>{w.r[0] + w.r[1], w.x.load()}; };
  const std::vector<Thread> adds = {[](World& w) { w.r[0] = w.x.fetch_add(1, kRelaxed); },
                                    [](World& w) { w.r[1] = w.x.fetch_add(1, kRelaxed); }};
  EXPECT_EQ(Weak(adds, final), (Outcomes{{1, 2}}));
  const auto swap = [](int register_index) {
    return [=](World& w) {
      int expected = 0;
      w.r[register_index] =
          w.x.compare_exchange_strong(expected, 1, kRelaxed, kRelaxed) ? 1 : 0;
    };
  };
  EXPECT_EQ(Weak({swap(0), swap(1)}, final), (Outcomes{{1, 1}}));
}

TEST(Litmus, UpdatesWrapAtTheirWidth) {
  const Outcome outcome = Explore({.model = MemoryModel::kWeak}, [](Execution& run) {
    auto& x = run.Make<Atomic<uint32_t>>();
    run.Process("thread", [&] {
      x.fetch_sub(1);
      Check(x.load() == ~0u, "wraps");
      uint32_t expected = ~0u;
      Check(x.compare_exchange_strong(expected, 7), "equal");
    });
  });
  EXPECT_TRUE(outcome.ok()) << outcome.Report();
}

TEST(Litmus, PlainDataIsPublishedByRelease) {
  const auto threads = [](std::memory_order store, std::memory_order load) {
    return std::vector<Thread>{[=](World& w) {
                                 w.data.Set(7);
                                 w.x.store(1, store);
                               },
                               [=](World& w) {
                                 if (w.x.load(load) == 1) Check(w.data.Get() == 7, "published");
                               }};
  };
  Outcomes outcomes;
  for (const MemoryModel model : {MemoryModel::kSequential, MemoryModel::kWeak}) {
    EXPECT_TRUE(
        RunThreads({.model = model}, threads(kRelease, kAcquire), TwoRegisters, &outcomes).ok());
    for (const auto& [store, load] :
         {std::pair(kRelaxed, kAcquire), {kRelease, kRelaxed}, {kRelaxed, kRelaxed}}) {
      const Outcome outcome =
          RunThreads({.model = model}, threads(store, load), TwoRegisters, &outcomes);
      ASSERT_FALSE(outcome.ok());
      EXPECT_NE(outcome.violation->find("data race on data"), std::string::npos);
      EXPECT_NE(outcome.violation->find("thread1 writes"), std::string::npos);
      EXPECT_NE(outcome.violation->find("thread2 reads"), std::string::npos);
    }
  }
}

TEST(Litmus, AReadBeforeAnUnorderedWriteIsARace) {
  const std::vector<Thread> threads = {[](World& w) {
                                         w.data.Get();
                                         w.x.store(1, kRelaxed);
                                       },
                                       [](World& w) {
                                         if (w.x.load(kAcquire) == 1) w.data.Set(1);
                                       }};
  Outcomes outcomes;
  EXPECT_FALSE(
      RunThreads({.model = MemoryModel::kSequential}, threads, TwoRegisters, &outcomes).ok());
}

TEST(Litmus, UpdatesContinueAReleaseSequenceAndStoresEndIt) {
  const auto threads = [](bool update) {
    return std::vector<Thread>{[](World& w) {
                                 w.data.Set(7);
                                 w.x.store(1, kRelease);
                               },
                               [=](World& w) {
                                 if (update) {
                                   int one = 1;
                                   w.x.compare_exchange_strong(one, 2, kRelaxed, kRelaxed);
                                 } else if (w.x.load(kRelaxed) == 1) {
                                   w.x.store(2, kRelaxed);
                                 }
                               },
                               [](World& w) {
                                 if (w.x.load(kAcquire) == 2) w.r[0] = w.data.Get();
                               }};
  };
  Outcomes outcomes;
  const Outcome continued =
      RunThreads({.model = MemoryModel::kWeak}, threads(true), TwoRegisters, &outcomes);
  EXPECT_TRUE(continued.ok()) << continued.Report();
  EXPECT_FALSE(
      RunThreads({.model = MemoryModel::kWeak}, threads(false), TwoRegisters, &outcomes).ok());
}

TEST(Litmus, FencesDoNotSynchronizePlainDataThroughTheirOrderAlone) {
  const std::vector<Thread> threads = {[](World& w) {
                                         w.data.Set(7);
                                         ExplorerAtomics::Fence();
                                       },
                                       [](World& w) {
                                         ExplorerAtomics::Fence();
                                         w.data.Get();
                                       }};
  Outcomes outcomes;
  EXPECT_FALSE(RunThreads({.model = MemoryModel::kWeak}, threads, TwoRegisters, &outcomes).ok());
}

// ---- What it reports
// -----------------------------------------------------------------------------------

TEST(Explorer, TriesAllInterleavings) {
  // Two threads of three increments each that are not atomic: every final value from 2 to 6.
  const auto increments = [](World& w) {
    for (int i = 0; i < 3; ++i) w.x.store(w.x.load() + 1);
  };
  EXPECT_EQ(Sequential({increments, increments},
                       [](World& w) { return std::vector<int>{w.x.load()}; }),
            (Outcomes{{2}, {3}, {4}, {5}, {6}}));
}

TEST(Explorer, ReportsAFailedCheckWithItsSteps) {
  const Outcome outcome = Explore({}, [](Execution& run) {
    auto& world = run.Make<World>();
    run.Name(world.x, "x");
    run.Process("writer", [&] { world.x.store(1); });
    run.Process("reader", [&] { Check(world.x.load() == 0, "x is zero"); });
  });
  ASSERT_FALSE(outcome.ok());
  EXPECT_NE(outcome.violation->find("check failed in reader: x is zero (litmus_test.cc:"),
            std::string::npos);
  EXPECT_NE(outcome.trace.find("store x := 1 (seq_cst)"), std::string::npos) << outcome.trace;
  EXPECT_NE(outcome.trace.find("load  x = 1 (seq_cst)"), std::string::npos) << outcome.trace;
}

TEST(Explorer, ReportsAnException) {
  const Outcome outcome = Explore({}, [](Execution& run) {
    run.Process("thrower", [] { throw std::runtime_error("no"); });
  });
  EXPECT_EQ(outcome.violation, "exception in thrower: no");
}

TEST(Explorer, ReportsWhoWaitsForEver) {
  for (const bool lost : {false, true}) {
    const Outcome outcome = Explore({.model = MemoryModel::kWeak}, [&](Execution& run) {
      auto& world = run.Make<World>();
      run.Process("waiter", [&] {
        WaitUntil([&] { return world.x.load(kRelaxed) == 1; });
        Sleep(world.y, 0);
      });
      run.Process("waker", [&, lost] {
        world.x.store(1, kRelaxed);
        if (!lost) world.y.store(1, kRelaxed);
        WakeOne(world.y);
      });
    });
    EXPECT_EQ(outcome.ok(), !lost) << outcome.Report();
    if (lost) {
      EXPECT_NE(outcome.violation->find("waiter waits for ever: asleep"), std::string::npos);
    }
  }
}

TEST(Explorer, AWakeChoosesAnyOfTheSleepers) {
  Outcomes outcomes;
  const Outcome outcome = Explore({}, [&](Execution& run) {
    auto& world = run.Make<World>();
    for (int i = 0; i < 2; ++i) {
      run.Process("sleeper" + std::to_string(i), [&, i] {
        Sleep(world.x, 0);
        world.r[i] = world.y.fetch_add(1) + 1;
        WakeOne(world.x);
      });
    }
    run.Process("waker", [&] {
      world.x.store(1);
      WakeOne(world.x);
    });
    run.AtEnd([&] { outcomes.insert(TwoRegisters(world)); });
  });
  EXPECT_TRUE(outcome.ok()) << outcome.Report();
  EXPECT_EQ(outcomes, (Outcomes{{1, 2}, {2, 1}}));
}

TEST(Explorer, CrashesAfterEveryStore) {
  std::set<int> seen;  // what the daemon finds
  const Outcome outcome = Explore({.crashes = true}, [&](Execution& run) {
    auto& world = run.Make<World>();
    run.Process(
        "writer",
        [&] {
          world.data.Set(1);
          world.x.store(1, kRelaxed);
          world.x.load();
          world.x.fetch_add(1, kRelaxed);
          world.x.store(3, kRelaxed);
        },
        {.may_crash = true});
    run.OnCrash("daemon", [&](const std::string& dead) {
      Check(dead == "writer", "who died");
      seen.insert(world.data.Get() * 10 + world.x.load(kRelaxed));
    });
  });
  EXPECT_TRUE(outcome.ok()) << outcome.Report();
  EXPECT_EQ(outcome.crashes, 5u);
  EXPECT_EQ(seen, (std::set<int>{0, 10, 11, 12, 13}));
}

TEST(Explorer, FailsWhenABoundIsExceeded) {
  const auto scenario = [](Execution& run) {
    auto& world = run.Make<World>();
    for (int i = 0; i < 3; ++i) {
      run.Process("thread" + std::to_string(i), [&] {
        for (int n = 0; n < 4; ++n) world.x.fetch_add(1);
      });
    }
  };
  EXPECT_TRUE(Explore({}, scenario).ok());
  EXPECT_FALSE(Explore({.max_executions = 10}, scenario).ok());
  EXPECT_FALSE(Explore({.max_states = 10}, scenario).ok());
  const Outcome endless = Explore({}, [](Execution& run) {
    auto& world = run.Make<World>();
    run.Process("endless", [&] {
      for (;;) world.x.load();
    });
  });
  EXPECT_FALSE(endless.ok());
}

TEST(Explorer, NoticesAScenarioThatIsNotDeterministic) {
  int runs = 0;
  const Outcome outcome = Explore({}, [&](Execution& run) {
    auto& world = run.Make<World>();
    const int value = ++runs;
    for (int i = 0; i < 2; ++i) {
      run.Process("thread" + std::to_string(i), [&, value] {
        world.x.store(value);
        world.x.load();
      });
    }
  });
  ASSERT_FALSE(outcome.ok());
  EXPECT_NE(outcome.violation->find("not deterministic"), std::string::npos);
}

TEST(Explorer, UnwindsProcessesThatItStops) {
  int alive = 0;
  struct Counted {
    explicit Counted(int& count) : count(count) { ++count; }
    ~Counted() { --count; }
    int& count;
  };
  const Outcome outcome = Explore({.crashes = true}, [&](Execution& run) {
    auto& world = run.Make<World>();
    for (int i = 0; i < 2; ++i) {
      run.Process(
          "thread" + std::to_string(i),
          [&] {
            const Counted counted(alive);
            world.x.fetch_add(1);
            world.x.fetch_add(1);
          },
          {.may_crash = true});
    }
  });
  EXPECT_TRUE(outcome.ok()) << outcome.Report();
  EXPECT_EQ(alive, 0);
}

}  // namespace
}  // namespace manta::explorer
