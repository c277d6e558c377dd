#include "contracts/session_lock.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "contracts/session_files.h"

namespace manta::contracts {
namespace {

constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
constexpr int kAttempts = 20;

Error NotOurs(const std::string& directory) {
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                   directory + " is neither empty nor the directory of a session of Manta's that has ended: name another one, or a "
                               "directory in which sessions are made with --temp-dir");
}

// Whether there is anything but `own`, a file or folder of the session's.
bool HasOtherFiles(const std::string& directory, std::string_view own) {
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return errno != ENOENT;
  bool others = false;
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    others |= name != "." && name != ".." && name != own;
  }
  closedir(entries);
  return others;
}

// Also what a daemon that starts there at this moment has made so far.
bool IsUnused(const std::string& directory) {
  return !HasOtherFiles(directory, "logs") && !HasOtherFiles(directory + "/logs", "daemon.err");
}

// Whoever looks whether a daemon lives has the lock for microseconds.
bool TakeLock(int fd) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    const timespec pause{0, 10'000'000};
    nanosleep(&pause, nullptr);
  }
  errno = EWOULDBLOCK;
  return false;
}

// Whether `path` still names what is open: an ending session may remove it.
bool IsAt(int fd, const std::string& path) {
  struct stat open_file, named;
  return fstat(fd, &open_file) == 0 && lstat(path.c_str(), &named) == 0 && S_ISREG(open_file.st_mode) &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

// Error: the file begins with something else than what is written here.
Result<> Mark(int fd, const std::string& directory) {
  char text[kSessionMark.size()];
  const ssize_t size = pread(fd, text, sizeof text, 0);
  if (size < 0) return ErrnoError("reading " + directory + "/" + kLockFile, errno);
  if (std::string_view(text, static_cast<size_t>(size)) == kSessionMark) return {};
  if (size != 0 || !IsUnused(directory)) return NotOurs(directory);
  const ssize_t written = pwrite(fd, kSessionMark.data(), kSessionMark.size(), 0);
  if (written == static_cast<ssize_t>(kSessionMark.size())) return {};
  return SessionPlaceError("writing " + directory + "/" + kLockFile, written < 0 ? errno : ENOSPC);
}

}  // namespace

Result<int> LockSession(const std::string& directory) {
  const std::string path = directory + "/" + kLockFile;
  int fd = open(path.c_str(), O_RDWR | kFlags);
  if (fd < 0 && errno == ENOENT) {
    if (!IsUnused(directory)) return NotOurs(directory);
    const std::string logs = directory + "/logs";
    if (mkdir(logs.c_str(), 0700) != 0 && errno != EEXIST) return SessionPlaceError("making the directory " + logs, errno);
    fd = open(path.c_str(), O_RDWR | O_CREAT | kFlags, 0600);
  }
  if (fd < 0) return SessionPlaceError("opening " + path, errno);
  Result<> taken = {};
  if (!TakeLock(fd)) {
    taken = errno == EWOULDBLOCK
                ? MakeError(MANTA_ERROR_START_FAILED, "a cluster lives in " + directory + ": end it with `manta stop --session " +
                                                          directory + "`, or name another directory")
                : SessionPlaceError("locking " + path, errno);
  } else if (!IsAt(fd, path)) {
    taken = MakeError(MANTA_ERROR_START_FAILED, path + " is no file, or is being removed");
  } else {
    taken = Mark(fd, directory);
  }
  if (taken) return fd;
  close(fd);
  return taken.error();
}

int OpenErrorLog(const std::string& directory) {
  return open((directory + "/" + kLockFile).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

bool DaemonLives(const std::string& directory) {
  const int fd = open((directory + "/" + kLockFile).c_str(), O_RDONLY | kFlags);
  if (fd < 0) return errno != ENOENT && errno != ENOTDIR;
  // Shared, so that others may look at the same time.
  const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  return held;
}

}  // namespace manta::contracts
