// A descriptor in a slot of a worker's channel, and the payload that it names. Input: the descriptor's header as it stands in
// memory, then the payload. Whatever is wrong, the task is answered by a completion of its own.
#include <cstddef>
#include <mutex>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/worker_world.h"
#include "worker/executor.h"
#include "worker/task_recorder.h"
#include "worker/function_registry.h"

namespace manta::fuzz {
namespace {

constexpr size_t kHeaderBytes = offsetof(shm::TaskBody, payload);

uint8_t Touch(const void* bytes, size_t size) {
  uint8_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum = static_cast<uint8_t>(sum + static_cast<const uint8_t*>(bytes)[i]);
  return sum;
}

// User code that looks at each byte it gets, and keeps a reference to each dependency for a moment.
void Invoke(manta_call* call) {
  uint8_t sum = Touch(call->args, call->args_size);
  for (uint32_t i = 0; i < call->num_dependencies; ++i) {
    sum = static_cast<uint8_t>(sum + Touch(call->dependencies[i].data, call->dependencies[i].size));
    if (manta_ref* reference = call->ops->retain_dependency(call, i)) {
      worker::Owner::Release(reinterpret_cast<worker::ObjectRecord*>(reference));
    }
  }
  for (uint32_t i = 0; i < call->num_results && i < 3; ++i) {
    if (void* result = call->ops->allocate_result(call, i, 40, nullptr, 0)) std::memset(result, sum, 40);
  }
}

manta_function_id Function() {
  static const manta_function_id id = [] {
    auto& registry = worker::FunctionRegistry::OfThisProcess();
    registry.Register(&Invoke);
    Result<manta_function_id> found = registry.Find(&Invoke, nullptr, "Invoke");
    Require(static_cast<bool>(found), "the function can be named");
    return found.value();
  }();
  return id;
}

shm::TaskBody Task(uint8_t flags, uint32_t args, uint16_t dependencies, size_t payload) {
  shm::TaskBody body{};
  body.record = 3;
  body.generation = 4;
  body.function = Function();
  body.args_bytes = args;
  body.dependencies = dependencies;
  body.results = 1;
  body.payload_bytes = static_cast<uint32_t>(payload);
  body.flags = payload > shm::kInlinePayload ? static_cast<uint8_t>(flags | shm::kPayloadInRing) : flags;
  return body;
}

std::string Seed(uint8_t flags, const std::string& args, uint16_t dependencies, const std::string& behind) {
  std::string payload = args;
  if (!behind.empty()) payload.resize(worker::Align8(static_cast<uint32_t>(args.size())));
  payload += behind;
  const shm::TaskBody body = Task(flags, static_cast<uint32_t>(args.size()), dependencies, payload.size());
  return Bytes(body).substr(0, kHeaderBytes) + payload;
}

std::string Dependency(const std::string& value, shm::ValueKind kind = shm::ValueKind::kInline) {
  std::string section = Bytes(shm::DependencyHeader{8, 1, 1, kind, static_cast<uint32_t>(value.size())}) + value;
  section.resize(worker::Align8(static_cast<uint32_t>(section.size())));
  return section;
}

}  // namespace

std::vector<std::string> Seeds() {
  const std::string shared = Bytes(shm::SharedHandle{1, 1, 65536, 70000});
  const std::string nested = Bytes(shm::NestedHeader{9, 2}) + Bytes(ObjectId{{8}, 1, 1}) + Bytes(ObjectId{{9}, 1, 1});
  return {Seed(0, "", 0, ""),
          Seed(0, "arguments", 0, ""),
          Seed(0, std::string(500, 'a'), 0, ""),
          Seed(0, "a", 2, Dependency("value") + Dependency(std::string(200, 'v'))),
          Seed(0, "a", 1, Dependency(shared, shm::ValueKind::kShared)),
          Seed(shm::kHasReferences, "a", 1, Dependency("value") + nested),
          Seed(shm::kActorMethod, "a", 0, ""),
          Seed(shm::kExitWorker, "", 0, "")};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  using fuzz::WorkerWorld;
  fuzz::WorkerWorld world;
  const shm::ChannelView channel = world.OpenChannel(true);
  worker::CpuLending lending({.tell = [](bool) {},
                              .wake_ticker = [] {},
                              .runs_a_task = [] { return true; },
                              .read_clock = [](clockid_t) { return int64_t{0}; },
                              .wanted = [] { return int64_t{0}; }});
  worker::Waiting waiting(world.owner.get(), world.dispatcher.get(), &lending, {[] {}, [] { return false; }});
  worker::TaskRecorder recorder({}, [](const std::string&) {});  // has no place, and records nothing
  worker::Executor executor(world.owner.get(), world.references.get(), &waiting, nullptr, &recorder, false, nullptr);

  fuzz::Input input(data, size);
  shm::SlotProducer<shm::RealAtomics, shm::TaskBody> slots(channel.slots, WorkerWorld::kLog2Slots);
  shm::TaskBody* body = slots.Reserve();
  const std::string_view header = input.Take(fuzz::kHeaderBytes);
  std::memcpy(body, header.data(), header.size());
  // Mostly code that there is; otherwise hardly any input would get beyond it.
  if (size % 16 != 0) body->function = fuzz::Function();
  body->results %= 4;  // a list of many does not fit into the ring, and there is no daemon to ask for other space
  const std::string_view payload = input.rest();
  std::memcpy(body->payload, payload.data(), std::min<size_t>(payload.size(), shm::kInlinePayload));
  if ((body->flags & shm::kPayloadInRing) != 0) shm::SetRingOffset(body->first_result, body);
  std::memcpy(channel.task_payload, payload.data(), std::min<size_t>(payload.size(), WorkerWorld::kRingBytes));
  const uint32_t record = body->record;
  const uint32_t generation = body->generation;
  slots.Publish();
  body = slots.Reserve();
  *body = fuzz::Task(shm::kExitWorker, 0, 0, 0);
  slots.Publish();

  executor.Run();

  shm::MessageConsumer<shm::RealAtomics, shm::CompletionBody> completions(channel.completions,
                                                                          WorkerWorld::kLog2Completions);
  const shm::CompletionBody* completion = completions.Front();
  fuzz::Require(completion != nullptr && completion->record == record && completion->generation == generation,
                "each task has a completion of its own");
  return 0;
}
