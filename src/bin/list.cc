// `manta list`: what is in a cluster.
#include <cstdio>

#include "bin/command_line.h"
#include "bin/table.h"
#include "bin/tool_client.h"

namespace manta::bin {
int RunList(const ListOptions& options) {
  Result<ToolClient::Answer> answer = AskFor(options.what, options.cluster.session);
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
