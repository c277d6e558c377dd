#include "bin/command_line.h"

namespace manta::bin {

int RunStop(const StopOptions&) { return 2; }

}  // namespace manta::bin
