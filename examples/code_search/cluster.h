// The cluster that the index lives in: join the one that runs, start one, stop it.
#pragma once

#include <string>

namespace code_search {

// Actors are named within this namespace.
inline constexpr const char* kNamespace = "code_search";

// Connects to the cluster that runs on this machine, or to the one that MANTA_ADDRESS names. False
// if none runs. Throws manta::Error if it cannot be joined, or if there are several.
bool JoinCluster();

// Starts a cluster as `manta start --head` does, and connects to it. Returns its address. It goes on
// when this process ends. Throws UserError.
std::string StartCluster();

// Ends the cluster of that address, as `manta stop` does. This process must not be connected any
// more. Throws UserError.
void StopCluster(const std::string& address);

}  // namespace code_search
