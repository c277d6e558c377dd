#include "machine.h"

#include <sched.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "harness.h"
#include "report.h"

namespace manta::bench {
namespace {

std::string FieldOf(const std::string& path, const std::string& field) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field, 0) != 0) continue;
    const size_t colon = line.find(':');
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

double ClockCostNs() {
  constexpr int kCalls = 100'000;
  const int64_t start = NowNs();
  for (int i = 0; i < kCalls; ++i) (void)NowNs();
  return static_cast<double>(NowNs() - start) / kCalls;
}

}  // namespace

nlohmann::json DescribeMachine(bool quick) {
  utsname kernel{};
  uname(&kernel);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  const double load = std::strtod(FirstLine("/proc/loadavg").c_str(), nullptr);
  const std::string quota = FirstLine("/sys/fs/cgroup/cpu.max");
  const bool virtual_machine =
      FieldOf("/proc/cpuinfo", "flags").find(" hypervisor") != std::string::npos;
  char date[32];
  const time_t now = time(nullptr);
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));

  nlohmann::json machine = {
      {"date", date},
      {"cpu", FieldOf("/proc/cpuinfo", "model name")},
      {"cores", CPU_COUNT(&cpus)},
      {"cpu_quota", quota.empty() ? "none" : quota},
      {"virtual_machine", virtual_machine},
      {"kernel", kernel.release},
      {"memory", FieldOf("/proc/meminfo", "MemTotal")},
      {"clock_source",
       FirstLine("/sys/devices/system/clocksource/clocksource0/current_clocksource")},
      {"clock_cost_ns", ClockCostNs()},
      {"load_before", load},
      {"quick", quick},
  };
  char text[1024];
  std::snprintf(
      text, sizeof text,
      "machine: %s, %d cores%s, %s of memory, Linux %s, %s\n"
      "clock: one reading costs %.0f ns (one is in every latency); load before: %.2f%s%s",
      machine["cpu"].get<std::string>().c_str(), CPU_COUNT(&cpus),
      virtual_machine ? " (virtual machine)" : "", machine["memory"].get<std::string>().c_str(),
      kernel.release, date, machine["clock_cost_ns"].get<double>(), load,
      load > 0.5 ? " (the machine is NOT idle: figures are worse than they could be)" : "",
      quick ? "\nquick: few and short rounds, figures are rough" : "");
  machine["text"] = text;
  return machine;
}

double CacheLineRoundTripNs() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE && cpus.size() < 2; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) cpus.push_back(cpu);
  }
  if (cpus.size() < 2) return 0;

  struct alignas(64) Line {
    std::atomic<uint32_t> turn{0};
  };
  constexpr uint32_t kEnd = UINT32_MAX;
  constexpr uint32_t kTurns = 500;  // of one sample
  constexpr size_t kSamples = 15;
  constexpr int64_t kLimitNs = 50'000'000;
  Line there;
  Line back;
  const auto run_on = [](int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
  };
  std::thread other([&] {
    run_on(cpus[1]);
    for (uint32_t seen = 0; seen != kEnd;) {
      const uint32_t turn = there.turn.load(std::memory_order_acquire);
      if (turn != seen) back.turn.store(turn, std::memory_order_release);
      seen = turn;
      Relax();
    }
  });
  std::vector<double> samples;
  // A thread of its own too, for the caller's children would inherit where it may run.
  std::thread measuring([&] {
    run_on(cpus[0]);
    const int64_t end = NowNs() + kLimitNs;
    uint32_t turn = 0;
    for (bool late = false; !late && samples.size() < kSamples;) {
      const int64_t start = NowNs();
      for (uint32_t i = 0; i < kTurns && !late; ++i) {
        there.turn.store(++turn, std::memory_order_release);
        for (uint32_t spins = 1; !late && back.turn.load(std::memory_order_acquire) != turn; ++spins) {
          Relax();
          late = spins % 1024 == 0 && NowNs() > end;
        }
      }
      if (!late) samples.push_back(static_cast<double>(NowNs() - start) / kTurns);
    }
    there.turn.store(kEnd, std::memory_order_release);
  });
  measuring.join();
  other.join();
  return SpreadOf(samples).median;
}

}  // namespace manta::bench
