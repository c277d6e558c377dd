#include "node/session_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <span>
#include <string_view>
#include <vector>

#include "contracts/recorder_files.h"
#include "contracts/session_files.h"
#include "contracts/session_lock.h"

namespace manta::node {
namespace {

// The names that Manta gives to the files of a session that stay, beside the locked one; # stands for a number.
constexpr const char* kLogs[] = {"daemon.log",     "daemon.#.log",   "worker-#.out", "worker-#.err",
                                 "worker-#.out.#", "worker-#.err.#", "zygote-#.log"};
constexpr const char* kRecordings[] = {"names", "process-#.rec", "process-#-threads.rec"};

std::string FreshName() {
  timeval now;
  gettimeofday(&now, nullptr);
  tm local;
  localtime_r(&now.tv_sec, &local);
  char text[96];
  const size_t length = strftime(text, sizeof text, "session_%Y-%m-%d_%H-%M-%S", &local);
  snprintf(text + length, sizeof text - length, "_%06ld_%d", static_cast<long>(now.tv_usec),
           static_cast<int>(getpid()));
  return text;
}

std::vector<std::string> EntriesOf(const std::string& directory) {
  std::vector<std::string> names;
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(entries);
  return names;
}

bool Matches(std::string_view name, std::string_view pattern) {
  for (const char c : pattern) {
    size_t taken = 0;
    if (c == '#') {
      while (taken < name.size() && std::isdigit(static_cast<unsigned char>(name[taken]))) ++taken;
    } else if (!name.empty() && name.front() == c) {
      taken = 1;
    }
    if (taken == 0) return false;
    name.remove_prefix(taken);
  }
  return name.empty();
}

bool HasSize(const std::string& file, size_t size) {
  struct stat status;
  return lstat(file.c_str(), &status) == 0 && static_cast<size_t>(status.st_size) == size;
}

enum class Which { kAll, kEmpty };

void RemoveNamed(const std::string& directory, std::span<const char* const> patterns, Which which) {
  for (const std::string& name : EntriesOf(directory)) {
    const bool named = std::any_of(patterns.begin(), patterns.end(),
                                   [&](const char* pattern) { return Matches(name, pattern); });
    const std::string file = directory + "/" + name;
    if (named && (which == Which::kAll || HasSize(file, 0))) unlink(file.c_str());
  }
}

// Nothing of Manta's is left, nor the directory unless there is something else in it.
void RemoveSession(const std::string& path) {
  contracts::RemoveLiveFiles(path);
  RemoveNamed(path + "/logs", kLogs, Which::kAll);
  RemoveNamed(contracts::RecorderDirectory(path), kRecordings, Which::kAll);
  rmdir(contracts::RecorderDirectory(path).c_str());
  // Beside something else, the locked file still says whose the directory is.
  if (EntriesOf(path).size() > 1 || EntriesOf(path + "/logs").size() > 1) return;
  unlink((path + "/" + contracts::kLockFile).c_str());
  rmdir((path + "/logs").c_str());
  rmdir(path.c_str());
}

}  // namespace

Result<std::string> RandomHex(size_t bytes) {
  std::vector<unsigned char> random(bytes);
  if (getrandom(random.data(), bytes, 0) != static_cast<ssize_t>(bytes)) {
    return ErrnoError("getrandom", errno);
  }
  std::string hex;
  for (unsigned char byte : random) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

void RemoveOldSessions(const std::string& root, size_t keep) {
  std::vector<std::string> sessions;
  for (const std::string& name : EntriesOf(root)) {
    if (name.starts_with("session_")) sessions.push_back(root + "/" + name);
  }
  if (sessions.size() <= keep) return;
  std::sort(sessions.begin(), sessions.end());  // by time, which the names begin with
  sessions.resize(sessions.size() - keep);
  for (const std::string& session : sessions) {
    if (!contracts::DaemonLives(session)) RemoveSession(session);
  }
}

Result<SessionDirectory> SessionDirectory::Create(const std::string& path) {
  SessionDirectory session;
  if (path.empty()) {
    const std::string root = contracts::SessionRoot();
    if (Result<> made = contracts::EnsureSessionRoot(root); !made) return made.error();
    session.path_ = root + "/" + FreshName();
  } else {
    session.path_ = path;
    while (session.path_.size() > 1 && session.path_.back() == '/') session.path_.pop_back();
  }
  if (session.path_.front() != '/') {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the session directory has to be an absolute path: " + session.path_);
  }
  if (mkdir(session.path_.c_str(), 0700) != 0 && errno != EEXIST) {
    const int error = errno;
    const std::string what = "making the directory " + session.path_;
    return path.empty() ? contracts::SessionPlaceError(what, error) : ErrnoError(what, error);
  }
  struct stat status;
  if (lstat(session.path_.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      status.st_uid != geteuid()) {
    return MakeError(MANTA_ERROR_SYSTEM, session.path_ + " is not a directory that you own");
  }
  const Result<int> lock = contracts::LockSession(session.path_);
  if (!lock) return lock.error();
  session.lock_ = UniqueFd(lock.value());
  return session;
}

Result<std::string> SessionDirectory::MakeSecret() const {
  Result<std::string> secret = RandomHex(16);
  if (!secret) return secret.error();
  const std::string file = path_ + "/secret";
  unlink(file.c_str());
  UniqueFd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const std::string text = *secret + "\n";
  const ssize_t written = fd ? write(fd.get(), text.data(), text.size()) : -1;
  if (written != static_cast<ssize_t>(text.size())) {
    return contracts::SessionPlaceError("writing " + file, written < 0 ? errno : ENOSPC);
  }
  return secret;
}

void SessionDirectory::RemoveAllButHistory() const {
  contracts::RemoveLiveFiles(path_);
  RemoveNamed(logs(), kLogs, Which::kEmpty);
  if (EntriesOf(logs()).size() == 1 && HasSize(path_ + "/" + contracts::kLockFile, contracts::kSessionMark.size())) RemoveSession(path_);
}

}  // namespace manta::node
