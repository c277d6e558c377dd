// Shared memory without a name: a sealed memfd, and what this process maps of it.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"

namespace manta::node {

class MemoryFile {
 public:
  // Sparse: `bytes` of address space, no memory. It can neither shrink nor grow, so no peer can make another's access fault.
  static Result<MemoryFile> Create(const char* label, uint64_t bytes);

  MemoryFile() = default;
  MemoryFile(MemoryFile&& other) noexcept { *this = static_cast<MemoryFile&&>(other); }
  MemoryFile& operator=(MemoryFile&& other) noexcept;
  ~MemoryFile();

  // Maps the first `bytes`, readable and writable. At most once.
  Result<unsigned char*> Map(uint64_t bytes);

  // Gives the memory of a range back to the system; it reads as zeros afterwards.
  void Punch(uint64_t offset, uint64_t bytes);

  int fd() const { return fd_.get(); }
  uint64_t bytes() const { return bytes_; }
  UniqueFd Duplicate() const;  // close-on-exec

 private:
  UniqueFd fd_;
  uint64_t bytes_ = 0;
  unsigned char* mapped_ = nullptr;
  uint64_t mapped_bytes_ = 0;
};

}  // namespace manta::node
