#include "node/control_arena.h"

#include <algorithm>
#include <utility>

namespace manta::node {
namespace {

constexpr uint64_t kPageBytes = 4096;

}  // namespace

Result<std::unique_ptr<ControlArena>> ControlArena::Create(const ControlArenaOptions& options) {
  Result<MemoryFile> file = MemoryFile::Create("manta-control", options.bytes);
  if (!file) return file.error();
  std::unique_ptr<ControlArena> arena(new ControlArena);
  arena->file_ = std::move(file).value();
  Result<unsigned char*> base = arena->file_.Map(options.bytes);
  if (!base) return base.error();
  arena->base_ = *base;

  auto* header = reinterpret_cast<shm::ControlHeader*>(arena->base_);
  header->layout = shm::kControlLayout;
  header->node_index = options.node_index;
  header->process_pages = options.process_pages;
  header->process_page_bytes = sizeof(shm::ProcessPage);
  header->first_process_page = kPageBytes;
  header->first_channel = kPageBytes + uint64_t{options.process_pages} * sizeof(shm::ProcessPage);
  header->bytes = options.bytes;
  header->cores = options.cores;
  header->magic = shm::kControlMagic;
  return arena;
}

std::optional<uint32_t> ControlArena::AcquirePage(ProcessId process) {
  uint32_t index;
  // Fresh pages first, so that a page rests as long as possible between two processes.
  if (next_page_ < header().process_pages) {
    index = next_page_++;
    live_.push_back(false);
  } else if (!free_pages_.empty()) {
    index = free_pages_.front();
    free_pages_.pop_front();
  } else {
    return std::nullopt;
  }
  page(index).process = process.value;
  live_[index] = true;
  return index;
}

void ControlArena::ReleasePage(uint32_t index) {
  if (index >= live_.size() || !live_[index]) return;
  live_[index] = false;
  file_.Punch(header().first_process_page + uint64_t{index} * sizeof(shm::ProcessPage),
              sizeof(shm::ProcessPage));
  free_pages_.push_back(index);
}

void ControlArena::WakeAll() {
  for (uint32_t i = 0; i < live_.size(); ++i) {
    if (!live_[i]) continue;
    auto& doorbell = page(i).doorbell;
    doorbell.parked.store(0, std::memory_order_seq_cst);
    shm::Wake(doorbell);
  }
}

std::vector<uint64_t> ControlArena::AllPins() const {
  std::vector<uint64_t> pins;
  for (const auto& [process, pin] : PinsByProcess()) pins.push_back(pin);
  std::sort(pins.begin(), pins.end());
  return pins;
}

std::vector<std::pair<ProcessId, uint64_t>> ControlArena::PinsByProcess() const {
  std::vector<std::pair<ProcessId, uint64_t>> pins;
  for (uint32_t i = 0; i < live_.size(); ++i) {
    if (!live_[i]) continue;
    const shm::ProcessPage& page = shm::PageAt(base_, i);
    page.pins.AnyOf([&](uint64_t pin) {
      pins.emplace_back(ProcessId{page.process}, pin);
      return false;
    });
  }
  return pins;
}

}  // namespace manta::node
