// How processes of one user find a running cluster of this machine: what a session directory contains.
//
//   /tmp/manta-<uid>/                     0700, of that user
//     session_<time>_<pid>/
//       address                           text, see SessionAddress; gone when the cluster has ended
//       secret                            0600: 32 hex digits that a Hello from outside has to name
//       logs/                             daemon.err is locked by the daemon while it lives, see contracts/session_lock.h
//       runtime/                          what runtime environments need, unpacked; gone when the cluster has ended
//       recorder/                         recent events of all processes, see contracts/recorder_files.h
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace manta::contracts {

struct SessionAddress {
  std::string directory;      // of the session, absolute
  std::string socket;         // name of an abstract Unix socket, without the leading zero byte
  pid_t daemon_pid = 0;
  bool embedded = false;      // ends with the driver that started it
  std::string node_id;
  std::string trunk;          // HOST:PORT where other nodes join; empty: they cannot
  std::string joined;         // the node id of the head, for a node that is not it

  std::string name() const { return directory.substr(directory.rfind('/') + 1); }
};

// The error of something that was done in a session directory, and how to choose another place for it.
Error SessionPlaceError(std::string what, int error_number);

// "/tmp/manta-<uid>", or what MANTA_TMPDIR (`manta start --temp-dir`) names instead of /tmp.
std::string SessionRoot();

// A head and a node that has joined it may be on the same machine: then the node stands for no cluster of its own.
std::vector<SessionAddress> WithoutJoined(const std::vector<SessionAddress>& sessions);

// Makes the root if it is missing. Error SYSTEM when it belongs to somebody else, is a link, or is open to others: then anybody could
// pose as a cluster.
Result<> EnsureSessionRoot(const std::string& root);

// Where front-ends unpack what their tasks need (working directories, modules), each below a name of its own. Made by who needs it first.
inline constexpr const char* kRuntimeFolder = "runtime";

Result<> WriteSessionAddress(const SessionAddress& address);
Result<SessionAddress> ReadSessionAddress(const std::string& directory);
// The pure part: of the text of that file. Error VERSION_MISMATCH, or SYSTEM when it is damaged.
Result<SessionAddress> ParseSessionAddress(const std::string& directory, std::string_view text);

// Clusters of this user that answer, oldest first; in `unreachable`, if it is given, those that live and do not. Looks into files that
// the user alone can write. Where a daemon was killed, it removes the address and the secret that it could not remove itself.
std::vector<SessionAddress> FindSessions(const std::string& root, std::vector<SessionAddress>* unreachable = nullptr);

// For messages: which ones live, and why they do not answer. Begins with a newline; "" for none.
std::string DescribeUnreachable(const std::vector<SessionAddress>& sessions);

// Removes what is of use only while the session's daemon lives: address, secret, and what runtime environments need.
void RemoveLiveFiles(const std::string& session_directory);
// Removes what led to a daemon that has ended, if it could not do so itself: the address and the secret of the sessions below `root`
// that a process of that id has made, unless one of that id in another container lives. The caller knows that its own does not.
void RemoveFilesOfDeadDaemonBelow(const std::string& root, pid_t daemon);
// The same for one session, unless a daemon lives there.
void RemoveFilesOfDeadDaemon(const std::string& directory);

// Error AUTHENTICATION when it cannot be read or others could read it.
// The same from a file of its own.
Result<std::string> ReadSecretFile(const std::string& path);
Result<std::string> ReadSecret(const std::string& session_directory);

// A connected socket, close-on-exec. Error SYSTEM when nobody listens; it says whether the daemon lives.
Result<int> ConnectToSession(const SessionAddress& address);

}  // namespace manta::contracts
