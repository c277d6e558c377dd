// A completion that a worker has left, and the results that it names, as the owner of the tasks takes them. Input: the number of
// results, the completion as it stands in memory, then the payload. Whatever is wrong, each result gets a value or an error once the
// worker has died, at the latest. A task with one result gives others one by one as well.
#include <mutex>

#include "model/error_codec.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/worker_world.h"
#include "worker/result_stream.h"

namespace manta::fuzz {
namespace {

constexpr uint32_t kMostResults = 3;

std::string Seed(uint8_t results, const shm::CompletionBody& completion, const std::string& payload = "") {
  return Bytes(results) + Bytes(completion) + payload;
}

shm::CompletionBody Inline(uint16_t bytes) {
  shm::CompletionBody completion{};
  completion.inline_bytes = bytes;
  return completion;
}

shm::CompletionBody InRing(shm::TaskStatus status, const std::vector<unsigned char>& list, uint8_t flags = 0) {
  shm::CompletionBody completion{};
  completion.status = status;
  completion.flags = shm::kResultsInRing | flags;
  completion.payload_bytes = static_cast<uint32_t>(list.size());
  return completion;
}

std::string Text(const std::vector<unsigned char>& list) { return {list.begin(), list.end()}; }

}  // namespace

std::vector<std::string> Seeds() {
  std::vector<unsigned char> values;
  worker::ResultWriter writer(&values);
  writer.Add(shm::ValueKind::kInline, "a value", 7);
  const shm::SharedHandle handle{1, 1, 65536, 70000};
  writer.Add(shm::ValueKind::kShared, &handle, sizeof handle);

  std::vector<unsigned char> nested;
  const shm::WireReference references[] = {{{{8}, 2, 3}, 4}, {{{9}, 6, 7}, 8}};
  worker::ResultWriter(&nested).Add(shm::ValueKind::kInline, "with references", 15, references);
  worker::ResultWriter::AddKept(&nested, references);

  std::vector<unsigned char> failure;
  const std::string error = model::EncodeError(MakeError(MANTA_ERROR_TASK, "it threw"));
  worker::ResultWriter(&failure).Add(shm::ValueKind::kError, error.data(), static_cast<uint32_t>(error.size()));

  shm::CompletionBody shared{};
  shared.flags = shm::kResultsShared;
  const shm::SharedHandle list{1, 1, 65536, 100};
  std::memcpy(shared.inline_result, &list, sizeof list);
  return {Seed(1, Inline(32)),
          Seed(2, InRing(shm::TaskStatus::kOk, values), Text(values)),
          Seed(1, InRing(shm::TaskStatus::kOk, nested, shm::kKeptReferences), Text(nested)),
          Seed(2, InRing(shm::TaskStatus::kFailed, failure), Text(failure)),
          Seed(0, InRing(shm::TaskStatus::kNotRunnable, failure), Text(failure)),
          Seed(1, InRing(shm::TaskStatus::kItem, values), Text(values)),
          Seed(1, InRing(shm::TaskStatus::kItem, nested), Text(nested)),
          Seed(1, shared)};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  using fuzz::WorkerWorld;
  fuzz::WorkerWorld world;
  worker::Owner& owner = *world.owner;
  const shm::ChannelView channel = world.OpenChannel(false);
  fuzz::Input input(data, size);

  std::unique_lock guard(owner.lock());
  uint32_t index;
  worker::TaskRecord* task = owner.NewTask(&index);
  const uint16_t count = input.Take<uint8_t>() % (fuzz::kMostResults + 1);
  std::vector<worker::ObjectRecord*> results;
  for (uint32_t i = 0; i < count; ++i) {
    results.push_back(owner.NewObject());
    results.back()->task = index;
  }
  task->body.results = count;
  std::shared_ptr<worker::ResultStream> stream;
  if (count == 1) {
    task->result = results[0];
    task->nested = new worker::TaskNested();
    stream = task->nested->stream = std::make_shared<worker::ResultStream>(&owner, 1);
    stream->Begin(index);
  }
  if (count > 1) {
    task->results = static_cast<worker::ObjectRecord**>(owner.heap().Allocate(sizeof(worker::ObjectRecord*) * count));
    std::copy(results.begin(), results.end(), task->results);
  }
  const uint32_t generation = task->body.generation;
  world.dispatcher->Submit(index, task, world.dispatcher->TargetFor({}));
  world.dispatcher->LeaseGranted(task->target->key,
                                 {LeaseId{1}, WorkerWorld::kPeer, channel, 0, world.memory.Page(world.peer_page_index)});

  shm::SlotConsumer<shm::RealAtomics, shm::TaskBody> slots(channel.slots, WorkerWorld::kLog2Slots);
  uint32_t position;
  fuzz::Require(slots.Claim(&position) != nullptr, "a task goes out to a worker that is leased");
  shm::MessageProducer<shm::RealAtomics, shm::CompletionBody> completions(channel.completions,
                                                                          WorkerWorld::kLog2Completions);
  shm::CompletionBody* completion = completions.Next();
  *completion = input.Take<shm::CompletionBody>();
  completion->record = index;
  completion->generation = generation;
  std::memcpy(channel.result_payload, input.rest().data(),
              std::min<size_t>(input.rest().size(), WorkerWorld::kRingBytes));
  completions.Publish();
  slots.Release(position);

  world.dispatcher->Poll();
  world.dispatcher->WorkerGone(WorkerWorld::kPeer, {MakeError(MANTA_ERROR_WORKER_CRASHED, "the worker died"), false, false});
  // A value that contains references may wait for their owners, but not for ever.
  world.EndOthers();
  for (worker::ObjectRecord* result : results) {
    fuzz::Require(result->state.load() != worker::ValueState::kPending,
                  "each result gets a value or an error");
    owner.ReleaseLocked(result);
  }
  for (bool more = stream != nullptr; more;) {
    worker::ObjectRecord* const item = stream->Peek();
    fuzz::Require(item->state.load() != worker::ValueState::kPending, "each item has a value or an error, and behind them is the end");
    owner.ReleaseLocked(item);
    more = stream->Advance();
  }
  if (stream != nullptr) stream->Abandon();
  return 0;
}
