// `manta list`: what is in a cluster.
#include <cstdio>

#include "bin/command_line.h"
#include "bin/ended_tasks.h"
#include "bin/session_recordings.h"
#include "bin/table.h"
#include "bin/tool_client.h"

namespace manta::bin {
namespace {

constexpr size_t kMostRows = 10'000;

Result<ToolClient::Answer> Ask(const ListOptions& options) {
  if (!options.all) return AskFor(options.what, options.cluster.session);
  if (options.what != "tasks") {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "--all is for tasks: of " + options.what + " those are shown that there are");
  }
  Result<contracts::SessionAddress> address = ChooseCluster(options.cluster.session);
  if (!address) return address.error();
  Result<std::unique_ptr<ToolClient>> client = ToolClient::Connect(*address);
  if (!client) return client.error();
  // First what has not ended: what ends meanwhile has been recorded by then.
  Result<ToolClient::Answer> unfinished = (*client)->List(options.what);
  if (!unfinished) return unfinished.error();
  Result<SessionRecordings> recordings = ReadSessionRecordings(address->directory);
  if (!recordings) return recordings.error();
  return WithEndedTasks(*unfinished, *recordings, kMostRows);
}

}  // namespace

int RunList(const ListOptions& options) {
  Result<ToolClient::Answer> answer = Ask(options);
  if (!answer) {
    std::fprintf(stderr, "manta list: %s\n", answer.error().message.c_str());
    return 1;
  }
  std::fputs(options.cluster.json ? (answer->json + "\n").c_str() : TableOf(answer->json).c_str(), stdout);
  if (answer->left_out > 0) {
    std::fprintf(stderr, "manta list: %llu more are not shown: a list ends after 10,000 rows, or 8 MiB\n",
                 static_cast<unsigned long long>(answer->left_out));
  }
  return 0;
}

}  // namespace manta::bin
