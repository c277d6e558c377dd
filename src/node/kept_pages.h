// Process pages of drivers that have left and whose processes go on: what they pin is still read, or written.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/unique_fd.h"
#include "node/control_arena.h"
#include "node/event_loop.h"

namespace manta::node {

class KeptPages {
 public:
  // Both outlive this object.
  KeptPages(EventLoop& loop, ControlArena& arena) : arena_(arena), again_(loop, [this] { Look(); }) {}

  // Releases the page of the process `pid` when it pins nothing any more, or is dead; perhaps at once.
  void Release(uint32_t page, pid_t pid);

 private:
  struct Kept {
    uint32_t page;
    UniqueFd process;  // a pidfd; none when there was no descriptor for it
    pid_t pid;
  };
  bool IsInUse(const Kept& kept);
  void Look();

  ControlArena& arena_;
  std::vector<Kept> kept_;
  Nanoseconds pause_ = 0;
  Timer again_;
};

}  // namespace manta::node
