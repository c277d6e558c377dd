// Beside either driver.
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {

void Broken(const char* promise) {
  std::fprintf(stderr, "fuzz: broken: %s\n", promise);
  std::abort();
}

}  // namespace manta::fuzz
