// Whose a session directory is: the log file logs/daemon.err, which the daemon has locked for as long as it lives. The lock goes with
// the process, however that ends, and holds between the containers of a machine that share the directory: unlike sockets and process
// ids, which mean something else in each. The file is never rotated, and its first line says that Manta made the directory.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace manta::contracts {

// Below the session directory.
inline constexpr const char* kLockFile = "logs/daemon.err";
inline constexpr std::string_view kSessionMark = "manta-session 1\n";

// The descriptor that holds the lock, close-on-exec; a child made by fork() holds it, too. The directory has to exist, and is taken
// if it is empty or of a session that has ended. Makes the folder of the logs. Error INVALID_ARGUMENT when anything else is in it, START_FAILED when a daemon lives
// there; then nothing in it has been touched.
Result<int> LockSession(const std::string& directory);

// The same file for writing at its end, without the lock; close-on-exec. -1: it cannot be opened, errno says why.
int OpenErrorLog(const std::string& directory);

// Whether a daemon holds the lock, also one that cannot be reached from here. False when there is none.
bool DaemonLives(const std::string& directory);

}  // namespace manta::contracts
