// `manta stop`: ends one cluster, or all of this user's.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "bin/command_line.h"
#include "bin/tool_client.h"

namespace manta::bin {
namespace {

constexpr int kEndMilliseconds = 10'000;

// The daemon closes its sockets before it has waited for its processes. `daemon`: a pidfd, which also tells of the end of a
// process whose parent has not noticed yet.
bool AwaitEnd(int daemon) {
  pollfd ended{daemon, POLLIN, 0};
  return poll(&ended, 1, kEndMilliseconds) == 1;
}

Result<> StopOne(const contracts::SessionAddress& address) {
  Result<std::unique_ptr<ToolClient>> client = ToolClient::Connect(address);
  if (!client) return client.error();
  // Before the end, while the number still means the daemon. Kernels before 5.3 have none; then nobody waits.
  const UniqueFd daemon(
      static_cast<int>(syscall(SYS_pidfd_open, address.daemon_pid, 0)));
  if (Result<> stopped = (*client)->StopCluster(); !stopped) return stopped;
  if (daemon && !AwaitEnd(daemon.get())) {
    return MakeError(MANTA_ERROR_TIMEOUT, "the daemon (pid " + std::to_string(address.daemon_pid) +
                                              ") has not ended after 10 s");
  }
  return {};
}

}  // namespace

int RunStop(const StopOptions& options) {
  std::vector<contracts::SessionAddress> sessions, unreachable;
  if (options.all) {
    sessions = contracts::FindSessions(contracts::SessionRoot(), &unreachable);
    // Nodes before their heads, with which they would end anyhow.
    std::stable_partition(sessions.begin(), sessions.end(),
                          [](const auto& session) { return !session.joined.empty(); });
  } else {
    Result<contracts::SessionAddress> chosen = ChooseCluster(options.cluster.session);
    if (!chosen) {
      std::fprintf(stderr, "manta stop: %s\n", chosen.error().message.c_str());
      return 1;
    }
    sessions.push_back(*chosen);
  }
  int status = 0;
  for (const contracts::SessionAddress& session : sessions) {
    const Result<> stopped = StopOne(session);
    if (!stopped) {
      std::fprintf(stderr, "manta stop: %s: %s\n", session.name().c_str(),
                   stopped.error().message.c_str());
      status = 1;
    } else if (options.cluster.json) {
      std::printf("{\"stopped\": \"%s\"}\n", session.directory.c_str());
    } else {
      std::printf("Stopped %s; its logs stay in %s/logs\n", session.name().c_str(),
                  session.directory.c_str());
    }
  }
  if (!unreachable.empty()) {
    std::fprintf(stderr, "manta stop: not all have ended:%s\n", contracts::DescribeUnreachable(unreachable).c_str());
    return 1;
  }
  if (sessions.empty()) std::printf("No cluster of yours is running on this machine.\n");
  return status;
}

}  // namespace manta::bin
