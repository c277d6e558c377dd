// `manta stop`: ends one cluster, or all of this user's.
#include <signal.h>
#include <time.h>

#include <cerrno>
#include <cstdio>

#include "bin/command_line.h"
#include "bin/tool_client.h"

namespace manta::bin {
namespace {

// The daemon closes its sockets before it has waited for its processes.
bool AwaitEnd(pid_t daemon) {
  for (int turn = 0; turn < 10'000; ++turn) {
    if (kill(daemon, 0) != 0 && errno == ESRCH) return true;
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  return false;
}

Result<> StopOne(const contracts::SessionAddress& address) {
  Result<std::unique_ptr<ToolClient>> client = ToolClient::Connect(address);
  if (!client) return client.error();
  if (Result<> stopped = (*client)->StopCluster(); !stopped) return stopped;
  if (!AwaitEnd(address.daemon_pid)) {
    return MakeError(MANTA_ERROR_TIMEOUT, "the daemon (pid " + std::to_string(address.daemon_pid) +
                                              ") has not ended after 10 s");
  }
  return {};
}

}  // namespace

int RunStop(const StopOptions& options) {
  std::vector<contracts::SessionAddress> sessions;
  if (options.all) {
    sessions = contracts::FindSessions(contracts::SessionRoot());
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
  if (sessions.empty()) std::printf("No cluster of yours is running on this machine.\n");
  return status;
}

}  // namespace manta::bin
