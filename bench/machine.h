// A description of where the benchmark ran.
#pragma once

#include <nlohmann/json.hpp>

namespace manta::bench {

// Fields for programs, and "text", some lines for people.
nlohmann::json DescribeMachine(bool quick);

// How long a cache line takes to another core and back, in nanoseconds: the median of some thousand
// turns of two threads, each on a core of its own. What crosses between processes is bound by it,
// and the host of a virtual machine changes it whenever it moves the cores. 0: there is only one
// core, or others kept the two from ever running at once. Takes 1 to 50 ms.
double CacheLineRoundTripNs();

}  // namespace manta::bench
