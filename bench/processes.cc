#include "processes.h"

#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace manta::bench {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<pid_t> NumbersIn(const std::string& folder) {
  std::vector<pid_t> numbers;
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return numbers;
  while (const dirent* entry = readdir(directory)) {
    const pid_t number = static_cast<pid_t>(std::atoi(entry->d_name));
    if (number > 0) numbers.push_back(number);
  }
  closedir(directory);
  return numbers;
}

pid_t ParentOf(pid_t pid) {
  const std::string stat = ReadAll("/proc/" + std::to_string(pid) + "/stat");
  const size_t end_of_name = stat.rfind(')');
  if (end_of_name == std::string::npos || end_of_name + 4 > stat.size()) return 0;
  return static_cast<pid_t>(std::atoi(stat.c_str() + end_of_name + 4));  // ") S 123"
}

std::string ProgramOf(pid_t pid) {
  char path[PATH_MAX];
  const ssize_t length =
      readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), path, sizeof path - 1);
  const std::string whole(path, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  return whole.substr(whole.rfind('/') + 1);
}

}  // namespace

const char* NameOf(ProcessRole role) {
  switch (role) {
    case ProcessRole::kDriver:
      return "driver";
    case ProcessRole::kDaemon:
      return "daemon";
    case ProcessRole::kZygote:
      return "zygote";
    case ProcessRole::kWorker:
      return "worker";
    case ProcessRole::kOther:
      return "other";
  }
  return "other";
}

std::vector<Process> ProcessesOf(pid_t driver) {
  std::multimap<pid_t, pid_t> children;
  for (pid_t pid : NumbersIn("/proc")) children.insert({ParentOf(pid), pid});
  std::vector<Process> found = {
      {driver, ParentOf(driver), ProgramOf(driver), ProcessRole::kDriver}};
  for (size_t i = 0; i < found.size(); ++i) {
    const Process parent = found[i];
    const auto [begin, end] = children.equal_range(parent.pid);
    for (auto child = begin; child != end; ++child) {
      Process process{child->second, parent.pid, ProgramOf(child->second), ProcessRole::kOther};
      if (process.program.empty()) continue;  // gone, or about to be
      if (process.program == "manta") {
        process.role = ProcessRole::kDaemon;
      } else if (parent.role == ProcessRole::kDaemon) {
        process.role = ProcessRole::kZygote;
      } else if (parent.role == ProcessRole::kZygote) {
        process.role = ProcessRole::kWorker;
      }
      found.push_back(process);
    }
  }
  return found;
}

std::vector<pid_t> ThreadsOf(pid_t pid) {
  return NumbersIn("/proc/" + std::to_string(pid) + "/task");
}

cpu_set_t AllCores() {
  static const cpu_set_t all = [] {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    sched_getaffinity(0, sizeof cores, &cores);
    return cores;
  }();
  return all;
}

cpu_set_t OneCore(size_t index) {
  const cpu_set_t all = AllCores();
  index %= static_cast<size_t>(CPU_COUNT(&all));
  cpu_set_t one;
  CPU_ZERO(&one);
  for (size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &all) && index-- == 0) {
      CPU_SET(core, &one);
      break;
    }
  }
  return one;
}

void Confine(pid_t pid, const cpu_set_t& cores) {
  for (const pid_t thread : ThreadsOf(pid)) sched_setaffinity(thread, sizeof cores, &cores);
}

Memory MemoryOf(const std::vector<Process>& processes) {
  Memory memory;
  std::set<std::pair<dev_t, ino_t>> files;
  for (const Process& process : processes) {
    const std::string folder = "/proc/" + std::to_string(process.pid);
    std::istringstream rollup(ReadAll(folder + "/smaps_rollup"));
    for (std::string line; std::getline(rollup, line);) {
      const size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      const std::string name = line.substr(0, colon);
      const uint64_t bytes = std::strtoull(line.c_str() + colon + 1, nullptr, 10) * 1024;
      if (name == "Pss") memory.pss += bytes;
      if (name == "Pss_Anon" || name == "Pss_File") memory.own += bytes;
    }
    for (const pid_t descriptor : NumbersIn(folder + "/fd")) {
      const std::string path = folder + "/fd/" + std::to_string(descriptor);
      char target[64] = {};
      if (readlink(path.c_str(), target, sizeof target - 1) <= 0) continue;
      if (std::string(target).rfind("/memfd:", 0) != 0) continue;
      struct stat file {};
      if (stat(path.c_str(), &file) != 0 || !files.insert({file.st_dev, file.st_ino}).second)
        continue;
      memory.shared += static_cast<uint64_t>(file.st_blocks) * 512;
    }
  }
  return memory;
}

uint64_t PssOf(pid_t pid) { return MemoryOf({Process{pid, 0, "", ProcessRole::kOther}}).pss; }

int64_t CpuNsOf(pid_t pid) {
  clockid_t clock;
  timespec used;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec;
}

int64_t MachineBusyNs() {
  std::istringstream stat(ReadAll("/proc/stat"));
  std::string cpu;
  int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
  stat >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq;
  return (user + nice + system + irq + softirq) * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

}  // namespace manta::bench
