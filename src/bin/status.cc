#include "bin/command_line.h"

namespace manta::bin {

int RunStatus(const ClusterChoice&) { return 2; }

}  // namespace manta::bin
