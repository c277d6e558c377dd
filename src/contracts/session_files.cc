#include "contracts/session_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "contracts/session_lock.h"

namespace manta::contracts {
namespace {

constexpr const char* kFirstLine = "manta-session 1";
constexpr size_t kMaxFileBytes = 4096;
constexpr const char* kUnreachable =
    " lives, but cannot be reached from here: its daemon is in another network namespace, as that of a container";

// The whole of a small file that belongs to this user.
Result<std::string> ReadOwnFile(const std::string& path, mode_t forbidden_mode) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return ErrnoError("opening " + path, errno);
  struct stat status;
  std::string text(kMaxFileBytes, '\0');
  ssize_t size = -1;
  bool ours = false;
  if (fstat(fd, &status) == 0) {
    ours = status.st_uid == geteuid() && (status.st_mode & forbidden_mode) == 0 &&
           S_ISREG(status.st_mode);
    size = read(fd, text.data(), text.size());
  }
  close(fd);
  if (!ours) {
    return MakeError(MANTA_ERROR_AUTHENTICATION,
                     path + " belongs to somebody else or is open to others");
  }
  if (size < 0) return ErrnoError("reading " + path, errno);
  text.resize(static_cast<size_t>(size));
  return text;
}

std::vector<std::string> SessionsBelow(const std::string& root) {
  std::vector<std::string> sessions;
  DIR* entries = opendir(root.c_str());
  if (entries == nullptr) return sessions;
  while (const dirent* entry = readdir(entries)) {
    if (std::strncmp(entry->d_name, "session_", 8) == 0) sessions.push_back(root + "/" + entry->d_name);
  }
  closedir(entries);
  return sessions;
}

// A connected socket, or -1 and why.
int Connect(const SessionAddress& address, int* error) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  *error = ENAMETOOLONG;
  if (address.socket.size() > sizeof name.sun_path - 1) return -1;
  std::memcpy(name.sun_path + 1, address.socket.data(), address.socket.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  *error = errno;
  if (fd < 0) return -1;
  const auto length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + address.socket.size());
  if (connect(fd, reinterpret_cast<const sockaddr*>(&name), length) == 0) return fd;
  *error = errno;
  close(fd);
  return -1;
}

}  // namespace

void RemoveLiveFiles(const std::string& session_directory) {
  for (const char* name : {"/address", "/address.new", "/secret"}) unlink((session_directory + name).c_str());
  std::error_code failed;
  std::filesystem::remove_all(session_directory + "/" + kRuntimeFolder, failed);
}

Error SessionPlaceError(std::string what, int error_number) {
  Error error = ErrnoError(std::move(what), error_number);
  const char* base = getenv("MANTA_TMPDIR");
  error.message += base != nullptr && *base != '\0'
                       ? std::string("; MANTA_TMPDIR=") + base
                       : std::string("; this is below /tmp because MANTA_TMPDIR is not set: it");
  error.message += " has to name a directory that this user can write to and that has room";
  return error;
}

std::string SessionRoot() {
  const char* base = getenv("MANTA_TMPDIR");
  return std::string(base != nullptr && *base != '\0' ? base : "/tmp") + "/manta-" +
         std::to_string(geteuid());
}

