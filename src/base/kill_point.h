// Named instants at which tests kill a process that user code cannot hold there: between two stores, between asking and being answered.
//
//   MANTA_KILL_POINT("worker.result_written");
//
// With the CMake option MANTA_KILL_POINTS (presets asan, tsan and debug), a process that comes there looks into the file that the
// environment variable MANTA_KILL_ORDER names, and kills itself when that file says so. Without the option it is nothing at all.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace manta {

// The file, which its writer and all processes under test map. It orders one death; a retry after it is left in peace.
struct KillOrder {
  char point[56];                   // written while `countdown` is 0
  std::atomic<int32_t> countdown;   // who takes it from 1 to 0 at that point dies
  std::atomic<pid_t> spared;        // a process that passes and does not count; 0: none
  std::atomic<pid_t> died;          // who it was; 0: nobody yet
};

#ifdef MANTA_KILL_POINTS
void PassKillPoint(const char* name);
#define MANTA_KILL_POINT(name) ::manta::PassKillPoint(name)
#else
#define MANTA_KILL_POINT(name) static_cast<void>(0)
#endif

}  // namespace manta
