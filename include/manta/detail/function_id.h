// From code to the number under which other processes know it.
#pragma once

#include <atomic>
#include <cstdint>

#include "manta/detail/type_list.h"
#include "manta/errors.h"
#include "manta/manta_c.h"

namespace manta {
inline namespace v1 {
namespace detail {

// Runs Body::Run(call) and turns exceptions into a failure of the call. Defined in invoker.h.
template <class Body>
void Invoke(manta_call* call);

// Registers Invoke<Body> when the program, or the library that this stands in, is loaded. It
// suffices that code which mentions kDone is compiled, run or not: that instantiates its
// initialiser.
template <class Body>
struct Registration {
  static const bool kDone;
};
template <class Body>
const bool Registration<Body>::kDone =
    (manta_invoker_register(&Invoke<Body>, TypeName<Body>::Get()), true);

inline manta_function_id FindFunction(manta_invoker invoker, const void* target, const char* name) {
  manta_function_id id = {};
  Check(manta_function_find(invoker, target, name, &id));
  return id;
}

// The ids of the functions that one invoker calls, by address. Constant-initialised, and what it
// allocates lives as long as the program, so that it can be used at any time by any thread.
class TargetIds {
 public:
  // Cost when the id is known: a load and a comparison, unless addresses collide.
  const manta_function_id& Find(manta_invoker invoker, const void* target, const char* name) {
    std::atomic<const Node*>& slot = slots_[(reinterpret_cast<uintptr_t>(target) >> 4) % kSlots];
    for (const Node* node = slot.load(std::memory_order_acquire); node != nullptr;
         node = node->next) {
      if (__builtin_expect(node->target == target, 1)) return node->id;
    }
    return Add(slot, invoker, target, name);
  }

 private:
  static constexpr size_t kSlots = 16;

  struct Node {
    const void* target;
    manta_function_id id;
    const Node* next;
  };

  [[gnu::noinline]] static const manta_function_id& Add(std::atomic<const Node*>& slot,
                                                        manta_invoker invoker, const void* target,
                                                        const char* name) {
    const manta_function_id id = FindFunction(invoker, target, name);
    Node* node = new Node{target, id, slot.load(std::memory_order_acquire)};
    while (!slot.compare_exchange_weak(node->next, node, std::memory_order_acq_rel)) {
    }
    return node->id;
  }

  std::atomic<const Node*> slots_[kSlots] = {};
};

// The id of Body for the function at `target`, or null if Body needs none.
template <class Body>
const manta_function_id& FunctionIdOf(const void* target, const char* name) {
  static_cast<void>(&Registration<Body>::kDone);
  static TargetIds ids;
  return ids.Find(&Invoke<Body>, target, name);
}

}  // namespace detail
}  // namespace v1
}  // namespace manta
