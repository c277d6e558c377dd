// What the program can do. Each returns the exit status, and throws UserError or manta::Error.
#pragma once

#include <string>
#include <vector>

namespace code_search {

// Indexes the files of a directory, in parallel; starts a cluster if none runs. An index that was
// there before is replaced once the new one is complete. `shards` 0: as many as there are CPUs.
int RunBuild(const std::string& directory, unsigned shards);

// Looks words up in the index.
int RunQuery(const std::vector<std::string>& words);

// Ends the index, and the cluster if build started it.
int RunStop();

// Indexes the files by calling the functions of build in a loop in this process, prints the same
// figures, and forgets the index.
int RunPlain(const std::string& directory, unsigned shards);

}  // namespace code_search
