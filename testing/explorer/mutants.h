// Atomics policies with planted mistakes: the code under test stays as it is, its operations do not
// do what they say. An exploration of a scenario with a mutant has to find a violation, or else the
// scenario would not notice the same mistake in the code.
#pragma once

#include <optional>

#include "testing/explorer/explorer.h"

namespace manta::explorer {

struct Mutation {
  // What loads, stores and exchanges are weakened to. nullopt: as written.
  std::optional<std::memory_order> loads{};
  std::optional<std::memory_order> stores{};
  std::optional<std::memory_order> exchanges{};
  std::optional<std::memory_order> compare_exchanges{};
  bool exchange_stores = false;          // a plain release store, which returns the value before
  bool compare_exchange_splits = false;  // a load, then a store
  bool no_fence = false;
};

// A policy per mutation: Mutated<[] { return Mutation{.no_fence = true}; }>.
template <auto kMutation>
struct Mutated : ExplorerAtomics {
  static constexpr Mutation kIs = kMutation();

  template <class T>
  class Atomic : public ExplorerAtomics::Atomic<T> {
    using Base = ExplorerAtomics::Atomic<T>;

   public:
    T load(Order order = kSeqCst, Site site = Site::current()) const {
      return Base::load(kIs.loads.value_or(order), site);
    }
    void store(T value, Order order = kSeqCst, Site site = Site::current()) {
      Base::store(value, kIs.stores.value_or(order), site);
    }
    T exchange(T value, Order order = kSeqCst, Site site = Site::current()) {
      if (kIs.exchange_stores) {
        const T before = Base::load(std::memory_order_relaxed, site);
        Base::store(value, std::memory_order_release, site);
        return before;
      }
      return Base::exchange(value, kIs.exchanges.value_or(order), site);
    }
    bool compare_exchange_strong(T& expected, T desired, Order success, Order failure,
                                 Site site = Site::current()) {
      if (kIs.compare_exchange_splits) {
        const T found = Base::load(std::memory_order_acquire, site);
        if (found == expected) {
          Base::store(desired, std::memory_order_release, site);
          return true;
        }
        expected = found;
        return false;
      }
      return Base::compare_exchange_strong(expected, desired,
                                           kIs.compare_exchanges.value_or(success), failure, site);
    }
  };

  static void Fence(Site site = Site::current()) {
    if (!kIs.no_fence) ExplorerAtomics::Fence(site);
  }
};

}  // namespace manta::explorer
