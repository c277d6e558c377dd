// libmanta_bench_allocations.so, for LD_PRELOAD: counts allocations of each process into the file
// that $MANTA_BENCH_ALLOCATIONS names (see allocation_counters.h). Does nothing without it.

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "allocation_counters.h"

// glibc's own, which stay reachable under these names.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace {

using manta::bench::AllocationCounters;

AllocationCounters* all_counters = nullptr;
AllocationCounters::Process* my_counters = nullptr;

void TakeCounters() {
  my_counters = nullptr;
  const int32_t pid = getpid();
  for (AllocationCounters::Process& process : all_counters->processes) {
    int32_t expected = 0;
    if (process.pid.compare_exchange_strong(expected, pid)) {
      my_counters = &process;
      return;
    }
  }
}

__attribute__((constructor)) void Start() {
  const char* path = getenv(manta::bench::kAllocationCountersVariable);
  if (path == nullptr) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* memory =
      mmap(nullptr, sizeof(AllocationCounters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return;
  all_counters = static_cast<AllocationCounters*>(memory);
  TakeCounters();
  pthread_atfork(nullptr, nullptr, TakeCounters);
}

void Count() {
  if (my_counters != nullptr) my_counters->calls.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED void* malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}
EXPORTED void* calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}
EXPORTED void* realloc(void* block, size_t size) {
  Count();
  return __libc_realloc(block, size);
}
EXPORTED void* memalign(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}
EXPORTED void* aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}
EXPORTED int posix_memalign(void** block, size_t alignment, size_t size) {
  if (alignment < sizeof(void*) || (alignment & (alignment - 1)) != 0) return EINVAL;
  Count();
  void* memory = __libc_memalign(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *block = memory;
  return 0;
}
