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

constexpr std::string_view kText = "manta-session 1\n";
constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
constexpr int kAttempts = 20;

Error NotOurs(const std::string& directory) {
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                   directory + " is neither empty nor the directory of a session of Manta's that has ended: name another one, or a "
                               "directory in which sessions are made with --temp-dir");
}

bool HasOtherFiles(const std::string& directory) {
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return true;
  bool others = false;
  while (const dirent* entry = readdir(entries)) {
    const std::string_view name = entry->d_name;
    others |= name != "." && name != ".." && name != kLockFile;
  }
  closedir(entries);
  return others;
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

// Error: whatever the file contains, it is not what is written here.
Result<> Mark(int fd, const std::string& directory) {
  char text[kText.size() + 1];
  const ssize_t size = pread(fd, text, sizeof text, 0);
  if (size < 0) return ErrnoError("reading " + directory + "/" + kLockFile, errno);
  if (std::string_view(text, static_cast<size_t>(size)) == kText) return {};
  if (size != 0 || HasOtherFiles(directory)) return NotOurs(directory);
  const ssize_t written = pwrite(fd, kText.data(), kText.size(), 0);
  if (written == static_cast<ssize_t>(kText.size())) return {};
  return SessionPlaceError("writing " + directory + "/" + kLockFile, written < 0 ? errno : ENOSPC);
}

}  // namespace

Result<int> LockSession(const std::string& directory) {
  const std::string path = directory + "/" + kLockFile;
  int fd = open(path.c_str(), O_RDWR | kFlags);
  if (fd < 0 && errno == ENOENT) {
    if (HasOtherFiles(directory)) return NotOurs(directory);
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

bool DaemonLives(const std::string& directory) {
  const int fd = open((directory + "/" + kLockFile).c_str(), O_RDONLY | kFlags);
  if (fd < 0) return errno != ENOENT;
  // Shared, so that others may look at the same time.
  const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
  close(fd);
  return held;
}

}  // namespace manta::contracts
