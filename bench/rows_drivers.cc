// Several threads of one driver, and several drivers of one cluster.

#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "helper_programs.h"
#include "processes.h"
#include "roles.h"
#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

constexpr int kThreads = 4;

Metric Fairness(const std::string& name, std::vector<double> rounds) {
  return Metric{name, "", Better::kLower, std::move(rounds), Target{"fair within 20 %", 1.2}};
}

// The machine's speed varies within a run: what is compared is measured in turn.
void RunThreads(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  std::vector<double> alone;
  std::vector<double> rates;
  std::vector<double> ratios;
  std::vector<double> unfairness;
  for (int round = -1; round < context.rounds(); ++round) {
    alone.push_back(RateOfBatches(context.round_ns() / 2));
    std::atomic<int> ready{0};
    std::atomic<bool> stop{false};
    std::vector<uint64_t> done(kThreads);
    std::vector<std::string> failures(kThreads);
    std::vector<std::thread> threads;
    for (int index = 0; index < kThreads; ++index) {
      threads.emplace_back([&, index] {
        try {
          TaskBatch batch(1000);
          uint64_t first = static_cast<uint64_t>(index + 1) << 40;
          ++ready;
          while (ready.load() < kThreads) std::this_thread::yield();
          uint64_t count = 0;
          while (!stop.load(std::memory_order_relaxed)) count += batch.Run(first += 1000);
          done[static_cast<size_t>(index)] = count;
        } catch (const Error& error) {
          failures[static_cast<size_t>(index)] = error.what();
        } catch (const std::exception& error) {
          failures[static_cast<size_t>(index)] = error.what();
        }
      });
    }
    while (ready.load() < kThreads) SleepNs(100'000);
    const int64_t start = NowNs();
    SleepNs(context.round_ns());
    stop = true;
    for (std::thread& thread : threads) thread.join();
    const int64_t elapsed = NowNs() - start;
    for (const std::string& failure : failures) Require(failure.empty(), failure);
    if (round < 0) {
      alone.clear();
      continue;
    }
    uint64_t total = 0;
    for (const uint64_t count : done) total += count;
    rates.push_back(static_cast<double>(total) * 1e9 / static_cast<double>(elapsed));
    ratios.push_back(rates.back() / alone.back());
    const auto [least, most] = std::minmax_element(done.begin(), done.end());
    unfairness.push_back(static_cast<double>(*most) /
                         static_cast<double>(std::max<uint64_t>(*least, 1)));
  }
  context.Report(Metric{"total rate", kPerSecond, Better::kHigher, rates, {}, {"tasks.batch/rate"}});
  context.Report(Metric{"rate of one thread, in turn with them", kPerSecond, Better::kHigher, alone, {}, {"tasks.batch/rate"}});
  context.Report(Metric{"four threads / one", "", Better::kHigher, ratios, Target{"at most 10 % less in total", 0.9}});
  context.Report(Fairness("most / least tasks of a thread", unfairness));
}

// ---- Two drivers

constexpr int kDrivers = 2;
constexpr int kMaxRounds = 32;

struct TwoDrivers {
  std::atomic<uint32_t> round{0};    // which round runs; 0: none yet
  std::atomic<uint32_t> ready{0};    // drivers that are connected
  std::atomic<uint32_t> running{0};  // 1 while a round runs
  std::atomic<uint32_t> working{0};  // so many of the drivers work in it
  std::atomic<uint32_t> end{0};
  std::atomic<uint64_t> done[kDrivers][kMaxRounds]{};
  std::atomic<uint32_t> finished[kMaxRounds]{};
  char failure[kDrivers][256]{};
  uint32_t not_there_yet[kDrivers]{};
};

// Arguments: path of the TwoDrivers, index.
int DriverMain(const std::vector<std::string>& arguments) {
  SharedBlock<TwoDrivers> shared(arguments.at(0));
  const auto index = static_cast<size_t>(std::stoul(arguments.at(1)));
  const auto fail = [&](const char* text) {
    std::snprintf(shared->failure[index], sizeof shared->failure[index], "%s", text);
  };
  try {
    Config config;
    config.address = "auto";
    Cluster cluster(config);
    CheckTasksRunElsewhere();
    TaskBatch batch(1000);
    uint64_t first = uint64_t{index + 1} << 40;
    batch.Run(first);
    ++shared->ready;
    for (uint32_t seen = 0; shared->end.load() == 0;) {
      const uint32_t round = shared->round.load();
      if (round == seen) {
        SleepNs(100'000);
        continue;
      }
      seen = round;
      uint64_t count = 0;
      while (index < shared->working && shared->running.load(std::memory_order_relaxed) != 0)
        count += batch.Run(first += 1000);
      shared->done[index][round] = count;
      ++shared->finished[round];
    }
    return 0;
  } catch (const NotSupportedError& error) {
    shared->not_there_yet[index] = 1;
    fail(error.what());
  } catch (const Error& error) {
    fail(error.what());
  } catch (const std::exception& error) {
    fail(error.what());
  }
  return 0;
}

// A cluster that no driver owns. Its daemon becomes a child of this process, for as long as it
// lives.
class StandingCluster {
 public:
  StandingCluster() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    AwaitProgram(StartManta({"start", "--head", "--json"}), "manta start --head");
  }
  ~StandingCluster() {
    // Not only `manta stop` is to be waited for, but the daemon, too: until then it exists.
    const pid_t stop = StartManta({"stop", "--json"});
    for (pid_t ended; (ended = waitpid(-1, nullptr, 0)) > 0 && ended != stop;) {
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
  }
  StandingCluster(const StandingCluster&) = delete;
  StandingCluster& operator=(const StandingCluster&) = delete;
};

void RunDrivers(RowContext& context) {
  SharedBlock<TwoDrivers> shared;
  const SessionFolder folder;
  {
    StandingCluster cluster;
    std::vector<pid_t> drivers;
    for (int i = 0; i < kDrivers; ++i)
      drivers.push_back(StartRole("two-drivers", {shared.path(), std::to_string(i)}));
    const auto check = [&] {
      for (int i = 0; i < kDrivers; ++i) {
        if (shared->not_there_yet[i] != 0) throw NotThereYet(shared->failure[i]);
        Require(shared->failure[i][0] == '\0',
                std::string("a driver failed: ") + shared->failure[i]);
      }
    };
    const auto await = [&](const std::atomic<uint32_t>& word, const char* what) {
      const int64_t deadline = NowNs() + 20'000'000'000;
      while (word.load() < kDrivers) {
        check();
        Require(NowNs() < deadline, std::string("the drivers hang: ") + what);
        SleepNs(1'000'000);
      }
    };
    await(shared->ready, "connecting");
    std::vector<double> alone;
    std::vector<double> rates;
    std::vector<double> ratios;
    std::vector<double> unfairness;
    std::vector<double> cpu_shares;
    uint32_t last = 0;
    // Lets so many of the drivers work for a while; returns the sum of their rates.
    const auto run = [&](uint32_t working, int64_t ns) {
      shared->working = working;
      shared->running = 1;
      shared->round = ++last;
      const int64_t start = NowNs();
      SleepNs(ns);
      shared->running = 0;
      const int64_t elapsed = NowNs() - start;
      await(shared->finished[last], "in a round");
      const uint64_t done = shared->done[0][last] + shared->done[1][last];
      return static_cast<double>(done) * 1e9 / static_cast<double>(elapsed);
    };
    for (int round = 0; round <= context.rounds(); ++round) {
      const double of_one = run(1, context.round_ns() / 2);
      run(2, context.round_ns() / 3);  // until each has the workers that it needs
      const int64_t used_before[] = {CpuNsOf(drivers[0]), CpuNsOf(drivers[1])};
      const double of_both = run(2, context.round_ns());
      const auto cpu_a = static_cast<double>(CpuNsOf(drivers[0]) - used_before[0]);
      const auto cpu_b = static_cast<double>(CpuNsOf(drivers[1]) - used_before[1]);
      if (round == 0) continue;  // warm-up
      alone.push_back(of_one);
      rates.push_back(of_both);
      ratios.push_back(of_both / of_one);
      const auto a = static_cast<double>(shared->done[0][last].load());
      const auto b = static_cast<double>(shared->done[1][last].load());
      unfairness.push_back(std::max(a, b) / std::max(1.0, std::min(a, b)));
      cpu_shares.push_back(a > b ? cpu_a / cpu_b : cpu_b / cpu_a);
    }
    shared->end = 1;
    for (const pid_t driver : drivers) AwaitRole(driver, "two-drivers");
    check();
    context.Report(Metric{"total rate", kPerSecond, Better::kHigher, rates, {}, {"tasks.batch/rate"}});
    context.Report(Metric{"rate of one driver, in turn with them", kPerSecond, Better::kHigher, alone, {}, {"tasks.batch/rate"}});
    context.Report(Metric{"two drivers / one", "", Better::kHigher, ratios, Target{"at most 10 % less in total", 0.9}});
    context.Report(Fairness("more / less tasks of a driver", unfairness));
    context.Report(Metric{"CPU time that the kernel gave it / the other", "", Better::kLower, cpu_shares});
  }
}

}  // namespace

Role TwoDriversRole() { return DriverMain; }

std::vector<Row> DriverRows() {
  return {
      {"drivers.threads",
       "four threads of one driver, each with batches of 1,000 of its own",
       RunThreads,
       60,
       {"tasks.batch"}},
      {"drivers.processes",
       "two drivers (processes) of one cluster at once, each with batches of 1,000 of its own; a "
       "third process "
       "started the cluster and is quiet",
       RunDrivers,
       90,
       {"tasks.batch"}},
  };
}

}  // namespace manta::bench
