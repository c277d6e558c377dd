// What an owner tells about its unfinished tasks, and its objects in shared memory, when the daemon is asked for a list.
#pragma once

#include "contracts/frames.h"
#include "worker/owner.h"

namespace manta::worker {

// [lock] At most `limit` of them. Cost: a look at each task record that the process ever had in use at once.
wire::TaskListT ListTasks(const Owner& owner, size_t limit);
// [lock] The same, with a look at each object record.
wire::ObjectListT ListObjects(const Owner& owner, size_t limit);

}  // namespace manta::worker
