// What a process that starts a node says to the one that waits for it: that the node serves, or why it does not.
#pragma once

#include "base/result.h"
#include "bin/node_process.h"
#include "node/unique_fd.h"

namespace manta::bin {

// One message from one process to another, through a pipe; both ends are close-on-exec.
struct OutcomePipe {
  node::UniqueFd reader;
  node::UniqueFd writer;

  static Result<OutcomePipe> Make();
};

// Closes all else but the standard streams: nothing stays open that others wait for to be closed, such as locks and pipes.
void KeepOnly(const node::UniqueFd& writer);

// Closes the writer. Nobody may listen any more.
void Tell(node::UniqueFd* writer, const Result<NodeReady>& outcome);

// Waits until every writer is closed. Error START_FAILED also when nothing was said.
Result<NodeReady> Await(const node::UniqueFd& reader);

}  // namespace manta::bin
