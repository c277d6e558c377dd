#include "worker/attach.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace manta::worker {
namespace {

Result<contracts::SessionAddress> Choose(const std::string& address) {
  std::vector<contracts::SessionAddress> unreachable;
  std::vector<contracts::SessionAddress> sessions = contracts::FindSessions(contracts::SessionRoot(), &unreachable);
  // A cluster that a driver started for itself is nobody else's.
  for (auto* some : {&sessions, &unreachable}) {
    std::erase_if(*some, [](const contracts::SessionAddress& session) { return session.embedded; });
  }
  if (address != "auto") {
    const auto named = std::find_if(sessions.begin(), sessions.end(), [&](const auto& session) {
      return session.name() == address || session.directory == address;
    });
    if (named != sessions.end()) return *named;
    return MakeError(MANTA_ERROR_START_FAILED, "no cluster with the address '" + address +
                                                   "' runs here: `manta status` lists those that do" +
                                                   contracts::DescribeUnreachable(unreachable));
  }
  sessions = contracts::WithoutJoined(sessions);
  if (sessions.empty()) {
    return MakeError(MANTA_ERROR_START_FAILED,
                     "no running cluster was found for address 'auto': start one with `manta start --head`, or use "
                     "the address 'local' for one of the program's own" +
                         contracts::DescribeUnreachable(unreachable));
  }
  // The newest, as in Ray: names begin with the time of the start.
  return *std::max_element(sessions.begin(), sessions.end(), [](const auto& a, const auto& b) { return a.name() < b.name(); });
}

Result<Attachment> Attach(const contracts::SessionAddress& session) {
  Result<std::string> secret = contracts::ReadSecret(session.directory);
  if (!secret) return secret.error();
  Result<int> socket = contracts::ConnectToSession(session);
  if (!socket) return socket.error();
  return Attachment{session, socket.value(), std::move(secret).value()};
}

}  // namespace

Result<Attachment> AttachToCluster(const std::string& address) {
  for (;;) {
    Result<contracts::SessionAddress> session = Choose(address);
    if (!session) return session.error();
    Result<Attachment> attachment = Attach(*session);
    // Every round without a return is the end of a cluster.
    if (attachment || StillRuns(*session)) return attachment;
  }
}

bool StillRuns(const contracts::SessionAddress& session) {
  const Result<int> socket = contracts::ConnectToSession(session);
  if (socket) close(socket.value());
  return static_cast<bool>(socket);
}

}  // namespace manta::worker
