// The arenas of the node, as this process sees them.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "shm/channel.h"

namespace manta::worker {

// Maps the control arena whole, and the object arena twice: what user code reads goes through a read-only view, so that a
// stray write faults instead of corrupting a sealed object; the writable one is for objects that this process is making. Code that
// may write into what it reads gets a mapping of its own of the pages (CopyOnWrite).
// Immutable after Map; thread-safe.
class NodeMemory {
 public:
  // Takes over both descriptors (that of the control arena is closed after mapping). `page` is this process's page in the control arena.
  static Result<NodeMemory> Map(int control_fd, uint64_t control_bytes, int object_fd,
                                uint64_t object_bytes, uint32_t page);
  NodeMemory() = default;
  NodeMemory(NodeMemory&& other) noexcept { *this = static_cast<NodeMemory&&>(other); }
  NodeMemory& operator=(NodeMemory&& other) noexcept;
  ~NodeMemory();

  shm::ProcessPage& my_page() const { return shm::PageAt(control_, page_); }
  uint32_t cores() const { return header()->cores; }
  uint64_t object_bytes() const { return object_bytes_; }

  // Whether [offset, offset + size) and the slot lie in the object arena; what other processes say is checked before use.
  bool Contains(const shm::SharedHandle& handle) const {
    return handle.offset <= object_bytes_ && handle.size <= object_bytes_ - handle.offset &&
           handle.slot < object_bytes_ / sizeof(shm::ObjectSlot<shm::RealAtomics>);
  }
  const unsigned char* Readable(uint64_t offset) const { return object_readable_ + offset; }
  unsigned char* Writable(uint64_t offset) const { return object_writable_ + offset; }
  shm::ObjectSlot<shm::RealAtomics>& Slot(uint32_t slot) const {
    return reinterpret_cast<shm::ObjectSlot<shm::RealAtomics>*>(object_writable_)[slot];
  }

  // A private mapping of the pages of `size` bytes at `data`, as an address of those bytes; nullptr when they do not all lie in the readable view.
  Result<unsigned char*> CopyOnWrite(const unsigned char* data, uint64_t size) const;
  static void EndCopyOnWrite(unsigned char* view, uint64_t size);

  // The channel at `offset`, nullptr if that does not lie in the control arena or its header is damaged.
  bool View(uint64_t offset, shm::ChannelView* view) const;
  shm::ProcessPage* Page(uint32_t index) const {
    return index < header()->process_pages ? &shm::PageAt(control_, index) : nullptr;
  }

 private:
  const shm::ControlHeader* header() const { return static_cast<shm::ControlHeader*>(control_); }

  void* control_ = nullptr;
  uint64_t control_bytes_ = 0;
  unsigned char* object_writable_ = nullptr;
  unsigned char* object_readable_ = nullptr;
  uint64_t object_bytes_ = 0;
  UniqueFd object_fd_;
  uint32_t page_ = 0;
};

}  // namespace manta::worker
