// What the headers add to the C interface: each call beside the same call written in C.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "manta/manta.h"

namespace {

int64_t Add(int64_t a, int64_t b) { return a + b; }
int64_t Length(const std::string& text) { return static_cast<int64_t>(text.size()); }
struct Order {
  int64_t id;
  double price;
  std::string symbol;
  std::vector<int> sizes;
};
int64_t Place(const Order& order) { return order.id; }
struct Counter {
  int64_t Add(int64_t x) { return value += x; }
  int64_t value = 0;
};

// ---- Submitting
// ----------------------------------------------------------------------------------

// The yardstick: two arguments of 8 bytes with their tags.
void SubmitInC(benchmark::State& state) {
  manta_function_id id = {1, 2, 3, 4};
  int64_t i = 0;
  for (auto _ : state) {
    unsigned char args[18];
    const int64_t two = 2;
    args[0] = 0;
    std::memcpy(args + 1, &i, 8);
    args[9] = 0;
    std::memcpy(args + 10, &two, 8);
    manta_task_spec spec;
    spec.function = id;
    spec.function_name = "Add";
    spec.args = args;
    spec.args_size = sizeof(args);
    spec.dependencies = nullptr;
    spec.num_dependencies = 0;
    spec.num_nested = 0;
    spec.nested = nullptr;
    spec.num_results = 1;
    spec.name = nullptr;
    spec.options = 0;
    manta_ref* result;
    manta_submit(manta_current(), &spec, &result);
    manta_ref_release(result);
    ++i;
  }
}
BENCHMARK(SubmitInC);

void RemoteOfFunction(benchmark::State& state) {
  int64_t i = 0;
  for (auto _ : state) manta::Task(Add).Remote(i++, 2);
}
BENCHMARK(RemoteOfFunction);

void RemoteOfLambda(benchmark::State& state) {
  int64_t i = 0;
  for (auto _ : state) {
    manta::Task([](int64_t a, int64_t b) { return a - b; }).Remote(i++, 2);
  }
}
BENCHMARK(RemoteOfLambda);

void RemoteWithOptions(benchmark::State& state) {
  const auto caller = manta::Task(Add).SetNumCpus(2);
  int64_t i = 0;
  for (auto _ : state) caller.Remote(i++, 2);
}
BENCHMARK(RemoteWithOptions);

void RemoteWithReference(benchmark::State& state) {
  const auto reference = manta::Put(int64_t{5});
  int64_t i = 0;
  for (auto _ : state) manta::Task(Add).Remote(i++, reference);
}
BENCHMARK(RemoteWithReference);

void RemoteWithString(benchmark::State& state) {
  for (auto _ : state) manta::Task(Length).Remote("a string literal of forty-odd characters");
}
BENCHMARK(RemoteWithString);

void RemoteWithStruct(benchmark::State& state) {
  Order order{0, 1.5, "MANTA", {1, 2, 3}};
  for (auto _ : state) {
    ++order.id;
    manta::Task(Place).Remote(order);
  }
}
BENCHMARK(RemoteWithStruct);

void RemoteOfMethod(benchmark::State& state) {
  const auto counter = manta::Actor<Counter>().Remote();
  int64_t i = 0;
  for (auto _ : state) counter.Task(&Counter::Add).Remote(i++);
}
BENCHMARK(RemoteOfMethod);

// ---- Reading results
// -----------------------------------------------------------------------------

void GetInC(benchmark::State& state) {
  const auto reference = manta::Put(int64_t{5});
  manta_ref* handle = reference.handle();
  for (auto _ : state) {
    manta_bytes bytes;
    manta_get(manta_current(), &handle, 1, -1, &bytes);
    int64_t value;
    std::memcpy(&value, bytes.data, sizeof(value));
    benchmark::DoNotOptimize(value);
  }
}
BENCHMARK(GetInC);

void GetOne(benchmark::State& state) {
  const auto reference = manta::Put(int64_t{5});
  for (auto _ : state) benchmark::DoNotOptimize(*reference.Get());
}
BENCHMARK(GetOne);

void GetIntoThousand(benchmark::State& state) {
  const std::vector<manta::ObjectRef<int64_t>> references(1000, manta::Put(int64_t{5}));
  std::vector<int64_t> values;
  for (auto _ : state) manta::GetInto(references, values);
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(GetIntoThousand);

// ---- The worker's side
// ---------------------------------------------------------------------------

// Reads the arguments, calls Add and writes the result.
void InvokeFunction(benchmark::State& state) {
  using Sources = manta::detail::TypeList<int64_t, int64_t>;
  using Body = manta::detail::TaskBody<int64_t (*)(int64_t, int64_t), Sources,
                                       manta::detail::ResultMode::kOne>;
  const unsigned char args[18] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  unsigned char result[64];
  manta_call call = {};
  call.target = reinterpret_cast<const void*>(&Add);
  call.args = args;
  call.args_size = sizeof(args);
  call.num_results = 1;
  call.inline_result = result;
  call.inline_capacity = sizeof(result);
  manta_invoker invoker = &manta::detail::Invoke<Body>;
  benchmark::DoNotOptimize(invoker);
  for (auto _ : state) {
    invoker(&call);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(InvokeFunction);

}  // namespace

BENCHMARK_MAIN();
