#include "node/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <string>
#include <utility>

namespace manta::node {

Result<MemoryFile> MemoryFile::Create(const char* label, uint64_t bytes) {
  MemoryFile file;
  file.fd_ = UniqueFd(memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.fd_) return ErrnoError(std::string("memfd_create of ") + label, errno);
  if (ftruncate(file.fd_.get(), static_cast<off_t>(bytes)) != 0) {
    return ErrnoError(std::string("sizing ") + label + " to " + std::to_string(bytes) + " bytes" +
                          (errno == EFBIG ? " (is the size of files limited by ulimit -f?)" : ""),
                      errno);
  }
  if (fcntl(file.fd_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return ErrnoError(std::string("sealing ") + label, errno);
  }
  file.bytes_ = bytes;
  return file;
}

MemoryFile& MemoryFile::operator=(MemoryFile&& other) noexcept {
  if (this == &other) return *this;
  if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  fd_ = std::move(other.fd_);
  bytes_ = std::exchange(other.bytes_, 0);
  mapped_ = std::exchange(other.mapped_, nullptr);
  mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
  return *this;
}

MemoryFile::~MemoryFile() {
  if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
}

Result<unsigned char*> MemoryFile::Map(uint64_t bytes) {
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                       fd_.get(), 0);
  if (address == MAP_FAILED) {
    return ErrnoError("mapping " + std::to_string(bytes) + " bytes of shared memory (is the address space limited by ulimit -v?)", errno);
  }
  madvise(address, bytes, MADV_DONTDUMP);  // a core file of the daemon is about the daemon
  mapped_ = static_cast<unsigned char*>(address);
  mapped_bytes_ = bytes;
  return mapped_;
}

void MemoryFile::Punch(uint64_t offset, uint64_t bytes) {
  fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
            static_cast<off_t>(bytes));
}

UniqueFd MemoryFile::Duplicate() const { return UniqueFd(fcntl(fd_.get(), F_DUPFD_CLOEXEC, 3)); }

}  // namespace manta::node
