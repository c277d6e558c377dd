#include "tests/fuzz/worker_world.h"

#include <mutex>
#include <utility>

#include "tests/fuzz/fuzz_target.h"

namespace manta::fuzz {
namespace {

constexpr uint32_t kPages = 2;

template <class T>
T Needed(Result<T> result, const char* what) {
  Require(static_cast<bool>(result), what);
  return std::move(result).value();
}

}  // namespace

WorkerWorld::WorkerWorld() {
  node::ControlArenaOptions options;
  options.process_pages = kPages;
  options.bytes = 8192 + kPages * sizeof(shm::ProcessPage) +
                  shm::ChannelBytes(kLog2Slots, kLog2Completions, kRingBytes, kRingBytes);
  arena = Needed(node::ControlArena::Create(options), "there is memory for the control arena");
  my_page_index = *arena->AcquirePage(kMe);
  peer_page_index = *arena->AcquirePage(kPeer);
  objects = Needed(node::MemoryFile::Create("objects", kObjectBytes), "there is memory for objects");
  memory = Needed(worker::NodeMemory::Map(arena->file().Duplicate().release(), options.bytes,
                                          objects.Duplicate().release(), kObjectBytes, my_page_index),
                  "the arenas can be mapped");
  owner = std::make_unique<worker::Owner>(kMe, &memory);
  owner->set_listener(this);
  references = std::make_unique<worker::References>(owner.get(), [this](ProcessId to, std::vector<uint8_t>) { others_.insert(to); });
  references->set_task_listener(this);
  dispatcher = std::make_unique<worker::Dispatcher>(owner.get(), references.get(), this, 1);
}

WorkerWorld::~WorkerWorld() {
  std::lock_guard guard(owner->lock());
  dispatcher->FailAll(MakeError(MANTA_ERROR_NOT_INITIALIZED, "the end"));
}

void WorkerWorld::EndOthers() {
  references->Flush();
  while (!others_.empty()) {
    references->OnProcessGone(others_.extract(others_.begin()).value(), "");
    references->Flush();
  }
}

shm::ChannelView WorkerWorld::OpenChannel(bool me_works) {
  const uint64_t offset = (arena->header().first_channel + 63) / 64 * 64;
  auto* header = reinterpret_cast<shm::ChannelHeader*>(arena->base() + offset);
  header->owner = (me_works ? kPeer : kMe).value;
  header->worker = (me_works ? kMe : kPeer).value;
  header->owner_page = me_works ? peer_page_index : my_page_index;
  header->worker_page = me_works ? my_page_index : peer_page_index;
  header->log2_slots = kLog2Slots;
  header->log2_completions = kLog2Completions;
  header->task_payload_bytes = header->result_payload_bytes = kRingBytes;
  header->bytes = shm::ChannelBytes(kLog2Slots, kLog2Completions, kRingBytes, kRingBytes);
  if (me_works) {
    shm::ProcessPage& page = my_page();
    page.channels[0].store(static_cast<uint32_t>(offset / 64));
    page.channel_count.store(1);
    page.channel_version.fetch_add(1);
  }
  shm::ChannelView view{};
  Require(memory.View(offset, &view), "the channel lies in the arena");
  return view;
}

}  // namespace manta::fuzz
