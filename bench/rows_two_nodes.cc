// Two nodes on one machine.

#include <cstdlib>

#include "helper_programs.h"
#include "raw_relay.h"
#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

void RunRawRelay(RowContext& context) {
  RawRelay relay;
  const int calls = context.Pick(20'000, 2'000);
  Latencies latencies(static_cast<size_t>(calls));
  LatencyRounds rounds;
  uint64_t argument = 0;
  for (int round = 0; round < context.rounds(); ++round) {
    for (int call = -calls / 10; call < calls; ++call) {
      ++argument;
      const int64_t begin = NowNs();
      const uint64_t result = relay.Call(argument);
      const int64_t end = NowNs();
      if (call >= 0) latencies.Add(end - begin);
      CheckSum("relay", result, Scramble(argument));
    }
    rounds.Add(&latencies);
  }
  context.ReportLatency("", rounds);
}

// The text of a field in what `manta start --json` prints.
std::string FieldOf(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const size_t begin = json.find(key);
  Require(begin != std::string::npos, "manta start has not said " + name + ": " + json);
  const size_t value = begin + key.size();
  return json.substr(value, json.find('"', value) - value);
}

struct TwoNodes {
  TwoNodes() {
    const std::string head =
        OutputOf(MantaProgram(), {"start", "--head", "--port=0", "--json", "--num-cpus=1"});
    session_ = FieldOf(head, "session");
    OutputOf(MantaProgram(), {"start", "--address=" + FieldOf(head, "node_address"), "--json",
                              "--num-cpus=1", "--resource=far=1"});
  }
  ~TwoNodes() { OutputOf(MantaProgram(), {"stop", "--address", session_}); }

 private:
  std::string session_;
};

void RunTwoNodes(RowContext& context) {
  const SessionFolder folder;
  const TwoNodes nodes;
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
  Placement placement;
  MeasureRoundTrips(context,
                    {"",
                     0,
                     context.Pick(20'000, 2'000),
                     Target{"1.5 times the bare relay", 0, 1.5, "nodes.raw_relay/p50"},
                     {"nodes.raw_relay/p50"}},
                    call, where, &placement);
  context.Report(placement);
}

}  // namespace

std::vector<Row> TwoNodesRows() {
  return {
      {"nodes.raw_relay", "a bare relay through four processes: ring, TCP, ring", RunRawRelay},
      {"nodes.roundtrip", "task round trip between two nodes on one machine", RunTwoNodes},
  };
}

}  // namespace manta::bench
