// What this executable can be besides the benchmark: further processes of some rows.
#pragma once

#include <string>
#include <vector>

#include "helper_programs.h"

namespace manta::bench {

Role TwoDriversRole();   // rows_drivers.cc
Role CostDriverRole();   // rows_cost.cc
Role FirstResultRole();  // rows_start.cc

// Runs the role of that name. Returns its exit code.
int RunRole(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace manta::bench
