// Starting and idling.

#include <sched.h>
#include <unistd.h>

#include <algorithm>

#include "helper_programs.h"
#include "processes.h"
#include "roles.h"
#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

// ---- Init

struct FirstResult {
  std::atomic<int64_t> to_init_ns{0};
  std::atomic<int64_t> to_result_ns{0};
  std::atomic<int64_t> shutdown_ns{0};
  std::atomic<int32_t> driver_cpu{0};
  std::atomic<int32_t> worker_cpu{0};
};

// Argument: path of the FirstResult.
int FirstResultMain(const std::vector<std::string>& arguments) {
  SharedBlock<FirstResult> result(arguments.at(0));
  const int64_t start = NowNs();
  Init();
  const int64_t initialized = NowNs();
  const Whereabouts there = *Get(Task(WhereTask).Remote(uint64_t{1}));
  const int64_t got = NowNs();
  result->driver_cpu = sched_getcpu();
  result->worker_cpu = there.cpu;
  RequireOtherProcess(there.pid);
  Shutdown();
  result->shutdown_ns = NowNs() - got;
  result->to_init_ns = initialized - start;
  result->to_result_ns = got - start;
  return 0;
}

void RunInit(RowContext& context) {
  std::vector<double> to_init;
  std::vector<double> to_result;
  std::vector<double> shutdown;
  Placement placement;
  for (int round = 0; round < context.Pick(20, 5); ++round) {
    SharedBlock<FirstResult> result;
    AwaitRole(StartRole("first-result", {result.path()}), "first-result");
    to_init.push_back(static_cast<double>(result->to_init_ns.load()));
    to_result.push_back(static_cast<double>(result->to_result_ns.load()));
    shutdown.push_back(static_cast<double>(result->shutdown_ns.load()));
    placement.Saw(result->driver_cpu, result->worker_cpu);
  }
  context.Report(Metric{"Init to first result", kNs, Better::kLower, to_result,
                        Target{"30 ms (Ray: 6 s)", 30e6}});
  context.Report(Metric{"Init alone", kNs, Better::kLower, to_init});
  context.Report(Metric{"Shutdown", kNs, Better::kLower, shutdown});
  context.Report(placement);
}

// ---- Workers

void RunNewWorker(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  std::vector<double> times;
  std::vector<int> pids;
  Placement placement;
  for (int round = -1; round < context.Pick(30, 8); ++round) {
    const int64_t start = NowNs();
    const ActorHandle<Echo> actor = Actor<Echo>().SetNumCpus(0).Remote();
    const Whereabouts there =
        *Get(actor.Task(&Echo::Where).Remote(static_cast<uint64_t>(round + 2)));
    const int64_t elapsed = NowNs() - start;
    RequireOtherProcess(there.pid);
    pids.push_back(there.pid);
    placement.Saw(sched_getcpu(), there.cpu);
    if (round >= 0) times.push_back(static_cast<double>(elapsed));
    SleepNs(20'000'000);
  }
  std::sort(pids.begin(), pids.end());
  const auto distinct = std::unique(pids.begin(), pids.end()) - pids.begin();
  context.Report(Metric{"actor's first answer", kNs, Better::kLower, times, Target{"2 ms", 2e6}});
  context.Report(placement);
  context.Note(std::to_string(distinct) + " processes for " + std::to_string(pids.size()) +
               " actors; 20 ms between them, in which the runtime may prepare");
}

