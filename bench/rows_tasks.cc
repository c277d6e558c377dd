// Rates and round trips of tasks.

#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

void RunBatches(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  TaskBatch batch(1000);
  uint64_t first = 0;
  const BatchRates rates = MeasureRate(context, [&] { return batch.Run(first += 1000); });
  CheckTasksRunElsewhere();
  context.ReportRate("rate", rates, Target{"8,000,000/s", 8e6},
                     {"raw.tbb/rate", "raw.slots/rate", "raw.function/rate"});
}

void RunRoundTrips(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  const auto call = [task = Task(ScrambleTask)](uint64_t argument) {
    return *Get(task.Remote(argument));
  };
  const auto where = [task = Task(WhereTask)](uint64_t nonce) { return *Get(task.Remote(nonce)); };
  Placement placement;
  MeasureRoundTrips(context,
                    {"",
                     0,
                     context.Pick(100'000, 10'000),
                     Target{"raw ping-pong + 0.7 µs", 700, 1, "raw.pingpong/p50"},
                     {"raw.pingpong/p50"}},
                    call, where, &placement);
  context.Report(placement);
  Placement placement_100us;
  MeasureRoundTrips(
      context,
      {"100us",
       100'000,
       context.Pick(1'000, 200),
       {},
       {"raw.pingpong_parked/worker parks 100us p50", "raw.pingpong_parked/both park 100us p50"}},
      call, where, &placement_100us);
  Placement placement_10ms;
  MeasureRoundTrips(
      context,
      {"10ms",
       10'000'000,
       context.Pick(50, 10),
       {},
       {"raw.pingpong_parked/worker parks 10ms p50", "raw.pingpong_parked/both park 10ms p50"}},
      call, where, &placement_10ms);
  context.Report(placement_100us, "100 µs between");
  context.Report(placement_10ms, "10 ms between");
}

}  // namespace

std::vector<Row> TaskRows() {
  return {
      {"tasks.batch",
       "Task(f).Remote(i) 1,000 times, then GetInto; the references of the batch before are "
       "dropped inside of the "
       "measured time; one driver, one thread",
       RunBatches,
       60,
       {"raw.tbb", "raw.slots", "raw.function"}},
      {"tasks.roundtrip",
       "Get(Task(f).Remote(i)) one at a time: back to back, and after a sleep of 100 µs and of 10 "
       "ms",
       RunRoundTrips,
       120,
       {"raw.pingpong", "raw.pingpong_parked"}},
  };
}

}  // namespace manta::bench
