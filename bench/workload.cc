#include "workload.h"

#include <sched.h>
#include <unistd.h>

namespace manta::bench {

uint64_t ScrambleTask(uint64_t argument) { return Scramble(argument); }
Whereabouts WhereTask(uint64_t nonce) { return {getpid(), sched_getcpu(), nonce}; }
uint64_t Echo::Scramble(uint64_t argument) { return bench::Scramble(argument); }
Whereabouts Echo::Where(uint64_t nonce) { return WhereTask(nonce); }

Cluster::~Cluster() {
  try {
    Shutdown();
  } catch (const Error&) {
    // The row has failed already, or its processes are cleaned up by the runner.
  }
}

void RequireOtherProcess(int pid) {
  Require(pid > 0 && pid != getpid(), "a task ran in the process that submitted it");
}

Whereabouts CheckTasksRunElsewhere() {
  const Whereabouts there = *Get(Task(WhereTask).Remote(uint64_t{1}));
  RequireOtherProcess(there.pid);
  return there;
}

void LookWhereTasksRun(Placement* placement) {
  const Whereabouts there = CheckTasksRunElsewhere();
  placement->Saw(sched_getcpu(), there.cpu);
}

double RateOfBatches(int64_t ns) {
  TaskBatch batch(1000);
  uint64_t first = 1;
  uint64_t count = 0;
  const int64_t start = NowNs();
  int64_t now = start;
  for (; now - start < ns; now = NowNs()) count += batch.Run(first += 1000);
  return static_cast<double>(count) * 1e9 / static_cast<double>(now - start);
}

uint64_t TaskBatch::Run(uint64_t first) {
  references_.clear();
  const auto task = Task(ScrambleTask);
  for (size_t i = 0; i < size_; ++i) references_.push_back(task.Remote(first + i));
  GetInto(references_, values_);
  uint64_t sum = 0;
  for (const uint64_t value : values_) sum += value;
  CheckSum("batch of tasks", sum, ExpectedSum(first, size_));
  return size_;
}

uint64_t ExpectedSum(uint64_t first, uint64_t count) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; ++i) sum += Scramble(first + i);
  return sum;
}

}  // namespace manta::bench
