#include "worker/attach.h"

#include <algorithm>
#include <vector>

#include "contracts/session_files.h"

namespace manta::worker {
namespace {

Result<contracts::SessionAddress> Choose(const std::string& address) {
  std::vector<contracts::SessionAddress> sessions = contracts::FindSessions(contracts::SessionRoot());
  // A cluster that a driver started for itself is nobody else's.
  std::erase_if(sessions, [](const contracts::SessionAddress& session) { return session.embedded; });
  if (address != "auto") {
    const auto named = std::find_if(sessions.begin(), sessions.end(), [&](const auto& session) {
      return session.name() == address || session.directory == address;
    });
    if (named != sessions.end()) return *named;
    return MakeError(MANTA_ERROR_START_FAILED, "no cluster with the address '" + address +
                                                   "' runs here: `manta status` lists those that do");
  }
  sessions = contracts::WithoutJoined(sessions);
  if (sessions.empty()) {
    return MakeError(MANTA_ERROR_START_FAILED,
                     "no running cluster was found for address 'auto': start one with `manta start --head`, or use "
                     "the address 'local' for one of the program's own");
  }
  if (sessions.size() > 1) {
    std::string names;
    for (const auto& session : sessions) names += (names.empty() ? "" : ", ") + session.name();
    return MakeError(MANTA_ERROR_START_FAILED, "the address 'auto' could mean any of " +
                                                   std::to_string(sessions.size()) + " clusters: name one of " + names);
  }
  return sessions.front();
}

}  // namespace

Result<Attachment> AttachToCluster(const std::string& address) {
  Result<contracts::SessionAddress> session = Choose(address);
  if (!session) return session.error();
  Result<std::string> secret = contracts::ReadSecret(session->directory);
  if (!secret) return secret.error();
  Result<int> socket = contracts::ConnectToSession(session.value());
  if (!socket) return socket.error();
  return Attachment{socket.value(), std::move(secret).value()};
}

}  // namespace manta::worker
