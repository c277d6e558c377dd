// A worker's main thread: takes tasks from the channels that its daemon has connected, runs them, sends completions.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shm/channel.h"
#include "worker/execution.h"
#include "worker/function_registry.h"
#include "worker/owner.h"
#include "worker/payload_ring.h"
#include "worker/visible_gpus.h"
#include "worker/waiting.h"

namespace manta::worker {

// Loop-confined to the thread that calls Run, but for RequestStop and HasWork.
class Executor {
 public:
  Executor(Owner* owner, References* references, Waiting* waiting, SharedObjects* shared, bool node_has_gpus,
           manta_runtime* runtime);
  ~Executor();

  // Until RequestStop, or a descriptor that asks to end.
  void Run();
  // After the running task. Any thread; wake the waiting thread afterwards.
  void RequestStop() { stop_.store(true); }
  // Why Run has ended, for people.
  const std::string& end_reason() const { return end_reason_; }
  // Whether the actor that this process hosts has died before, in another process.
  bool actor_was_restarted() const { return actor_was_restarted_.load(std::memory_order_relaxed); }
  // Whether any channel has a task, or the list of channels has changed.
  bool HasWork() const;

  // Runs a task of this very process in place, on the calling thread, which is executing another one.
  // `inline_result` has kInlineResult bytes; the outcome is valid until the next call at the same depth.
  Outcome RunInPlace(uint32_t index, const TaskRecord& task, void* inline_result);
  // In-place runs below the running task, so that the stack stays within bounds.
  static int depth();

  // The GPUs that this worker has; bit i stands for GPU i. Any thread.
  uint64_t gpus() const { return gpus_.gpus(); }

  // Marks a task as cancelled: if it runs here, it learns of it when it waits or asks. Any thread.
  void Interrupt(const ObjectId& task);
  bool IsCancelled(const ObjectId& task);

  // The innermost task of the calling thread, nullptr outside of tasks.
  static ExecutionContext* current();

 private:
  struct Incoming {
    uint32_t offset;  // / 64, as in the channel table
    shm::ChannelView view;
    shm::ProcessPage* owner_page;
    shm::SlotConsumer<shm::RealAtomics, shm::TaskBody> slots;
    shm::MessageProducer<shm::RealAtomics, shm::CompletionBody> completions;
    PayloadRing payload;
    std::vector<uint64_t> payload_marks;  // by completion position
    uint32_t reclaimed = 0;
  };
  struct CachedCode {
    manta_function_id id{};
    FunctionRegistry::Code code;
  };

  void RefreshChannels();
  uint32_t RunFrom(Incoming& channel, uint32_t limit);
  void RunTask(Incoming& channel, const shm::TaskBody& slot, uint32_t position);
  Result<FunctionRegistry::Code> Resolve(const manta_function_id& id);
  void Complete(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome);
  bool PlaceList(Incoming& channel, const Outcome& outcome, shm::CompletionBody* body);
  Execution& ExecutionAt(size_t depth);

  Owner* const owner_;
  References* const references_;
  Waiting* const waiting_;
  SharedObjects* const shared_;
  manta_runtime* const runtime_;
  std::vector<std::unique_ptr<Incoming>> channels_;
  uint32_t version_ = 0;
  std::vector<std::unique_ptr<Execution>> executions_;  // by depth of in-place runs
  CachedCode cache_[16];
  VisibleGpus gpus_;
  // The latest interrupts; an entry whose task does not run here (any more) is overwritten in time.
  static constexpr size_t kInterrupts = 64;
  std::mutex interrupts_mutex_;  // over the two below
  ObjectId interrupts_[kInterrupts];
  size_t next_interrupt_ = 0;
  std::atomic<bool> any_interrupt_{false};
  uint64_t task_began_ = 0;  // ticks; a task begins when the one before it ended
  std::atomic<bool> stop_{false};
  std::atomic<bool> actor_was_restarted_{false};
  std::string end_reason_;
  // What calls of an actor fail with when there is none.
  Error no_actor_ = MakeError(MANTA_ERROR_ACTOR_DIED, "the actor's constructor failed");
};

}  // namespace manta::worker
