#include "node/channel_allocator.h"

#include <algorithm>
#include <string>

namespace manta::node {
namespace {

constexpr uint64_t kPage = 4096;

ExtentAllocator::Options ExtentsOf(const shm::ControlHeader& header) {
  ExtentAllocator::Options options;
  options.begin = (header.first_channel + kPage - 1) / kPage * kPage;
  options.end = header.bytes;
  options.granule = kPage;
  options.large = header.bytes;  // nothing is aligned beyond a page
  return options;
}

}  // namespace

ChannelAllocator::ChannelAllocator(ControlArena& arena)
    : arena_(arena), memory_(ExtentsOf(arena.header())) {}

Result<uint64_t> ChannelAllocator::Open(const End& owner, const End& worker, bool dedicated) {
  const auto existing = live_.find({owner.process.value, worker.process.value});
  if (existing != live_.end()) {
    if (dedicated) shm::ViewChannel(arena_.base(), existing->second).header->dedicated = 1;
    return existing->second;
  }

  CollectSeen();
  const ChannelSizes& sizes = dedicated ? kActorChannel : kTaskChannel;
  const uint64_t bytes = shm::ChannelBytes(sizes.log2_slots, sizes.log2_completions,
                                           sizes.task_payload_bytes, sizes.result_payload_bytes);
  const auto extent = memory_.Allocate(bytes);
  if (!extent) {
    return MakeError(MANTA_ERROR_SYSTEM,
                     "no room for another channel between processes: " +
                         std::to_string(channels_.size()) + " use " +
                         std::to_string(memory_.used() >> 20) + " MiB of the control arena");
  }

  auto* header = reinterpret_cast<shm::ChannelHeader*>(arena_.base() + extent->offset);
  header->owner = owner.process.value;
  header->worker = worker.process.value;
  header->owner_page = owner.page;
  header->worker_page = worker.page;
  header->log2_slots = sizes.log2_slots;
  header->log2_completions = sizes.log2_completions;
  header->task_payload_bytes = sizes.task_payload_bytes;
  header->result_payload_bytes = sizes.result_payload_bytes;
  header->bytes = bytes;
  header->dedicated = dedicated ? 1 : 0;

  Channel channel;
  channel.extent = *extent;
  channel.owner = owner;
  channel.worker = worker;
  if (IsHere(worker.process) && !AddToTable(channel)) {
    arena_.file().Punch(extent->offset, extent->size);
    memory_.Free(*extent);
    return MakeError(MANTA_ERROR_SYSTEM, "the worker serves " +
                                             std::to_string(shm::kMaxChannelsPerProcess) +
                                             " processes already");
  }
  channels_[extent->offset] = channel;
  live_[{owner.process.value, worker.process.value}] = extent->offset;
  of_process_[owner.process].push_back(extent->offset);
  if (owner.process != worker.process) of_process_[worker.process].push_back(extent->offset);
  return extent->offset;
}

bool ChannelAllocator::IsHere(ProcessId process) const { return NodeIndexOf(process) == arena_.header().node_index; }

bool ChannelAllocator::AddToTable(Channel& channel) {
  shm::ProcessPage& page = arena_.page(channel.worker.page);
  // This process alone writes the table, so its own reads need no ordering.
  const uint32_t count = page.channel_count.load(std::memory_order_relaxed);
  uint32_t entry = 0;
  while (entry < count && page.channels[entry].load(std::memory_order_relaxed) != 0) ++entry;
  if (entry == shm::kMaxChannelsPerProcess) return false;
  channel.table_entry = entry;
  page.channels[entry].store(static_cast<uint32_t>(channel.extent.offset / 64),
                             std::memory_order_release);
  if (entry == count) page.channel_count.store(count + 1, std::memory_order_release);
  page.channel_version.fetch_add(1, std::memory_order_seq_cst);
  shm::Ring(page.doorbell);
  return true;
}

void ChannelAllocator::RemoveFromTable(Channel& channel) {
  shm::ProcessPage& page = arena_.page(channel.worker.page);
  page.channels[channel.table_entry].store(0, std::memory_order_release);
  channel.removed_in_version = page.channel_version.fetch_add(1, std::memory_order_seq_cst) + 1;
  channel.awaits_worker = true;
  awaiting_.push_back(channel.extent.offset);
  shm::Ring(page.doorbell);
}

void ChannelAllocator::CollectSeen() {
  std::vector<uint64_t> done;
  std::erase_if(awaiting_, [&](uint64_t offset) {
    const auto found = channels_.find(offset);
    if (found == channels_.end()) return true;
    Channel& channel = found->second;
    if (!channel.worker_done) {
      const uint32_t seen =
          arena_.page(channel.worker.page).channel_version_seen.load(std::memory_order_acquire);
      if (static_cast<int32_t>(seen - channel.removed_in_version) < 0) return false;
      channel.worker_done = true;
    }
    done.push_back(offset);
    return true;
  });
  for (uint64_t offset : done) ReuseIfDone(offset);
}

void ChannelAllocator::ReuseIfDone(uint64_t offset) {
  const auto found = channels_.find(offset);
  if (found == channels_.end()) return;
  const Channel& channel = found->second;
  if (!channel.owner_done || !channel.worker_done) return;
  arena_.file().Punch(channel.extent.offset, channel.extent.size);
  memory_.Free(channel.extent);
  for (ProcessId process : {channel.owner.process, channel.worker.process}) {
    const auto list = of_process_.find(process);
    if (list == of_process_.end()) continue;
    std::erase(list->second, offset);
    if (list->second.empty()) of_process_.erase(list);
  }
  channels_.erase(found);
}

void ChannelAllocator::ReleasedByOwner(ProcessId owner, uint64_t offset) {
  const auto found = channels_.find(offset);
  if (found == channels_.end() || found->second.owner.process != owner) return;
  // Only the death of the worker ends a channel: a claim for a living pair is a mistake of the owner.
  if (live_.contains({owner.value, found->second.worker.process.value})) return;
  found->second.owner_done = true;
  ReuseIfDone(offset);
}

std::vector<ProcessId> ChannelAllocator::ProcessGone(ProcessId process) {
  std::vector<ProcessId> peers = PeersOf(process);
  const auto list = of_process_.find(process);
  if (list == of_process_.end()) return peers;
  const std::vector<uint64_t> offsets = list->second;
  for (uint64_t offset : offsets) {
    Channel& channel = channels_.at(offset);
    live_.erase({channel.owner.process.value, channel.worker.process.value});
    if (channel.worker.process == process) {
      if (IsHere(process)) arena_.page(channel.worker.page).channels[channel.table_entry].store(0, std::memory_order_release);
      channel.worker_done = true;
      // For an owner on another node the daemon reads, and it knows.
      if (!IsHere(channel.owner.process)) channel.owner_done = true;
    }
    if (channel.owner.process == process) {
      channel.owner_done = true;
      if (!IsHere(channel.worker.process)) channel.worker_done = true;  // for such a worker, too
      if (!channel.worker_done && !channel.awaits_worker) RemoveFromTable(channel);
    }
    ReuseIfDone(offset);
  }
  CollectSeen();
  return peers;
}

std::vector<ProcessId> ChannelAllocator::PeersOf(ProcessId process) const {
  std::vector<ProcessId> peers;
  const auto list = of_process_.find(process);
  if (list == of_process_.end()) return peers;
  for (uint64_t offset : list->second) {
    const Channel& channel = channels_.at(offset);
    if (!live_.contains({channel.owner.process.value, channel.worker.process.value})) continue;
    peers.push_back(channel.owner.process == process ? channel.worker.process
                                                     : channel.owner.process);
  }
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

}  // namespace manta::node
