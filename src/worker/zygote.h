// How workers come to be: the daemon starts the driver's executable once more, with MANTA_ZYGOTE_FD set. That process runs the
// static constructors, never the user's main, and then forks a worker for every request: warm, single-threaded, in well under
// a millisecond. Where static constructors have started threads, which fork() does not carry over, workers start by exec instead, and say so.
#pragma once

#include "manta/manta_c.h"

namespace manta::worker {

inline constexpr const char* kZygoteVariable = "MANTA_ZYGOTE_FD";
inline constexpr const char* kWorkerVariable = "MANTA_WORKER_FD";  // of a worker that starts by exec

// The zygote's life on the socket `fd`: returns its exit code when the daemon is gone. In the forked children it returns the
// worker's exit code. `arguments`: of this program, ended by nullptr, for workers that start by exec.
int ZygoteMain(int fd, char** arguments, const manta_zygote_hooks& hooks);

// The life of a worker that the zygote has started by exec.
int ExecutedWorkerMain(int fd);

// The number in the environment's `variable`, which nobody else shall see from now on; -1 if there is none.
int TakeDescriptor(const char* variable);

}  // namespace manta::worker
