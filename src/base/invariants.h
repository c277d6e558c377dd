// What must hold, whatever comes from outside: if it does not, the program ends with a message, since going on would do harm.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace manta {

// For one thing that has invariants: constexpr Invariants Require{"lease table"}; Require(left == 0, "something is left");
struct Invariants {
  const char* of;

  void operator()(bool holds, const char* what) const {
    if (holds) return;
    std::fprintf(stderr, "%s: %s\n", of, what);
    std::abort();
  }
};

}  // namespace manta
