#include "bin/command_line.h"

namespace manta::bin {

int RunStart(const StartOptions&) { return 2; }

}  // namespace manta::bin
