#include "worker/node_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace manta::worker {

Result<NodeMemory> NodeMemory::Map(int control_fd, uint64_t control_bytes, int object_fd,
                                   uint64_t object_bytes, uint32_t page) {
  NodeMemory memory;
  memory.control_bytes_ = control_bytes;
  memory.object_bytes_ = object_bytes;
  memory.page_ = page;
  const auto map = [](int fd, uint64_t bytes, int protection) {
    return mmap(nullptr, bytes, protection, MAP_SHARED | MAP_NORESERVE, fd, 0);
  };
  void* control = map(control_fd, control_bytes, PROT_READ | PROT_WRITE);
  void* writable = map(object_fd, object_bytes, PROT_READ | PROT_WRITE);
  void* readable = map(object_fd, object_bytes, PROT_READ);
  const int error_number = errno;
  close(control_fd);
  memory.object_fd_ = UniqueFd(object_fd);
  if (control != MAP_FAILED) memory.control_ = control;
  if (writable != MAP_FAILED) memory.object_writable_ = static_cast<unsigned char*>(writable);
  if (readable != MAP_FAILED) memory.object_readable_ = static_cast<unsigned char*>(readable);
  if (control == MAP_FAILED || writable == MAP_FAILED || readable == MAP_FAILED) {
    return ErrnoError("mapping the node's shared memory (is the address space limited by ulimit -v?)",
                      error_number);
  }
  const shm::ControlHeader* header = memory.header();
  if (header->magic != shm::kControlMagic || header->layout != shm::kControlLayout ||
      header->process_page_bytes != sizeof(shm::ProcessPage) || page >= header->process_pages ||
      header->bytes != control_bytes) {
    return MakeError(MANTA_ERROR_VERSION_MISMATCH,
                     "the node daemon lays out its shared memory in another way than this library "
                     "(layout " + std::to_string(header->layout) + ", expected " +
                         std::to_string(shm::kControlLayout) + "): install matching versions");
  }
  return memory;
}

NodeMemory& NodeMemory::operator=(NodeMemory&& other) noexcept {
  std::swap(control_, other.control_);
  std::swap(control_bytes_, other.control_bytes_);
  std::swap(object_writable_, other.object_writable_);
  std::swap(object_readable_, other.object_readable_);
  std::swap(object_bytes_, other.object_bytes_);
  std::swap(object_fd_, other.object_fd_);
  std::swap(page_, other.page_);
  return *this;
}

NodeMemory::~NodeMemory() {
  if (control_ != nullptr) munmap(control_, control_bytes_);
  if (object_writable_ != nullptr) munmap(object_writable_, object_bytes_);
  if (object_readable_ != nullptr) munmap(object_readable_, object_bytes_);
}

namespace {

// What lies before `address` in its page.
uint64_t InPage(const unsigned char* address) { return reinterpret_cast<uintptr_t>(address) % static_cast<uint64_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

Result<unsigned char*> NodeMemory::CopyOnWrite(const unsigned char* data, uint64_t size) const {
  if (size == 0 || data < object_readable_ || data >= object_readable_ + object_bytes_ ||
      size > static_cast<uint64_t>(object_readable_ + object_bytes_ - data)) {
    return nullptr;
  }
  const uint64_t before = InPage(data);
  void* const pages = mmap(nullptr, before + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, object_fd_.get(),
                           static_cast<off_t>(data - object_readable_ - before));
  if (pages == MAP_FAILED) return ErrnoError("mapping an object to write into a copy of its pages (too many mappings? sysctl vm.max_map_count)", errno);
  return static_cast<unsigned char*>(pages) + before;
}

void NodeMemory::EndCopyOnWrite(unsigned char* view, uint64_t size) {
  const uint64_t before = InPage(view);
  munmap(view - before, before + size);
}

bool NodeMemory::View(uint64_t offset, shm::ChannelView* view) const {
  if (offset % shm::kCacheLine != 0 || offset > control_bytes_ - sizeof(shm::ChannelHeader)) {
    return false;
  }
  *view = shm::ViewChannel(control_, offset);
  const shm::ChannelHeader& channel = *view->header;
  return channel.log2_slots <= 16 && channel.log2_completions <= 16 &&
         channel.task_payload_bytes <= control_bytes_ && channel.result_payload_bytes <= control_bytes_ &&
         channel.bytes <= control_bytes_ - offset &&
         shm::ChannelBytes(channel.log2_slots, channel.log2_completions, channel.task_payload_bytes,
                           channel.result_payload_bytes) <= channel.bytes;
}

}  // namespace manta::worker