void RunManyActors(RowContext& context) {
  const uint64_t count = context.Pick<uint64_t>(1'000, 100);
  const double scale = 1'000 / static_cast<double>(count);
  std::vector<double> times;
  std::vector<double> create_times;
  std::vector<double> memory;
  Placement placement;
  for (int round = 0; round < context.Pick(3, 1); ++round) {
    Cluster cluster;
    CheckTasksRunElsewhere();
    std::vector<ActorHandle<Echo>> actors;
    std::vector<ObjectRef<Whereabouts>> references;
    const int64_t start = NowNs();
    for (uint64_t i = 0; i < count; ++i) actors.push_back(Actor<Echo>().SetNumCpus(0).Remote());
    const int64_t created = NowNs();
    for (uint64_t i = 0; i < count; ++i)
      references.push_back(actors[i].Task(&Echo::Where).Remote(i));
    std::vector<Whereabouts> places;
    GetInto(references, places);
    times.push_back(static_cast<double>(NowNs() - start) * scale);
    create_times.push_back(static_cast<double>(created - start) * scale);
    uint64_t sum = 0;
    std::set<int> pids;
    for (const Whereabouts& place : places) {
      sum += place.nonce;
      pids.insert(place.pid);
      placement.Saw(sched_getcpu(), place.cpu);
    }
    CheckSum("actors", sum, count * (count - 1) / 2);
    Require(pids.size() == count && pids.count(getpid()) == 0, "actors do not have a process each");
    uint64_t total = 0;
    for (const Process& process : ProcessesOf(getpid())) {
      if (process.role == ProcessRole::kWorker) total += PssOf(process.pid);
    }
    memory.push_back(static_cast<double>(total) / static_cast<double>(count));
  }
  context.Report(
      Metric{"1,000 actors", kNs, Better::kLower, times, Target{"2 s (Ray: 43 s for 100)", 2e9}});
  context.Report(Metric{"of that, Remote returned", kNs, Better::kLower, create_times});
  context.Report(Metric{"memory (PSS) of an actor", kBytes, Better::kLower, memory});
  context.Report(placement);
  if (count != 1'000)
    context.Note("measured with " + std::to_string(count) + " actors, times scaled");
}

// ---- Idle

void RunIdle(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  TaskBatch batch(1000);
  for (uint64_t i = 0; i < 1000; ++i) batch.Run(i * 1000);
  SleepNs(100'000'000);
  const std::vector<Process> processes = ProcessesOf(getpid());
  const auto cpu = [&] {
    std::vector<int64_t> used;
    for (const Process& process : processes) used.push_back(CpuNsOf(process.pid));
    return used;
  };
  const std::vector<int64_t> before = cpu();
  const int64_t start = NowNs();
  SleepNs(context.Pick<int64_t>(3'000'000'000, 1'000'000'000));
  const std::vector<int64_t> after = cpu();
  const auto elapsed = static_cast<double>(NowNs() - start);
  double percent = 0;
  double bytes = 0;
  double driver_bytes = 0;
  std::string text;
  for (size_t i = 0; i < processes.size(); ++i) {
    const double share = 100 * static_cast<double>(after[i] - before[i]) / elapsed;
    const auto pss = static_cast<double>(PssOf(processes[i].pid));
    percent += share;
    (processes[i].role == ProcessRole::kDriver ? driver_bytes : bytes) += pss;
    char line[128];
    std::snprintf(line, sizeof line, "%s%s %.1f MiB %.3f %%", text.empty() ? "" : ", ",
                  NameOf(processes[i].role), pss / 1024 / 1024, share);
    text += line;
  }
  std::vector<Process> started;
  for (const Process& process : processes) {
    if (process.role != ProcessRole::kDriver) started.push_back(process);
  }
  const Memory memory = MemoryOf(started);
  const Target target{"60 MiB (Ray: 1.7 GiB)", 60.0 * 1024 * 1024};
  context.Report(
      Metric{"memory (PSS) without the driver", kBytes, Better::kLower, {bytes}, target});
  context.Report(Metric{"the same, unmapped shared pages too",
                        kBytes,
                        Better::kLower,
                        {static_cast<double>(memory.own + memory.shared)},
                        target});
  context.Report(Metric{"memory (PSS) of the driver", kBytes, Better::kLower, {driver_bytes}});
  context.Report(Metric{"CPU of one core, driver included",
                        "%",
                        Better::kLower,
                        {percent},
                        Target{"below 0.5 % of a core", 0.5}});
  context.Report(Metric{
      "processes, driver included", "", Better::kLower, {static_cast<double>(processes.size())}});
  context.Note(text);
}

}  // namespace

Role FirstResultRole() { return FirstResultMain; }

std::vector<Row> StartRows() {
  return {
      {"start.init",
       "Init of a local cluster until the first task's result, each time in a new process",
       RunInit},
      {"start.worker",
       "Actor().Remote() until its first method's result, in a cluster that runs already",
       RunNewWorker},
      {"start.actors",
       "1,000 actors (SetNumCpus(0)) created and each called once, all results fetched",
       RunManyActors, 180},
      {"start.idle",
       "memory, and CPU time over 3 s (quick: 1 s) that begin 100 ms after a million tasks",
       RunIdle},
  };
}

}  // namespace manta::bench