Result<> EnsureSessionRoot(const std::string& root) {
  // The daemon has another working directory than who looks for it.
  if (root.empty() || root.front() != '/') return MakeError(MANTA_ERROR_INVALID_ARGUMENT, root + ": MANTA_TMPDIR has to be an absolute path");
  if (mkdir(root.c_str(), 0700) != 0 && errno != EEXIST) return SessionPlaceError("making " + root, errno);
  struct stat status;
  if (lstat(root.c_str(), &status) != 0) return ErrnoError("looking at " + root, errno);
  if (!S_ISDIR(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
    return MakeError(MANTA_ERROR_SYSTEM,
                     root + " has to be a directory that you own and that is closed to others "
                            "(mode 0700); remove it, or name another place in MANTA_TMPDIR");
  }
  return {};
}

Result<> WriteSessionAddress(const SessionAddress& address) {
  const std::string path = address.directory + "/address";
  const std::string unfinished = path + ".new";
  const std::string text = std::string(kFirstLine) + "\nsocket=" + address.socket +
                           "\npid=" + std::to_string(address.daemon_pid) +
                           "\nembedded=" + (address.embedded ? "1" : "0") +
                           "\nnode_id=" + address.node_id + "\ntrunk=" + address.trunk + "\njoined=" + address.joined + "\n";
  const int fd = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return SessionPlaceError("writing " + unfinished, errno);
  const ssize_t written = write(fd, text.data(), text.size());
  const int error = written < 0 ? errno : ENOSPC;
  close(fd);
  if (written != static_cast<ssize_t>(text.size())) return SessionPlaceError("writing " + unfinished, error);
  // Readers see all of it or nothing.
  if (rename(unfinished.c_str(), path.c_str()) != 0) return ErrnoError("renaming to " + path, errno);
  return {};
}

Result<SessionAddress> ReadSessionAddress(const std::string& directory) {
  Result<std::string> text = ReadOwnFile(directory + "/address", 022);
  if (!text) return text.error();
  return ParseSessionAddress(directory, *text);
}

Result<SessionAddress> ParseSessionAddress(const std::string& directory, std::string_view rest) {
  SessionAddress address;
  address.directory = directory;
  bool first = true;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (first) {
      if (line != kFirstLine) {
        return MakeError(MANTA_ERROR_VERSION_MISMATCH,
                         directory + "/address is of another version of Manta");
      }
      first = false;
      continue;
    }
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals);
    const std::string value(line.substr(equals + 1));
    if (key == "socket") address.socket = value;
    if (key == "pid") address.daemon_pid = static_cast<pid_t>(std::atol(value.c_str()));
    if (key == "embedded") address.embedded = value == "1";
    if (key == "node_id") address.node_id = value;
    if (key == "trunk") address.trunk = value;
    if (key == "joined") address.joined = value;
  }
  if (address.socket.empty() || address.daemon_pid <= 0) {
    return MakeError(MANTA_ERROR_SYSTEM, directory + "/address is damaged");
  }
  return address;
}

std::vector<SessionAddress> FindSessions(const std::string& root, std::vector<SessionAddress>* unreachable) {
  std::vector<SessionAddress> sessions;
  for (const std::string& directory : SessionsBelow(root)) {
    Result<SessionAddress> address = ReadSessionAddress(directory);
    if (!address) continue;
    int error = 0;
    const int socket = Connect(*address, &error);
    if (socket >= 0) {
      close(socket);
      sessions.push_back(std::move(address).value());
    } else if (DaemonLives(directory)) {
      if (unreachable != nullptr) unreachable->push_back(std::move(address).value());
    } else if (error == ECONNREFUSED) {
      RemoveLiveFiles(directory);
    }
  }
  std::sort(sessions.begin(), sessions.end(),
            [](const auto& a, const auto& b) { return a.directory < b.directory; });
  return sessions;
}

std::string DescribeUnreachable(const std::vector<SessionAddress>& sessions) {
  std::string text;
  for (const SessionAddress& session : sessions) text += "\n  " + session.name() + kUnreachable;
  return text;
}

std::vector<SessionAddress> WithoutJoined(const std::vector<SessionAddress>& sessions) {
  std::vector<SessionAddress> clusters;
  for (const SessionAddress& session : sessions) {
    const bool of_another = !session.joined.empty() &&
                            std::any_of(sessions.begin(), sessions.end(), [&](const auto& other) {
                              return other.node_id == session.joined;
                            });
    if (!of_another) clusters.push_back(session);
  }
  return clusters;
}

void RemoveFilesOfDeadDaemonBelow(const std::string& root, pid_t daemon) {
  const std::string suffix = "_" + std::to_string(daemon);
  for (const std::string& directory : SessionsBelow(root)) {
    if (directory.ends_with(suffix)) RemoveFilesOfDeadDaemon(directory);
  }
}

void RemoveFilesOfDeadDaemon(const std::string& directory) {
  if (!DaemonLives(directory)) RemoveLiveFiles(directory);
}

Result<std::string> ReadSecret(const std::string& session_directory) {
  return ReadSecretFile(session_directory + "/secret");
}

Result<std::string> ReadSecretFile(const std::string& path) {
  Result<std::string> text = ReadOwnFile(path, 077);
  if (!text) return MakeError(MANTA_ERROR_AUTHENTICATION, text.error().message);
  while (!text->empty() && text->back() == '\n') text->pop_back();
  return text;
}

Result<int> ConnectToSession(const SessionAddress& address) {
  if (address.socket.empty() || address.socket.size() > sizeof sockaddr_un{}.sun_path - 1) {
    return MakeError(MANTA_ERROR_SYSTEM, "the cluster's socket has an impossible name");
  }
  int error = 0;
  const int fd = Connect(address, &error);
  if (fd >= 0) return fd;
  Error failed = ErrnoError("connecting to the node daemon of " + address.directory, error);
  if (error == ECONNREFUSED) {
    failed.message += DaemonLives(address.directory) ? "; " + address.name() + kUnreachable
                                                     : "; its daemon is not there any more";
  }
  return failed;
}

}  // namespace manta::contracts
