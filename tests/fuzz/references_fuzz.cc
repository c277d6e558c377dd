// What other processes say about references: batches of messages, in any order and number, whatever they name. Input: per batch
// one byte for the sender, two for the size, then the batch.
#include <mutex>

#include "contracts/peer_generated.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/worker_world.h"

namespace manta::fuzz {
namespace {

constexpr ProcessId kThird{9};

std::string Batch(uint8_t from, const wire::PeerBatchT& batch) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire::PeerBatch::Pack(builder, &batch));
  return Bytes(from) + Bytes(static_cast<uint16_t>(builder.GetSize())) +
         std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

std::unique_ptr<wire::PeerValueT> Value(const wire::PeerObject& object, shm::ValueKind kind, const std::string& bytes) {
  auto value = std::make_unique<wire::PeerValueT>();
  value->object = std::make_unique<wire::PeerObject>(object);
  value->kind = static_cast<uint32_t>(kind);
  value->bytes.assign(bytes.begin(), bytes.end());
  return value;
}

}  // namespace

std::vector<std::string> Seeds() {
  const wire::PeerObject mine(WorkerWorld::kMe.value, 1, 1);
  const wire::PeerObject borrowed(WorkerWorld::kPeer.value, 1, 1);
  const wire::PeerObject other(kThird.value, 1, 1);
  wire::PeerBatchT ask;
  ask.add_borrower = {{mine, 1}};
  ask.fetch = {mine, other};
  ask.interrupt = {{1, 1, 1, true}};
  ask.cancel = {{mine, true, true}};
  wire::PeerBatchT answer;
  answer.add_acknowledged = {{borrowed, 1, true}, {other, 1, false}};
  answer.transfer_confirmed = {{mine, 1}};
  answer.values.push_back(Value(borrowed, shm::ValueKind::kInline, "value"));
  answer.values.back()->inners = {mine, other};
  wire::PeerBatchT values;
  values.values.push_back(Value(borrowed, shm::ValueKind::kShared, Bytes(shm::SharedHandle{1, 1, 65536, 70000})));
  values.values.push_back(Value(other, shm::ValueKind::kError, "damaged"));
  wire::PeerBatchT leave;
  leave.remove_borrower = {{mine, 1}};
  return {Batch(0, ask) + Batch(0, answer) + Batch(0, leave), Batch(0, values) + Batch(1, values),
          Batch(1, ask) + Batch(1, leave), Batch(0, answer) + Batch(1, answer)};
}

}  // namespace manta::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manta;
  using fuzz::WorkerWorld;
  fuzz::WorkerWorld world;
  worker::Owner& owner = *world.owner;
  std::unique_lock guard(owner.lock());
  // An object of ours that others know, and a task of the peer that has passed on two objects, which this process keeps.
  worker::ObjectRecord* mine = owner.NewObject();
  owner.SetBytes(mine, "mine", 4);
  world.references->Publish(mine);
  const ObjectId borrowed[] = {{WorkerWorld::kPeer, 1, 1}, {fuzz::kThird, 1, 1}};
  world.references->TaskReceived(WorkerWorld::kPeer, 1, borrowed);
  std::vector<worker::ObjectRecord*> kept;
  for (const ObjectId& id : borrowed) {
    kept.push_back(world.references->Import(id));
    world.references->Fetch(kept.back());
  }
  world.references->TaskFinished(WorkerWorld::kPeer, 1, {});
  world.references->Flush();

  fuzz::Input input(data, size);
  while (!input.empty()) {
    const ProcessId from = input.Take<uint8_t>() % 2 == 0 ? WorkerWorld::kPeer : fuzz::kThird;
    const auto bytes = input.Take<uint16_t>();
    const fuzz::Exact batch(input.Take(bytes));
    world.references->OnBatch(from, {batch.data(), batch.size()});
    world.references->Flush();
  }

  for (worker::ObjectRecord* object : kept) owner.ReleaseLocked(object);
  owner.ReleaseLocked(mine);
  world.EndOthers();
  return 0;
}
