// `manta list`: what is in a cluster.
#include <cstdio>

#include "bin/command_line.h"
#include "bin/table.h"
#include "bin/tool_client.h"

namespace manta::bin {
namespace {

Result<std::string> Ask(const ListOptions& options) {
  Result<contracts::SessionAddress> address = ChooseCluster(options.cluster.session);
  if (!address) return address.error();
  Result<std::unique_ptr<ToolClient>> client = ToolClient::Connect(*address);
  if (!client) return client.error();
  return (*client)->List(options.what);
}

}  // namespace

int RunList(const ListOptions& options) {
  Result<std::string> json = Ask(options);
  if (!json) {
    std::fprintf(stderr, "manta list: %s\n", json.error().message.c_str());
    return 1;
  }
  std::fputs(options.cluster.json ? (*json + "\n").c_str() : TableOf(*json).c_str(), stdout);
  return 0;
}

}  // namespace manta::bin
