// Runs each row in a process of its own, so that a crash or a hang is that row's only.
#pragma once

#include <string>

#include "harness.h"
#include "report.h"

namespace manta::bench {

// In the process that the user started. Makes it the reaper of everything that rows leave behind.
void BecomeReaper();
// Starts this executable again for the row and waits for it, for at most its limit. Ends all
// processes that it leaves behind, which makes the row a failure.
RowResult RunRow(const Row& row, const Options& options);

// In the row's process: runs it and reports to `result_fd`. Returns the exit code.
int RunRowHere(const Row& row, const Options& options, int result_fd);

}  // namespace manta::bench
