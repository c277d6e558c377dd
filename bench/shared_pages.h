// Shared memory of a file of its own, as objects have it: what a copy into it costs is the yardstick for them.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>

#include "harness.h"

namespace manta::bench {

class SharedPages {
 public:
  explicit SharedPages(size_t bytes) : bytes_(bytes) {
    fd_ = memfd_create("bench", MFD_CLOEXEC);
    Require(fd_ >= 0 && ftruncate(fd_, static_cast<off_t>(bytes)) == 0, "no memfd of that size");
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    Require(memory != MAP_FAILED, "mmap failed");
    data_ = static_cast<unsigned char*>(memory);
  }
  ~SharedPages() {
    munmap(data_, bytes_);
    close(fd_);
  }
  SharedPages(const SharedPages&) = delete;
  SharedPages& operator=(const SharedPages&) = delete;
  unsigned char* data() const { return data_; }

 private:
  size_t bytes_;
  int fd_;
  unsigned char* data_;
};

}  // namespace manta::bench
