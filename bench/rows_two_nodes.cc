// Two nodes on one machine.

#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "helper_programs.h"
#include "processes.h"
#include "raw_relay.h"
#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

// Who shares a core with whom decides much: each figure is compared with that of the same placement.
constexpr const char* kConfined = "each node on a core of its own";
constexpr const char* kFree = "anywhere";

void CallRelay(RowContext& context, RawRelay& relay, const std::string& name) {
  const int calls = context.Pick(20'000, 2'000);
  Latencies latencies(static_cast<size_t>(calls));
  LatencyRounds rounds;
  Placement placement;
  uint64_t argument = 0;
  for (int round = 0; round < context.rounds(); ++round) {
    for (int call = -calls / 10; call < calls; ++call) {
      ++argument;
      const int64_t begin = NowNs();
      const uint64_t result = relay.Call(argument);
      const int64_t end = NowNs();
      if (call >= 0) latencies.Add(end - begin);
      CheckSum("relay", result, Scramble(argument));
      if (call % 256 == 0) placement.Saw(sched_getcpu(), relay.worker_cpu());
    }
    rounds.Add(&latencies);
  }
  context.ReportLatency(name, rounds);
  context.Report(placement, name);
}

void RunRawRelay(RowContext& context) {
  RawRelay relay;
  CallRelay(context, relay, kFree);
  relay.ConfineEachSide();
  CallRelay(context, relay, kConfined);
  Confine(getpid(), AllCores());
}

// The text of a field in what `manta start --json` prints.
std::string FieldOf(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const size_t begin = json.find(key);
  Require(begin != std::string::npos, "manta start has not said " + name + ": " + json);
  const size_t value = begin + key.size();
  return json.substr(value, json.find('"', value) - value);
}

int NumberOf(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  const size_t begin = json.find(key);
  Require(begin != std::string::npos, "manta start has not said " + name + ": " + json);
  return std::stoi(json.substr(begin + key.size()));
}

struct TwoNodes {
  TwoNodes() {
    const std::string head =
        OutputOf(MantaProgram(), {"start", "--head", "--port=0", "--json", "--num-cpus=1"});
    session_ = FieldOf(head, "session");
    daemons_[0] = NumberOf(head, "pid");
    const std::string other = OutputOf(MantaProgram(), {"start", "--address=" + FieldOf(head, "node_address"), "--json",
                                                        "--num-cpus=1", "--resource=far=1"});
    daemons_[1] = NumberOf(other, "pid");
  }
  ~TwoNodes() { OutputOf(MantaProgram(), {"stop", "--address", session_}); }

  // This driver belongs to the first one, `worker` to the second.
  void Confine(pid_t worker) {
    bench::Confine(getpid(), OneCore(0));
    bench::Confine(daemons_[0], OneCore(0));
    bench::Confine(daemons_[1], OneCore(1));
    bench::Confine(worker, OneCore(1));
  }

 private:
  std::string session_;
  pid_t daemons_[2];
};

void RunTwoNodes(RowContext& context) {
  const SessionFolder folder;
  TwoNodes nodes;
  Config config;
  config.address = "auto";
  Cluster cluster(config);
  while (ClusterResources().count("far") == 0) SleepNs(1'000'000);
  const auto call = [task = Task(ScrambleTask).SetResource("far", 1)](uint64_t argument) {
    return *Get(task.Remote(argument));
  };
  const auto where = [task = Task(WhereTask).SetResource("far", 1)](uint64_t nonce) {
    return *Get(task.Remote(nonce));
  };
  const auto measure = [&](const std::string& name, const std::optional<Target>& target) {
    Placement placement;
    MeasureRoundTrips(context, {name, 0, context.Pick(20'000, 2'000), target, {"nodes.raw_relay/" + name + " p50"}}, call, where,
                      &placement);
    context.Report(placement, name);
  };
  measure(kFree, std::nullopt);
  nodes.Confine(where(1).pid);
  measure(kConfined, Target{"1.5 times the bare relay", 0, 1.5, "nodes.raw_relay/" + std::string(kConfined) + " p50"});
  Confine(getpid(), AllCores());
}

}  // namespace

std::vector<Row> TwoNodesRows() {
  return {
      {"nodes.raw_relay", "a bare relay through four processes: ring, TCP, ring", RunRawRelay},
      {"nodes.roundtrip", "task round trip between two nodes on one machine", RunTwoNodes},
  };
}

}  // namespace manta::bench
