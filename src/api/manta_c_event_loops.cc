// The C interface for event loops of front-ends: conversions only; what happens is in worker/ready_queue.h and worker/served_calls.h.
#include <memory>
#include <utility>

#include "api/handles.h"
#include "manta/manta_c.h"
#include "worker/ready_queue.h"
#include "worker/served_calls.h"

using manta::Result;
using manta::api::From;
using manta::api::Own;
using manta::worker::ObjectRecord;
using manta::worker::ReadyQueue;
using manta::worker::Runtime;
using manta::worker::ServedCalls;

struct manta_ready_queue {
  Runtime* runtime;  // lives on while there are queues
  std::unique_ptr<ReadyQueue> queue;
};

namespace {

ServedCalls& From(manta_calls* calls) { return *reinterpret_cast<ServedCalls*>(calls); }

}  // namespace

extern "C" {

manta_error* manta_ready_queue_new(manta_runtime* runtime, manta_ready_queue** out) {
  if (runtime == nullptr) return manta_not_initialized_error("manta_ready_queue_new");
  Result<std::unique_ptr<ReadyQueue>> queue = From(runtime).MakeReadyQueue();
  if (!queue) return Own(queue.error());
  *out = new manta_ready_queue{&From(runtime), std::move(queue).value()};
  return nullptr;
}

int manta_ready_queue_fd(const manta_ready_queue* queue) { return queue->queue->fd(); }

manta_error* manta_ready_queue_add(manta_ready_queue* queue, manta_ref* ref, uint64_t tag) {
  if (Result<> open = queue->runtime->CheckOpen("waiting for a value"); !open) return Own(open.error());
  queue->runtime->AwaitReady(queue->queue.get(), reinterpret_cast<ObjectRecord*>(ref), tag);
  return nullptr;
}

size_t manta_ready_queue_take(manta_ready_queue* queue, uint64_t* tags, size_t capacity) { return queue->queue->Take(tags, capacity); }

void manta_ready_queue_free(manta_ready_queue* queue) { delete queue; }

size_t manta_calls_run(manta_calls* calls, size_t most, void (*cancelled)(void* data)) { return From(calls).Run(most, cancelled); }

int manta_calls_await(manta_calls* calls, manta_ready_queue* ready, int64_t limit) {
  return From(calls).Await(limit, [ready] { return ready != nullptr && ready->queue->HasSome(); });
}

int manta_calls_fd(const manta_calls* calls) { return reinterpret_cast<const ServedCalls*>(calls)->fd(); }

}  // extern "C"
