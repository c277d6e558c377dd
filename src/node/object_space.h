// Large objects as processes meet them: the arena behind model and messages, who waits for room, and what is told when there is
// none.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "node/control_arena.h"
#include "node/event_loop.h"
#include "node/memory_file.h"
#include "node/object_table.h"
#include "node/process_table.h"
#include "shm/channel.h"

namespace spdlog {
class logger;
}

namespace manta::node {

class ObjectSpace {
 public:
  static constexpr size_t kMaxWaiting = 65'536;  // requests, in all

  // `wait`: how long a request waits for room.
  static Result<std::unique_ptr<ObjectSpace>> Create(EventLoop& loop, spdlog::logger& log,
                                                     ProcessTable& processes,
                                                     ControlArena& control, uint64_t bytes,
                                                     Nanoseconds wait);

  // Frees what is only kept in case that it is asked for again, at least so many bytes of it if there are; false: there is none. Called
  // when there is no room, and every few milliseconds while somebody waits for it.
  void set_make_room(std::function<bool(uint64_t bytes)> make_room) { make_room_ = std::move(make_room); }

  void Allocate(const Process& lessee, ProcessId owner, uint64_t request, uint64_t size);
  // The same for the daemon itself, which writes with Write and then seals. The answer comes in a later turn.
  using Answer = std::function<void(const Result<shm::SharedHandle>&)>;
  void AllocateFor(ProcessId lessee, ProcessId owner, uint64_t size, Answer answer);
  void Seal(const shm::SharedHandle& handle);
  // Whether it is sealed and still there.
  bool IsSealed(uint32_t slot, uint32_t generation) const;
  // And is what the handle says, which came from elsewhere.
  bool IsSealed(const shm::SharedHandle& handle) const;
  // Of an object that is there (Read) or that the daemon is writing. False: not within the arena, or the system refuses.
  bool Read(const shm::SharedHandle& handle, uint64_t offset, std::span<uint8_t> into) const;
  bool Write(const shm::SharedHandle& handle, uint64_t offset, std::span<const uint8_t> bytes);
  void Free(ProcessId by, uint32_t slot, uint32_t generation);

  // It runs no more. Returns what it sealed for other owners. Call before its process page is given back: its pins count until then.
  std::map<ProcessId, SlotList> ProcessGone(ProcessId process);

  const MemoryFile& file() const { return file_; }
  uint32_t slots() const { return slots_; }
  const ObjectTable& table() const { return *table_; }
  // Of all processes of this node, sorted (shm::PinWord).
  std::vector<uint64_t> AllPins() const { return control_.AllPins(); }
  size_t waiting() const { return waiting_.size(); }
  // Who waits for room.
  struct Wait {
    ProcessId process;
    uint64_t size;
    Nanoseconds since;
    Nanoseconds until;  // then it is refused
  };
  // At most `most`, the longest first.
  std::vector<Wait> Waits(size_t most) const;

 private:
  struct Waiting {
    ProcessId lessee;
    ProcessId owner;
    uint64_t request;
    uint64_t size;
    Nanoseconds deadline;
    Answer answer;  // empty: a message to the lessee
  };

  ObjectSpace(EventLoop& loop, spdlog::logger& log, ProcessTable& processes,
              ControlArena& control, Nanoseconds wait);

  void Request(Waiting request);
  bool TryAllocate(const Waiting& request);
  bool MakeRoomFor(const Waiting& request);
  void Refuse(const Waiting& request, manta_error_kind kind, const std::string& message);
  std::string WhyFull(uint64_t size) const;
  void ReclaimSoon();
  // Frees what is dying and not pinned; whether there was any.
  bool ReclaimUnpinned();
  void Reclaim();
  void ServeWaiting();
  void ExpireWaiting();

  EventLoop& loop_;
  spdlog::logger& log_;
  ProcessTable& processes_;
  ControlArena& control_;
  const Nanoseconds wait_;
  MemoryFile file_;
  uint32_t slots_ = 0;
  std::unique_ptr<ObjectTable> table_;
  std::function<bool(uint64_t)> make_room_;
  std::deque<Waiting> waiting_;  // by deadline, which is by arrival
  Timer reclaim_;
  Nanoseconds reclaim_delay_ = 0;
  Timer expiry_;
};

}  // namespace manta::node
