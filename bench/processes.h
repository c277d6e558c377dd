// What /proc says about the processes of a cluster, and memory shared between the processes of a
// row.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "harness.h"

namespace manta::bench {

enum class ProcessRole { kDriver, kDaemon, kZygote, kWorker, kOther };
const char* NameOf(ProcessRole role);

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string program;  // file name of its executable
  ProcessRole role = ProcessRole::kOther;
};

// `driver` first, then all its descendants: the daemon that it started, that one's zygotes, and
// their workers.
std::vector<Process> ProcessesOf(pid_t driver);
std::vector<pid_t> ThreadsOf(pid_t pid);

// The `index`th of the cores that this process could run on at its start, counted around.
cpu_set_t OneCore(size_t index);
cpu_set_t AllCores();
// Confines all threads that the process has now; those and the processes that they start inherit it.
void Confine(pid_t pid, const cpu_set_t& cores);

// What processes take, in bytes.
struct Memory {
  uint64_t pss =
      0;  // proportional set sizes: what they have mapped, pages that they share counted once
  uint64_t own = 0;     // of that, what is not shared memory
  uint64_t shared = 0;  // pages of the memory files that they hold, mapped or not
};
Memory MemoryOf(const std::vector<Process>& processes);
uint64_t PssOf(pid_t pid);
// CPU time used so far by all threads, in nanoseconds.
int64_t CpuNsOf(pid_t pid);
// CPU time used so far on the whole machine, in nanoseconds (resolution 10 ms).
int64_t MachineBusyNs();

// A T in memory shared with processes that Open it by path() as long as the creator lives. T starts
// out zeroed or as its default initialisers say.
template <class T>
class SharedBlock {
 public:
  SharedBlock() : fd_(memfd_create("bench-block", MFD_CLOEXEC)) {
    Require(fd_ >= 0 && ftruncate(fd_, sizeof(T)) == 0, "no memory for a shared block");
    block_ = new (Map(fd_)) T();
  }
  explicit SharedBlock(const std::string& path) : fd_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    Require(fd_ >= 0, "cannot open the shared block " + path);
    block_ = static_cast<T*>(Map(fd_));
  }
  ~SharedBlock() {
    munmap(block_, sizeof(T));
    close(fd_);
  }
  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;

  std::string path() const {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_);
  }
  T* operator->() const { return block_; }

 private:
  static void* Map(int fd) {
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    Require(memory != MAP_FAILED, "mmap of a shared block failed");
    return memory;
  }

  int fd_;
  T* block_;
};

}  // namespace manta::bench
