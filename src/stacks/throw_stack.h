// Where an exception was thrown, noted while the stack still stands.
//
// Before an exception unwinds anything, the C++ runtime searches the frames above it for a handler, and asks the type of each
// catch clause on the way whether it takes this exception. The invokers of the public headers (detail/invoker.h) have, around
// the user's function, a clause for a type of which only libmanta.so has the type_info: it never takes an exception, but walks the
// stack when it is asked. A call that does not throw pays nothing for that, and neither does a throw that the user's code catches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "manta/manta_c.h"

namespace manta::stacks {

class ThrowStack {
 public:
  // From the throw outwards: first some of the C++ runtime's own, then the user's, then those of the invoker. Addresses
  // inside of the call instructions.
  std::span<const uintptr_t> addresses() const { return {addresses_, count_}; }
  // There were more frames than have room.
  bool is_cut() const { return is_cut_; }
  void Clear() { count_ = 0; }

 private:
  friend class ThrowStackWalk;
  static constexpr size_t kCapacity = 80;

  size_t count_ = 0;
  bool is_cut_ = false;
  const void* base_ = nullptr;  // where the frames of the call end
  uintptr_t addresses_[kCapacity];
};

// Calls the invoker; the stack of an exception that it makes the failure of `call` is in `stack` from the throw on, so also
// when it calls `fail`. Calls may nest, each with a `stack` of its own.
void CallNotingThrows(manta_invoker invoker, manta_call* call, ThrowStack* stack);

}  // namespace manta::stacks
