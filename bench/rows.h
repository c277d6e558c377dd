// The rows, in the order in which they run.
#pragma once

#include <vector>

#include "harness.h"

namespace manta::bench {

std::vector<Row> RawRows();   // yardsticks: what the machine does without a runtime
std::vector<Row> TaskRows();  // rates and round trips of tasks
std::vector<Row> CostRows();  // system calls and allocations
std::vector<Row> ActorRows();
std::vector<Row> DriverRows();  // several threads, several drivers
std::vector<Row> ObjectRows();
std::vector<Row> ManyRows();  // a million queued tasks, thousands of references
std::vector<Row> FibonacciRows();
std::vector<Row> StartRows();  // starting, idling
std::vector<Row> MainJobRows();
std::vector<Row> TwoNodesRows();

}  // namespace manta::bench
