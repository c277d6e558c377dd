// `manta node`: the daemon of a cluster that lives inside of a driver's run.
#include <fcntl.h>

#include <cstdio>

#include "bin/command_line.h"
#include "bin/node_process.h"
#include "contracts/frames.h"

namespace manta::bin {

int RunNode(const NodeOptions& options) {
  if (fcntl(options.driver_fd, F_GETFD) < 0) {
    std::fprintf(stderr,
                 "manta node: there is no open descriptor %d; this verb is for drivers, use "
                 "`manta start --head`\n",
                 options.driver_fd);
    return 2;
  }
  UniqueFd driver(options.driver_fd);
  fcntl(driver.get(), F_SETFD, FD_CLOEXEC);
  // The driver may be told why nothing starts, whoever owns the socket by then.
  const UniqueFd last_words(fcntl(driver.get(), F_DUPFD_CLOEXEC, 3));
  const Result<> served = ServeNode(options, std::move(driver), [](const NodeReady&) {});
  if (served) return 0;
  wire::RefusedT refused;
  refused.kind = served.error().kind;
  refused.message = served.error().message;
  (void)contracts::WriteAll(last_words.get(), contracts::Encode(std::move(refused)));
  return 1;
}

}  // namespace manta::bin
