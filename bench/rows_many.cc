// Much of everything: a million queued tasks, thousands of references.

#include <algorithm>
#include <cstring>
#include <memory>

#include "processes.h"
#include "rows.h"
#include "workload.h"

namespace manta::bench {
namespace {

std::vector<ObjectRef<uint64_t>> SubmitTasks(uint64_t first, uint64_t count) {
  std::vector<ObjectRef<uint64_t>> references;
  references.reserve(count);
  const auto task = Task(ScrambleTask);
  for (uint64_t i = 0; i < count; ++i) references.push_back(task.Remote(first + i));
  return references;
}

void CheckResults(const std::vector<ObjectRef<uint64_t>>& references, uint64_t first) {
  std::vector<uint64_t> values;
  GetInto(references, values);
  uint64_t sum = 0;
  for (const uint64_t value : values) sum += value;
  CheckSum("results", sum, ExpectedSum(first, references.size()));
}

// ---- A million queued tasks

struct Gate {
  std::atomic<uint32_t> entered{0};
  std::atomic<uint32_t> open{0};
};

int BusyTask(const std::string& gate_path) {
  SharedBlock<Gate> gate(gate_path);
  gate->entered = 1;
  while (gate->open.load() == 0) SleepNs(1'000'000);
  return getpid();
}

uint64_t MemoryOfCluster() {
  const Memory memory = MemoryOf(ProcessesOf(getpid()));
  return memory.own + memory.shared;
}

void RunQueued(RowContext& context) {
  const uint64_t total = context.Pick<uint64_t>(1'000'000, 100'000);
  constexpr uint64_t kChunk = 1000;
  std::vector<double> bytes_each;
  std::vector<double> submit_rates;
  std::vector<double> drain_rates;
  std::vector<double> batch_rates;
  std::vector<double> ratios;
  for (int round = 0; round < context.Pick(3, 2); ++round) {
    Config config;
    config.num_cpus = 1;
    Cluster cluster(config);
    CheckTasksRunElsewhere();
    TaskBatch batch(kChunk);
    for (uint64_t i = 0; i < 100; ++i) batch.Run(i * kChunk);
    SharedBlock<Gate> gate;
    const ObjectRef<int> busy = Task(BusyTask).Remote(gate.path());
    const int64_t deadline = NowNs() + 10'000'000'000;
    while (gate->entered.load() == 0) {
      Require(NowNs() < deadline, "the busy task does not start");
      SleepNs(1'000'000);
    }
    const uint64_t before = MemoryOfCluster();
    std::vector<std::vector<ObjectRef<uint64_t>>> chunks;
    chunks.reserve(total / kChunk);
    const int64_t start = NowNs();
    for (uint64_t first = 0; first < total; first += kChunk)
      chunks.push_back(SubmitTasks(first, kChunk));
    const int64_t submitted = NowNs();
    const uint64_t after = MemoryOfCluster();
    size_t early = 0;
    for (const auto& chunk : chunks) early += WaitReady(chunk, 1, 0).size();
    Require(early == 0, "tasks ran although the only worker was busy");

    std::vector<uint64_t> values;
    uint64_t sum = 0;
    gate->open = 1;
    const int64_t opened = NowNs();
    RequireOtherProcess(*Get(busy));
    for (auto& chunk : chunks) {
      GetInto(chunk, values);
      for (const uint64_t value : values) sum += value;
      chunk.clear();
    }
    const int64_t drained = NowNs();
    CheckSum("queued tasks", sum, ExpectedSum(0, total));
    bytes_each.push_back((static_cast<double>(after) - static_cast<double>(before)) /
                         static_cast<double>(total));
    submit_rates.push_back(static_cast<double>(total) * 1e9 /
                           static_cast<double>(submitted - start));
    drain_rates.push_back(static_cast<double>(total) * 1e9 / static_cast<double>(drained - opened));
    batch_rates.push_back(RateOfBatches(context.round_ns()));
    ratios.push_back(drain_rates.back() / batch_rates.back());
  }
  context.Report(Metric{"bytes per queued task", kBytes, Better::kLower, bytes_each,
                        Target{"at most 300, references included", 300}});
  context.Report(Metric{"submission", kPerSecond, Better::kHigher, submit_rates});
  context.Report(Metric{"drain", kPerSecond, Better::kHigher, drain_rates, {}, {"tasks.batch/rate"}});
  context.Report(Metric{"batches of 1,000, in turn with it", kPerSecond, Better::kHigher, batch_rates});
  context.Report(Metric{"drain / batches", "", Better::kHigher, ratios, Target{"full rate (within 10 %)", 0.9}});
  context.Note(
      "growth of all processes of the cluster (proportional set sizes) and of their shared memory "
      "files; " +
      std::to_string(total) + " tasks");
}

// ---- Wait

void RunWait(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  constexpr uint64_t kCount = 1000;
  Placement placement;
  std::vector<double> any;
  std::vector<double> lists;
  std::vector<double> ready_already;
  for (int round = -1; round < context.rounds(); ++round) {
    const uint64_t first = static_cast<uint64_t>(round + 2) * 1'000'000;
    {
      const int64_t start = NowNs();
      std::vector<ObjectRef<uint64_t>> references = SubmitTasks(first, kCount);
      uint64_t sum = 0;
      while (!references.empty()) {
        const size_t index = *WaitAny(references);
        sum += *Get(references[index]);
        references.erase(references.begin() + static_cast<ptrdiff_t>(index));
      }
      if (round >= 0) any.push_back(static_cast<double>(NowNs() - start));
      CheckSum("WaitAny", sum, ExpectedSum(first, kCount));
    }
    {
      const int64_t start = NowNs();
      std::vector<ObjectRef<uint64_t>> references = SubmitTasks(first, kCount);
      uint64_t sum = 0;
      while (!references.empty()) {
        WaitResult<uint64_t> result = Wait(references, 1);
        Require(result.ready.size() == 1,
                "Wait for one returned " + std::to_string(result.ready.size()));
        sum += *Get(result.ready.front());
        references.assign(result.unready.begin(), result.unready.end());
      }
      if (round >= 0) lists.push_back(static_cast<double>(NowNs() - start));
      CheckSum("Wait", sum, ExpectedSum(first, kCount));
    }
    {
      std::vector<ObjectRef<uint64_t>> references = SubmitTasks(first, kCount);
      CheckResults(references, first);
      const int64_t start = NowNs();
      uint64_t count = 0;
      while (!references.empty()) {
        const size_t index = *WaitAny(references);
        references.erase(references.begin() + static_cast<ptrdiff_t>(index));
        ++count;
      }
      if (round >= 0) ready_already.push_back(static_cast<double>(NowNs() - start));
      CheckSum("WaitAny of ready references", count, kCount);
    }
    LookWhereTasksRun(&placement);
  }
  context.Report(
      Metric{"WaitAny, erase", kNs, Better::kLower, any, Target{"10 ms (Ray: 540 ms)", 10e6}});
  context.Report(Metric{"Wait with its lists", kNs, Better::kLower, lists, Target{"25 ms", 25e6}});
  context.Report(Metric{"WaitAny, all ready before", kNs, Better::kLower, ready_already});
  context.Report(placement);
  context.Note("the first two include submitting the 1,000 tasks and getting each result");
}

// ---- Thousands of references in one call. By the C interface: the typed one has no calls with so
// many arguments.

constexpr uint32_t kManyArguments = 10'000;
constexpr uint32_t kManyResults = 3'000;

void Fail(manta_call* call, const char* message) {
  const manta_failure failure{MANTA_ERROR_TASK, "manta_bench", message};
  call->ops->fail(call, &failure);
}

// One result: sum of the 8-byte dependencies, and the pid.
void SumDependencies(manta_call* call) {
  uint64_t answer[2] = {0, static_cast<uint64_t>(getpid())};
  for (uint32_t i = 0; i < call->num_dependencies; ++i) {
    if (call->dependencies[i].size != sizeof(uint64_t))
      return Fail(call, "a dependency does not have 8 bytes");
    uint64_t value;
    std::memcpy(&value, call->dependencies[i].data, sizeof value);
    answer[0] += value;
  }
  std::memcpy(call->inline_result, answer, sizeof answer);
  call->inline_size = sizeof answer;
}

// Result i: Scramble(argument + i), result 0: the pid.
void ManyResults(manta_call* call) {
  uint64_t first;
  if (call->args_size != sizeof first) return Fail(call, "the argument does not have 8 bytes");
  std::memcpy(&first, call->args, sizeof first);
  for (uint32_t i = 0; i < call->num_results; ++i) {
    const uint64_t value = i == 0 ? static_cast<uint64_t>(getpid()) : Scramble(first + i);
    void* place = call->ops->allocate_result(call, i, sizeof value, nullptr, 0);
    if (place == nullptr) return;
    std::memcpy(place, &value, sizeof value);
  }
}

struct RegisterInvokers {
  RegisterInvokers() {
    manta_invoker_register(SumDependencies, "bench::SumDependencies");
    manta_invoker_register(ManyResults, "bench::ManyResults");
  }
} const register_invokers;

void ThrowIf(manta_error* error) {
  if (error != nullptr) ThrowError(error);
}

manta_function_id Find(manta_invoker invoker, const char* name) {
  manta_function_id id;
  ThrowIf(manta_function_find(invoker, nullptr, name, &id));
  return id;
}

std::vector<ObjectRef<uint64_t>> PutMany(uint64_t first, uint64_t count) {
  std::vector<ObjectRef<uint64_t>> references;
  references.reserve(count);
  for (uint64_t i = 0; i < count; ++i) references.push_back(Put(Scramble(first + i)));
  return references;
}

void RunManyArguments(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  const manta_function_id function = Find(SumDependencies, "SumDependencies");
  Placement placement;
  std::vector<double> times;
  for (int round = -1; round < context.rounds(); ++round) {
    const uint64_t first = static_cast<uint64_t>(round + 2) << 32;
    const std::vector<ObjectRef<uint64_t>> references = PutMany(first, kManyArguments);
    manta_task_spec spec{};
    spec.function = function;
    spec.function_name = "SumDependencies";
    spec.args = "";
    spec.dependencies = reinterpret_cast<manta_ref* const*>(references.data());
    spec.num_dependencies = kManyArguments;
    spec.num_results = 1;
    const int64_t start = NowNs();
    manta_ref* result;
    ThrowIf(manta_submit(manta_current(), &spec, &result));
    const auto reference = ObjectRef<uint64_t>::FromHandle(result);
    manta_bytes bytes;
    ThrowIf(manta_get(manta_current(), &result, 1, -1, &bytes));
    const int64_t elapsed = NowNs() - start;
    uint64_t answer[2];
    Require(bytes.size == sizeof answer, "the answer has the wrong size");
    std::memcpy(answer, bytes.data, sizeof answer);
    RequireOtherProcess(static_cast<int>(answer[1]));
    CheckSum("10,000 arguments", answer[0], ExpectedSum(first, kManyArguments));
    LookWhereTasksRun(&placement);
    if (round >= 0) times.push_back(static_cast<double>(elapsed));
  }
  context.Report(Metric{"submit and Get", kNs, Better::kLower, times,
                        Target{"5 ms (Ray, 64 cores: 17 s)", 5e6}});
  context.Report(placement);
}

void RunManyResults(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  const manta_function_id function = Find(ManyResults, "ManyResults");
  Placement placement;
  std::vector<double> times;
  for (int round = -1; round < context.rounds(); ++round) {
    const uint64_t first = static_cast<uint64_t>(round + 2) << 32;
    manta_task_spec spec{};
    spec.function = function;
    spec.function_name = "ManyResults";
    spec.args = &first;
    spec.args_size = sizeof first;
    spec.num_results = kManyResults;
    std::vector<ObjectRef<uint64_t>> references(kManyResults);
    std::vector<uint64_t> values;
    const int64_t start = NowNs();
    ThrowIf(manta_submit(manta_current(), &spec, reinterpret_cast<manta_ref**>(references.data())));
    GetInto(references, values);
    const int64_t elapsed = NowNs() - start;
    RequireOtherProcess(static_cast<int>(values[0]));
    uint64_t sum = 0;
    for (size_t i = 1; i < values.size(); ++i) sum += values[i];
    CheckSum("3,000 results", sum, ExpectedSum(first + 1, kManyResults - 1));
    LookWhereTasksRun(&placement);
    if (round >= 0) times.push_back(static_cast<double>(elapsed));
  }
  context.Report(Metric{"submit and Get", kNs, Better::kLower, times,
                        Target{"5 ms (Ray, 64 cores: 6 s)", 5e6}});
  context.Report(placement);
}

void RunGetMany(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  constexpr uint64_t kCount = 10'000;
  Placement placement;
  std::vector<double> own;
  std::vector<double> results;
  std::vector<double> whole;
  std::vector<uint64_t> values;
  for (int round = -1; round < context.rounds(); ++round) {
    const uint64_t first = static_cast<uint64_t>(round + 2) << 32;
    const auto get = [&](const std::vector<ObjectRef<uint64_t>>& references) {
      const int64_t start = NowNs();
      GetInto(references, values);
      const int64_t elapsed = NowNs() - start;
      uint64_t sum = 0;
      for (const uint64_t value : values) sum += value;
      CheckSum("Get of 10,000", sum, ExpectedSum(first, kCount));
      return static_cast<double>(elapsed);
    };
    const double of_own = get(PutMany(first, kCount));
    const int64_t start = NowNs();
    const std::vector<ObjectRef<uint64_t>> references = SubmitTasks(first, kCount);
    get(references);
    const double of_whole = static_cast<double>(NowNs() - start);
    const double of_results = get(references);
    LookWhereTasksRun(&placement);
    if (round < 0) continue;
    own.push_back(of_own);
    results.push_back(of_results);
    whole.push_back(of_whole);
  }
  const Target target{"5 ms (Ray, 64 cores: 24 s)", 5e6};
  context.Report(Metric{"objects put here", kNs, Better::kLower, own, target});
  context.Report(Metric{"results that are there", kNs, Better::kLower, results, target});
  context.Report(Metric{"results, submitting included", kNs, Better::kLower, whole, target});
  context.Report(placement);
}

// ---- References in an object

std::vector<ObjectRef<uint64_t>> MakeReferencesTask(uint64_t first, uint64_t count) {
  return PutMany(first, count);
}

void RunGetReferences(RowContext& context) {
  Cluster cluster;
  CheckTasksRunElsewhere();
  constexpr uint64_t kCount = 10'000;
  const Target target{"5 ms (Ray: 62 ms)", 5e6};
  const auto check = [](const std::vector<ObjectRef<uint64_t>>& references, uint64_t first) {
    Require(references.size() == kCount, "references are missing");
    for (const uint64_t probe : {uint64_t{0}, uint64_t{1}, kCount / 2, kCount - 1}) {
      CheckSum("inner reference", *Get(references[probe]), Scramble(first + probe));
    }
  };
  Placement placement;
  std::vector<double> own;
  for (int round = -1; round < context.rounds(); ++round) {
    const uint64_t first = static_cast<uint64_t>(round + 2) << 32;
    const auto outer = Put(PutMany(first, kCount));
    const int64_t start = NowNs();
    const auto references = Get(outer);
    const int64_t elapsed = NowNs() - start;
    check(*references, first);
    LookWhereTasksRun(&placement);
    if (round >= 0) own.push_back(static_cast<double>(elapsed));
  }
  context.Report(Metric{"put here", kNs, Better::kLower, own, target});
  std::vector<double> theirs;
  for (int round = -1; round < context.rounds(); ++round) {
    const uint64_t first = static_cast<uint64_t>(round + 2) << 32;
    const std::vector<ObjectRef<std::vector<ObjectRef<uint64_t>>>> outer = {
        Task(MakeReferencesTask).Remote(first, kCount)};
    WaitReady(outer, 1);
    const int64_t start = NowNs();
    const auto references = Get(outer[0]);
    const int64_t elapsed = NowNs() - start;
    check(*references, first);
    LookWhereTasksRun(&placement);
    if (round >= 0) theirs.push_back(static_cast<double>(elapsed));
  }
  context.Report(Metric{"made by a task in another process", kNs, Better::kLower, theirs, target});
  context.Report(placement);
}

}  // namespace

std::vector<Row> ManyRows() {
  return {
      {"many.queued",
       "tasks submitted while the only worker (Init with one CPU) is busy: memory, then the time "
       "until all have run "
       "and are fetched in chunks of 1,000",
       RunQueued,
       180,
       {"tasks.batch"}},
      {"many.wait",
       "1,000 tasks, then a loop that waits for one of the remaining references at a time",
       RunWait},
      {"many.arguments",
       "one task with 10,000 references to 8-byte objects as arguments (C interface)",
       RunManyArguments},
      {"many.results", "one task with 3,000 results of 8 bytes (C interface)", RunManyResults},
      {"many.get", "GetInto of 10,000 objects of 8 bytes", RunGetMany},
      {"many.get_references", "Get of an object that holds 10,000 references", RunGetReferences},
  };
}

}  // namespace manta::bench
