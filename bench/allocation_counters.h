// The file in which libmanta_bench_allocations.so counts, for each process that has it preloaded.
// The file is made, zeroed and of this size, by who wants to know.
#pragma once

#include <atomic>
#include <cstdint>

namespace manta::bench {

// Names the file; inherited by all processes of a cluster.
inline constexpr const char* kAllocationCountersVariable = "MANTA_BENCH_ALLOCATIONS";

struct AllocationCounters {
  static constexpr int kProcesses = 256;
  struct Process {
    std::atomic<int32_t> pid;  // 0: free
    int32_t reserved;
    std::atomic<uint64_t>
        calls;  // malloc, calloc, realloc, aligned ones: operator new calls them, too
  };
  Process processes[kProcesses];
};

}  // namespace manta::bench
