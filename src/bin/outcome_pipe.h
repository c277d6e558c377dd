// What a process that starts a node says to the one that waits for it: that the node serves, or why it does not.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "bin/node_process.h"

namespace manta::bin {

// One message from one process to another, through a pipe; both ends are close-on-exec.
struct OutcomePipe {
  UniqueFd reader;
  UniqueFd writer;

  static Result<OutcomePipe> Make();
};

// Closes all else but the standard streams: nothing stays open that others wait for to be closed, such as locks and pipes.
void KeepOnly(const UniqueFd& writer);

// Closes the writer. Nobody may listen any more.
void Tell(UniqueFd* writer, const Result<NodeReady>& outcome);

// Waits until every writer is closed. Error START_FAILED also when nothing was said.
Result<NodeReady> Await(const UniqueFd& reader);

}  // namespace manta::bin
