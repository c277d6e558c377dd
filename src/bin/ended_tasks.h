// The tasks of a session that have ended, as its flight recordings tell of them.
#pragma once

#include <cstddef>
#include <string>

#include "bin/session_recordings.h"
#include "bin/tool_client.h"

namespace manta::bin {

// `unfinished` (rows as node/listing.h makes them), and behind them a row for each attempt of a task that has ended, the last one first: like the
// others, with `start_time_ms` and `end_time_ms` (since 1970), and `error` where it failed. What the daemon has not heard yet has ended all the
// same. A task whose process died in it counts as one that has ended. At most `most` rows in all; whatever the recordings contain, the result is JSON.
ToolClient::Answer WithEndedTasks(const ToolClient::Answer& unfinished, const SessionRecordings& session, size_t most);

}  // namespace manta::bin
