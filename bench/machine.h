// A description of where the benchmark ran.
#pragma once

#include <nlohmann/json.hpp>

namespace manta::bench {

// Fields for programs, and "text", some lines for people.
nlohmann::json DescribeMachine(bool quick);

}  // namespace manta::bench
