#include "bin/command_line.h"

namespace manta::bin {

int RunList(const ListOptions&) { return 2; }

}  // namespace manta::bin
