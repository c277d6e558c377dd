// Channels between pairs of processes, and each worker's table of those that it polls.
//
// A channel lives as long as both of its processes. Its memory is used again only when neither of them can touch it: each is
// dead, or has confirmed (the worker by channel_version_seen, the owner by ReleaseChannel; for one on another node the daemon stands in,
// which has let go of its end before it calls ProcessGone).
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "node/control_arena.h"
#include "node/extent_allocator.h"

namespace manta::node {

struct ChannelSizes {
  uint32_t log2_slots;
  uint32_t log2_completions;
  uint32_t task_payload_bytes;
  uint32_t result_payload_bytes;
};

inline constexpr ChannelSizes kTaskChannel{shm::kLog2Slots, shm::kLog2Completions,
                                           shm::kPayloadRingBytes, shm::kPayloadRingBytes};
// Actors: calls are few at a time and there are many of them. But a call has to fit: all of its arguments, and a result that is almost
// large enough to be shared, or an error of that size.
inline constexpr ChannelSizes kActorChannel{6, 7, 512 * 1024, 128 * 1024};

class ChannelAllocator {
 public:
  explicit ChannelAllocator(ControlArena& arena);

  struct End {
    ProcessId process;
    uint32_t page;
  };

  // The offset of the pair's channel, made if there is none. The worker has been told (its table, its doorbell); the owner has to
  // be. `dedicated` also turns an existing task channel into an actor's: the worker runs nothing else from now on.
  // Error SYSTEM when the arena or the worker's table is full.
  Result<uint64_t> Open(const End& owner, const End& worker, bool dedicated);

  // The owner of a channel whose worker is gone has read what it wanted. Stale or wrong claims are ignored.
  void ReleasedByOwner(ProcessId owner, uint64_t offset);

  // All its channels end: they leave the tables of living workers. Returns who was at the other ends, without repetition. Call
  // only once the process runs no more.
  std::vector<ProcessId> ProcessGone(ProcessId process);

  // Processes that share a channel with `process`.
  std::vector<ProcessId> PeersOf(ProcessId process) const;

  size_t channels() const { return channels_.size(); }
  uint64_t used_bytes() const { return memory_.used(); }

 private:
  struct Channel {
    ExtentAllocator::Extent extent;
    End owner;
    End worker;
    uint32_t table_entry = 0;  // of a worker of this node
    bool owner_done = false;
    bool worker_done = false;
    bool awaits_worker = false;     // removed from its table; done when it has seen
    uint32_t removed_in_version = 0;
  };
  using Key = std::pair<uint64_t, uint64_t>;  // owner, worker

  // For a process of another node the daemon stands in, and knows its channels without a table.
  bool IsHere(ProcessId process) const;
  bool AddToTable(Channel& channel);
  void RemoveFromTable(Channel& channel);
  void CollectSeen();
  void ReuseIfDone(uint64_t offset);

  ControlArena& arena_;
  ExtentAllocator memory_;
  std::unordered_map<uint64_t, Channel> channels_;  // by offset
  std::map<Key, uint64_t> live_;                    // pairs of living processes
  std::unordered_map<ProcessId, std::vector<uint64_t>> of_process_;
  std::vector<uint64_t> awaiting_;  // channels whose worker has to look
};

}  // namespace manta::node
