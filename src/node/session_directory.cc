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
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "contracts/recorder_files.h"
#include "contracts/session_files.h"
#include "node/unique_fd.h"

namespace manta::node {
namespace {

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
    // A daemon that was killed has left its address behind; one that answers lives.
    if (const auto address = contracts::ReadSessionAddress(session)) {
      if (const auto socket = contracts::ConnectToSession(address.value())) {
        close(socket.value());
        continue;
      }
    }
    std::error_code ignored;
    std::filesystem::remove_all(session, ignored);
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
  for (const std::string& directory : {session.path_, session.logs()}) {
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error = errno;
      return path.empty() ? contracts::SessionPlaceError("making the directory " + directory, error)
                          : ErrnoError("making the directory " + directory, error);
    }
  }
  struct stat status;
  if (lstat(session.path_.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      status.st_uid != geteuid()) {
    return MakeError(MANTA_ERROR_SYSTEM, session.path_ + " is not a directory that you own");
  }
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
  for (const std::string& name : EntriesOf(path_)) {
    if (name != "logs" && name != "recorder") unlink((path_ + "/" + name).c_str());
  }
  bool any = false;
  for (const std::string& name : EntriesOf(logs())) {
    const std::string file = logs() + "/" + name;
    struct stat status;
    if (lstat(file.c_str(), &status) == 0 && status.st_size == 0) {
      unlink(file.c_str());
    } else {
      any = true;
    }
  }
  if (any) return;
  std::error_code ignored;
  std::filesystem::remove_all(contracts::RecorderDirectory(path_), ignored);
  rmdir(logs().c_str());
  rmdir(path_.c_str());
}

}  // namespace manta::node
