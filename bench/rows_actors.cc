// Calls of actors.

#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

void RunActorRoundTrips(RowContext& context) {
  Cluster cluster;
  const ActorHandle<Echo> actor = Actor<Echo>().Remote();
  const auto call = [task = actor.Task(&Echo::Scramble)](uint64_t argument) {
    return *Get(task.Remote(argument));
  };
  const auto where = [task = actor.Task(&Echo::Where)](uint64_t nonce) {
    return *Get(task.Remote(nonce));
  };
  RequireOtherProcess(where(1).pid);
  Placement placement;
  MeasureRoundTrips(context,
                    {"",
                     0,
                     context.Pick(100'000, 10'000),
                     Target{"raw ping-pong + 0.7 µs", 700, 1, "raw.pingpong/p50"},
                     {"raw.pingpong/p50"}},
                    call, where, &placement);
  context.Report(placement);
}

void RunActorPipelined(RowContext& context) {
  Cluster cluster;
  const ActorHandle<Echo> actor = Actor<Echo>().Remote();
  RequireOtherProcess(Get(actor.Task(&Echo::Where).Remote(uint64_t{1}))->pid);
  const auto task = actor.Task(&Echo::Scramble);
  std::vector<ObjectRef<uint64_t>> references;
  std::vector<uint64_t> values;
  uint64_t first = 0;
  const BatchRates rates = MeasureRate(context, [&] {
    first += 1000;
    references.clear();
    for (uint64_t i = 0; i < 1000; ++i) references.push_back(task.Remote(first + i));
    GetInto(references, values);
    uint64_t sum = 0;
    for (const uint64_t value : values) sum += value;
    CheckSum("batch of calls", sum, ExpectedSum(first, 1000));
    return uint64_t{1000};
  });
  context.ReportRate("rate", rates, Target{"8,000,000/s", 8e6},
                     {"raw.slots/rate", "tasks.batch/rate"});
}

}  // namespace

std::vector<Row> ActorRows() {
  return {
      {"actors.roundtrip",
       "Get(actor.Task(&C::f).Remote(i)) one at a time, back to back",
       RunActorRoundTrips,
       60,
       {"raw.pingpong"}},
      {"actors.pipelined",
       "1,000 calls of one actor, then GetInto",
       RunActorPipelined,
       60,
       {"raw.slots", "tasks.batch"}},
  };
}

}  // namespace manta::bench
