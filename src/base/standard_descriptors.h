// A process may be started with its standard input, output or error closed. What it opens then would get their numbers, and be written
// to by whoever prints.
#pragma once

namespace manta {

// Opens /dev/null in place of those of the descriptors 0 to 2 that are closed. Before anything else is opened.
void OpenStandardDescriptors();

}  // namespace manta
