// What a million tasks in steady state cost beside time: system calls and allocations, of every
// process.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "allocation_counters.h"
#include "helper_programs.h"
#include "processes.h"
#include "roles.h"
#include "rows.h"
#include "syscall_tracer.h"
#include "workload.h"

namespace manta::bench {
namespace {

enum class Phase : uint32_t { kStarting, kReady, kGo, kDone, kLeave };

struct CostControl {
  std::atomic<Phase> phase{Phase::kStarting};
  std::atomic<uint64_t> tasks{0};
  char failure[512]{};
};

// Warms up, then waits (without a system call) until it is watched, and runs the tasks. Argument:
// path of the CostControl.
int CostDriver(const std::vector<std::string>& arguments) {
  SharedBlock<CostControl> control(arguments.at(0));
  const auto await = [&](Phase phase, const auto& meanwhile) {
    while (control->phase.load() != phase) meanwhile();
  };
  try {
    Cluster cluster;
    CheckTasksRunElsewhere();
    TaskBatch batch(1000);
    uint64_t first = 0;
    for (int i = 0; i < 300; ++i) batch.Run(first += 1000);
    control->phase = Phase::kReady;
    // Not idle meanwhile: leases and spinning workers are to stay as they are in steady state.
    await(Phase::kGo, [&] { batch.Run(first += 1000); });
    for (uint64_t done = 0; done < control->tasks.load();) done += batch.Run(first += 1000);
    control->phase = Phase::kDone;
    await(Phase::kLeave, [&] { Relax(); });
    return 0;
  } catch (const Error& error) {
    std::snprintf(control->failure, sizeof control->failure, "%s", error.what());
  } catch (const std::exception& error) {
    std::snprintf(control->failure, sizeof control->failure, "%s", error.what());
  }
  return 1;
}

// The file of the counters, removed at the end.
class CountersFile {
 public:
  CountersFile() {
    char path[] = "/dev/shm/manta-bench-XXXXXX";
    const int fd = mkostemp(path, O_CLOEXEC);
    Require(fd >= 0 && ftruncate(fd, sizeof(AllocationCounters)) == 0, "no file for the counters");
    path_ = path;
    void* memory =
        mmap(nullptr, sizeof(AllocationCounters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    Require(memory != MAP_FAILED, "mmap of the counters failed");
    counters_ = static_cast<AllocationCounters*>(memory);
  }
  ~CountersFile() {
    unlink(path_.c_str());
    munmap(counters_, sizeof(AllocationCounters));
  }
  CountersFile(const CountersFile&) = delete;
  CountersFile& operator=(const CountersFile&) = delete;
  const std::string& path() const { return path_; }

  std::map<pid_t, uint64_t> Read() const {
    std::map<pid_t, uint64_t> calls;
    for (const AllocationCounters::Process& process : counters_->processes) {
      if (process.pid.load() != 0) calls[process.pid.load()] = process.calls.load();
    }
    return calls;
  }

 private:
  std::string path_;
  AllocationCounters* counters_;
};

struct ProcessCost {
  std::string name;
  uint64_t count = 0;
  std::string details;
};

std::string Text(const std::vector<ProcessCost>& costs) {
  std::string text;
  for (const ProcessCost& cost : costs) {
    text += (text.empty() ? "" : ", ") + cost.name + " " + std::to_string(cost.count);
    if (!cost.details.empty()) text += " (" + cost.details + ")";
  }
  return text;
}

std::string Details(const std::map<uint64_t, uint64_t>& calls) {
  std::vector<std::pair<uint64_t, uint64_t>> sorted;
  for (const auto& [number, count] : calls) sorted.push_back({count, number});
  std::sort(sorted.rbegin(), sorted.rend());
  std::string text;
  for (size_t i = 0; i < sorted.size() && i < 5; ++i) {
    text +=
        (i == 0 ? "" : " ") + SyscallName(sorted[i].second) + ":" + std::to_string(sorted[i].first);
  }
  return text;
}

// The driver in a process of its own, with allocations counted.
class WatchedDriver {
 public:
  explicit WatchedDriver(uint64_t tasks) {
    control_->tasks = tasks;
    const std::string library = ProgramFolder() + "/libmanta_bench_allocations.so";
    Require(access(library.c_str(), R_OK) == 0, library + " is missing");
    driver_ = StartRole("cost-driver", {control_.path()},
                        {{"LD_PRELOAD", library}, {kAllocationCountersVariable, counters_.path()}});
    Await(Phase::kReady);
    processes_ = ProcessesOf(driver_);
  }
  ~WatchedDriver() {
    if (driver_ > 0) {
      kill(driver_, SIGKILL);
      waitpid(driver_, nullptr, 0);
    }
  }
  WatchedDriver(const WatchedDriver&) = delete;
  WatchedDriver& operator=(const WatchedDriver&) = delete;

  void Await(Phase phase) {
    while (!Reached(phase)) SleepNs(1'000'000);
  }
  bool Reached(Phase phase) {
    Require(control_->failure[0] == '\0', std::string("the driver failed: ") + control_->failure);
    return control_->phase.load() == phase;
  }
  void Set(Phase phase) { control_->phase = phase; }
  void Finish() {
    Set(Phase::kLeave);
    AwaitRole(std::exchange(driver_, -1), "cost-driver");
  }

  const std::vector<Process>& processes() const { return processes_; }
  std::string NameOf(pid_t pid) const {
    for (const Process& process : processes_) {
      if (process.pid == pid) return bench::NameOf(process.role) + (" " + std::to_string(pid));
    }
    return "new process " + std::to_string(pid);
  }
  const CountersFile& counters() const { return counters_; }

 private:
  SharedBlock<CostControl> control_;
  CountersFile counters_;
  pid_t driver_ = -1;
  std::vector<Process> processes_;
};

void RunCost(RowContext& context) {
  const uint64_t tasks = context.Pick<uint64_t>(1'000'000, 200'000);
  const double per_million = 1e6 / static_cast<double>(tasks);
  std::vector<double> calls_each;
  std::vector<double> allocations_each;
  std::string calls_text;
  std::string allocations_text;
  for (int round = 0; round < context.Pick(3, 1); ++round) {
    {
      // Allocations first, without the tracer.
      WatchedDriver driver(tasks);
      const std::map<pid_t, uint64_t> before = driver.counters().Read();
      driver.Set(Phase::kGo);
      driver.Await(Phase::kDone);
      const std::map<pid_t, uint64_t> after = driver.counters().Read();
      std::vector<ProcessCost> costs;
      uint64_t total = 0;
      for (const auto& [pid, count] : after) {
        const auto known = before.find(pid);
        const uint64_t allocations = count - (known == before.end() ? 0 : known->second);
        total += allocations;
        costs.push_back({driver.NameOf(pid), allocations, ""});
      }
      for (const Process& process : driver.processes()) {
        Require(after.count(process.pid) != 0,
                "allocations of " + driver.NameOf(process.pid) + " are not counted");
      }
      driver.Finish();
      allocations_each.push_back(static_cast<double>(total) * per_million);
      allocations_text = Text(costs);
    }
    WatchedDriver driver(tasks);
    std::vector<pid_t> pids;
    for (const Process& process : driver.processes()) pids.push_back(process.pid);
    SyscallTracer tracer(pids);
    // The interruption of sleeping threads by attaching is over after a moment.
    const int64_t settled = NowNs() + 300'000'000;
    tracer.RunUntil([&] { return NowNs() > settled; });
    tracer.Reset();
    driver.Set(Phase::kGo);
    tracer.RunUntil([&] { return driver.Reached(Phase::kDone); });
    std::vector<ProcessCost> costs;
    uint64_t total = 0;
    for (const pid_t pid : pids) {
      uint64_t count = 0;
      const auto calls = tracer.counts().find(pid);
      if (calls != tracer.counts().end()) {
        for (const auto& [number, times] : calls->second) count += times;
      }
      costs.push_back({driver.NameOf(pid), count,
                       calls == tracer.counts().end() ? "" : Details(calls->second)});
    }
    for (const auto& [pid, by_number] : tracer.counts()) {
      for (const auto& [number, times] : by_number) total += times;
      if (std::find(pids.begin(), pids.end(), pid) == pids.end()) {
        costs.push_back({driver.NameOf(pid), 0, Details(by_number)});
      }
    }
    calls_each.push_back(static_cast<double>(total) * per_million);
    calls_text = Text(costs);
    // The tracer lets go before the driver leaves: nobody is stopped then.
  }
  context.Report(Metric{"system calls per million tasks", "", Better::kLower, calls_each,
                        Target{"under 1,000 in all processes", 999}});
  context.Report(Metric{"allocations per million tasks", "", Better::kLower, allocations_each,
                        Target{"under 1,000 in all processes", 999}});
  context.Note("system calls: " + calls_text);
  context.Note("allocations: " + allocations_text);
}

}  // namespace

Role CostDriverRole() { return CostDriver; }

std::vector<Row> CostRows() {
  return {
      {"tasks.cost",
       "system calls (ptrace) and allocations (LD_PRELOAD) of driver, daemon, zygotes and workers "
       "during 1,000,000 "
       "tasks in batches of 1,000, after 300 batches of warm-up; counted in separate runs",
       RunCost, 120},
  };
}

}  // namespace manta::bench
