// How workers come to be: the daemon starts the driver's executable once more, with MANTA_ZYGOTE_FD set. That process runs the
// static constructors, never the user's main, and then forks a worker for every request: warm, single-threaded, in well under
// a millisecond.
#pragma once

namespace manta::worker {

inline constexpr const char* kZygoteVariable = "MANTA_ZYGOTE_FD";

// The zygote's life on the socket `fd`: returns its exit code when the daemon is gone. In the forked children it returns the
// worker's exit code.
int ZygoteMain(int fd);

}  // namespace manta::worker
