#include "tests/support/processes.h"

#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace manta_test {
namespace {

std::string ProcPath(pid_t pid, const std::string& file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> EntriesOf(const std::string& directory) {
  std::vector<std::string> names;
  DIR* entries = opendir(directory.c_str());
  if (entries == nullptr) return names;
  while (const dirent* entry = readdir(entries)) names.push_back(entry->d_name);
  closedir(entries);
  return names;
}

std::vector<pid_t> AllPids() {
  std::vector<pid_t> pids;
  for (const std::string& name : EntriesOf("/proc")) {
    if (const int pid = std::atoi(name.c_str()); pid > 0) pids.push_back(pid);
  }
  return pids;
}

// The fields of /proc/<pid>/stat from the third (state) on: the second may contain spaces.
std::vector<std::string> StatFields(pid_t pid) {
  const std::string text = ReadFile(ProcPath(pid, "stat"));
  std::vector<std::string> fields;
  const size_t end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) return fields;
  std::istringstream rest(text.substr(end_of_name + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

// Whether a list of strings that end in zero bytes has an entry that begins like this.
bool HasEntry(const std::string& list, const std::string& beginning) {
  return list.starts_with(beginning) || list.find('\0' + beginning) != std::string::npos;
}

int CountLines(const std::string& path, const std::string& part) {
  std::ifstream file(path);
  int count = 0;
  for (std::string line; std::getline(file, line);) count += line.find(part) != std::string::npos;
  return count;
}

int CountDescriptors(pid_t pid, const std::function<bool(const std::string&)>& counts) {
  int count = 0;
  for (const std::string& name : EntriesOf(ProcPath(pid, "fd"))) {
    char target[4096];
    const ssize_t size = readlink((ProcPath(pid, "fd/") + name).c_str(), target, sizeof target);
    if (size > 0 && counts(std::string(target, static_cast<size_t>(size)))) ++count;
  }
  return count;
}

const char* ToString(Role role) {
  switch (role) {
    case Role::kDaemon: return "daemon";
    case Role::kAttendant: return "attendant";
    case Role::kZygote: return "zygote";
    case Role::kWorker: return "worker";
    case Role::kOther: break;
  }
  return "other";
}

}  // namespace

std::vector<Process> ProcessesUnder(const std::string& root) {
  std::vector<Process> found;
  std::set<pid_t> daemons;
  std::set<pid_t> of_driver_program;
  for (pid_t pid : AllPids()) {
    const std::string environment = ReadFile(ProcPath(pid, "environ"));
    const std::string variable = "MANTA_TMPDIR=" + root;
    if (!HasEntry(environment, variable + '\0')) continue;
    const std::vector<std::string> stat = StatFields(pid);
    if (stat.size() < 18 || stat[0] == "Z" || stat[0] == "X") continue;
    Process process;
    process.pid = pid;
    process.state = stat[0][0];
    process.parent = std::atoi(stat[1].c_str());
    process.cpu_seconds = CpuSeconds(pid);
    process.threads = std::atoi(stat[17].c_str());
    process.command = ReadFile(ProcPath(pid, "cmdline"));
    std::replace(process.command.begin(), process.command.end(), '\0', ' ');
    if (HasEntry(environment, "MANTA_ZYGOTE_FD=")) of_driver_program.insert(pid);
    const std::string comm = ReadFile(ProcPath(pid, "comm"));
    if (comm == "manta-attendant\n") process.role = Role::kAttendant;
    if (comm == "manta-node\n") {
      process.role = Role::kDaemon;
      daemons.insert(pid);
    }
    found.push_back(std::move(process));
  }
  for (Process& process : found) {
    // What a daemon starts is its copy for a moment.
    if (process.role == Role::kDaemon && daemons.contains(process.parent)) process.role = Role::kOther;
    if (!of_driver_program.contains(process.pid)) continue;
    // A worker whose zygote has just died is a child of the daemon for a moment; but no zygote has shared memory.
    const bool forked = !daemons.contains(process.parent) || SharedMemoryMappings(process.pid) > 0;
    process.role = forked ? Role::kWorker : Role::kZygote;
  }
  std::sort(found.begin(), found.end(),
            [](const Process& a, const Process& b) { return a.pid < b.pid; });
  return found;
}

std::vector<Process> OfRole(const std::vector<Process>& processes, Role role) {
  std::vector<Process> chosen;
  for (const Process& process : processes) {
    if (process.role == role) chosen.push_back(process);
  }
  return chosen;
}

std::vector<pid_t> PidsOf(const std::vector<Process>& processes) {
  std::vector<pid_t> pids;
  for (const Process& process : processes) pids.push_back(process.pid);
  return pids;
}

std::string Describe(const std::vector<Process>& processes) {
  std::ostringstream text;
  for (const Process& process : processes) {
    text << "  " << ToString(process.role) << " pid " << process.pid << " of " << process.parent
         << ", state " << process.state << ", " << process.cpu_seconds << " s of CPU, "
         << process.threads << " threads: " << process.command << "\n";
  }
  return text.str();
}

bool IsAlive(pid_t pid) {
  const char state = StateOf(pid);
  return state != '?' && state != 'Z' && state != 'X';
}

char StateOf(pid_t pid) {
  const std::vector<std::string> stat = StatFields(pid);
  return stat.empty() ? '?' : stat[0][0];
}

double CpuSeconds(pid_t pid) {
  const std::vector<std::string> stat = StatFields(pid);
  if (stat.size() < 13) return 0;
  const double ticks = std::atof(stat[11].c_str()) + std::atof(stat[12].c_str());
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

int ThreadCount(pid_t pid) {
  return static_cast<int>(EntriesOf(ProcPath(pid, "task")).size()) - 2;  // "." and ".."
}

uint64_t ContextSwitches(pid_t pid) {
  uint64_t count = 0;
  for (const std::string& thread : EntriesOf(ProcPath(pid, "task"))) {
    std::ifstream status(ProcPath(pid, "task/" + thread + "/status"));
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) count += std::stoull(line.substr(24));
    }
  }
  return count;
}

int SharedMemoryMappings(pid_t pid) { return CountLines(ProcPath(pid, "maps"), "/memfd:manta"); }

int SharedMemoryDescriptors(pid_t pid) {
  return CountDescriptors(
      pid, [](const std::string& target) { return target.starts_with("/memfd:manta"); });
}

int OpenDescriptors(pid_t pid) {
  return CountDescriptors(pid, [](const std::string&) { return true; });
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (pid_t pid : AllPids()) {
    const std::vector<std::string> stat = StatFields(pid);
    if (stat.size() > 1 && std::atoi(stat[1].c_str()) == parent) children.push_back(pid);
  }
  return children;
}

}  // namespace manta_test
