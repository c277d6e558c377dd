// The control arena (shm/channel.h) as its owner sees it: the header, and who has which process page.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "node/memory_file.h"
#include "shm/channel.h"

namespace manta::node {

struct ControlArenaOptions {
  // Of address space, which costs nothing: memory is used as channels are. A channel of tasks spans 8 MiB.
  uint64_t bytes = uint64_t{64} << 30;
  uint32_t process_pages = 1280;
  uint32_t node_index = 1;
  uint32_t cores = 1;
};

class ControlArena {
 public:
  static Result<std::unique_ptr<ControlArena>> Create(const ControlArenaOptions& options);

  // A zeroed page that names `process`; none when all are taken.
  std::optional<uint32_t> AcquirePage(ProcessId process);
  // Its process is dead: pins vanish with it. Somebody may still ring its doorbell, which does no harm to a later user, and pages
  // are reused oldest first.
  void ReleasePage(uint32_t page);

  // A ringer that died between taking a parked flag and waking leaves a sleeper behind: after each death all are woken.
  void WakeAll();

  // Who pins what, of all live processes: (slot + 1) << 32 | generation, sorted.
  std::vector<uint64_t> AllPins() const;
  // The same with the processes whose pins they are, in no order.
  std::vector<std::pair<ProcessId, uint64_t>> PinsByProcess() const;

  shm::ProcessPage& page(uint32_t index) { return shm::PageAt(base_, index); }
  const shm::ControlHeader& header() const {
    return *reinterpret_cast<const shm::ControlHeader*>(base_);
  }
  unsigned char* base() { return base_; }
  MemoryFile& file() { return file_; }

 private:
  ControlArena() = default;

  MemoryFile file_;
  unsigned char* base_ = nullptr;
  uint32_t next_page_ = 0;            // never used from here on
  std::deque<uint32_t> free_pages_;   // used before
  std::vector<bool> live_;
};

}  // namespace manta::node
