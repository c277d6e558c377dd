// The processes of the clusters that a test has started, seen from outside: through /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace manta_test {

enum class Role { kDaemon, kAttendant, kZygote, kWorker, kOther };

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  Role role = Role::kOther;
  char state = '?';         // as in /proc/<pid>/stat: R, S, D, T (stopped) ...
  double cpu_seconds = 0;   // used so far, user and system
  int threads = 0;
  std::string command;
};

// All processes whose environment names `root` as MANTA_TMPDIR, and which are alive, by pid. A driver is not among them: its
// environment was set after it had started.
std::vector<Process> ProcessesUnder(const std::string& root);

std::vector<Process> OfRole(const std::vector<Process>& processes, Role role);
std::vector<pid_t> PidsOf(const std::vector<Process>& processes);

// One line each, for messages of failed assertions.
std::string Describe(const std::vector<Process>& processes);

// Whether the process exists and is no zombie.
bool IsAlive(pid_t pid);
char StateOf(pid_t pid);
double CpuSeconds(pid_t pid);
int ThreadCount(pid_t pid);
// Calls of futex, poll, read, ... that put its threads to sleep or did so until they were woken.
uint64_t ContextSwitches(pid_t pid);

// Mappings and open descriptors of shared memory without a name (memfd) in a process.
int SharedMemoryMappings(pid_t pid);
int SharedMemoryDescriptors(pid_t pid);
int OpenDescriptors(pid_t pid);
// Direct children, zombies included.
std::vector<pid_t> ChildrenOf(pid_t pid);

}  // namespace manta_test
