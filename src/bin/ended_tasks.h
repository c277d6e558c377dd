// The tasks of a session that have ended, as its flight recordings tell of them.
#pragma once

#include <cstddef>
#include <string>

#include "bin/session_recordings.h"
#include "bin/tool_client.h"

namespace manta::bin {

// `unfinished` (rows as node/listing.h makes them), and behind them a row for each attempt of a task that has ended, the last one first: like the
// others, but for `actor` and `parent`, which recordings do not have; with `start_time_ms` and `end_time_ms` (since 1970), and `error` where it failed.
// What the daemon has not heard yet has ended all the same. So has what a process died in, on the thread that executes tasks: other threads note
// what has ended alone. What never began has no row. At most `most` rows in all; whatever the recordings contain, the result is JSON.
ToolClient::Answer WithEndedTasks(const ToolClient::Answer& unfinished, const SessionRecordings& session, size_t most);

}  // namespace manta::bin
