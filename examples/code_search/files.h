// The files of a tree, in groups of work for one task each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "map.h"

namespace code_search {

// Walks through the directory `root` as `grep -r` does: every regular file, hidden ones, too; what
// symbolic links lead to is left out. The order is that of the names, so it is the same each time.
// Calls `sink` with one group after the other, of about `group_bytes`; the walk ends early when that
// returns false. Directories that cannot be read are counted in the result.
// How much work a task should have: long enough that its start costs nothing, short enough that all
// processors end at about the same time.
inline constexpr uint64_t kGroupBytes = uint64_t{8} << 20;

Totals WalkTree(const std::string& root, uint64_t group_bytes,
                const std::function<bool(FileGroup&&)>& sink);

// The absolute path of the directory that the user named. Throws UserError (see report.h).
std::string ResolveDirectory(const std::string& given);

}  // namespace code_search
