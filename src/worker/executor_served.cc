// Actors whose calls an event loop of the front-end runs.
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "worker/execution_scope.h"
#include "worker/executor.h"
#include "worker/served_calls.h"
#include "worker/task_facts.h"
#include "worker/ticks.h"

namespace manta::worker {

class Executor::Served final : public ServedCall {
 public:
  Served(Executor* executor, std::shared_ptr<Incoming> channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
         const unsigned char* payload, std::string_view name)
      : executor_(executor),
        channel_(std::move(channel)),
        code_(code),
        payload_(Align8(task.payload_bytes) / 8),
        name_(name),
        execution_(executor->owner_, executor->references_, executor->shared_, executor->runtime_, executor),
        context_({{channel_->view.header->owner}, task.record, task.generation}, task, executor->actor_shape_, name_) {
    std::memcpy(&task_, &task, offsetof(shm::TaskBody, payload));
    context_.function = &task_.function;
    std::memcpy(payload_.data(), payload, task.payload_bytes);
    execution_.actor = executor->main_.executions.front()->actor;
    execution_.deferral = this;
  }

  ObjectId id() const override { return context_.task; }

  bool Begin() override {
    if (!executor_->MayBegin(*channel_, task_)) return false;
    began_ = NowTicks();
    {
      ContextScope scope(&context_);
      execution_.Begin(executor_->InputOf(*channel_, task_, code_, reinterpret_cast<const unsigned char*>(payload_.data()), inline_result_));
    }
    if (deferred()) return true;
    End();
    return false;
  }

  void End() override {
    const ContextScope scope(&context_);
    const Outcome outcome = execution_.End();
    executor_->EndOnThread(*channel_, task_, code_, context_, execution_, outcome, began_);
  }

  void GiveUp() override {
    if (executor_->phase_.load() != Phase::kStopped) executor_->Refuse(*channel_, task_, executor_->Ended());
  }

  void Resume() override {
    UseThreadState();
    context_.outer = std::exchange(current_context, &context_);
  }
  void Suspend() override { current_context = context_.outer; }

 private:
  Executor* const executor_;
  const std::shared_ptr<Incoming> channel_;
  shm::TaskBody task_;
  const FunctionRegistry::Code code_;
  std::vector<uint64_t> payload_;  // aligned as in the ring
  const std::string name_;
  Execution execution_;
  ExecutionContext context_;
  alignas(8) unsigned char inline_result_[shm::kInlineResult];
  uint64_t began_ = 0;
};

void Executor::SetStoppable(bool on) {
  if (!on) return running_.Ends();
  const ExecutionContext& context = *current();
  if (context.of_actor) return;
  running_.Begins(context.task);
  if (interrupts_.Contains(context.task)) running_.Interrupt(context.task);
}

ServedCalls* Executor::Serve(std::string_view group) {
  if (!creating_) return nullptr;
  if (coming_threads_ == nullptr) coming_threads_ = std::make_unique<Threads>(ActorSetup());
  Threads::Group* const found = coming_threads_->Find(GroupNumber(group));
  if (found == nullptr) return nullptr;
  if (found->served == nullptr) {
    found->served = std::make_unique<ServedCalls>(
        found->most, [this](const ObjectId& task) { return interrupts_.Contains(task); }, waiting_->spin_ns());
  }
  return found->served.get();
}

void Executor::HandOverServed(ServedCalls* queue, const std::shared_ptr<Incoming>& channel, const shm::TaskBody& task,
                              const FunctionRegistry::Code& code, const unsigned char* payload, std::string_view name) {
  queue->Add(std::make_unique<Served>(this, channel, task, code, payload, name));
}

void Executor::Interrupt(const ObjectId& task) {
  interrupts_.Add(task);
  running_.Interrupt(task);
  if (Threads* const threads = served_.load(std::memory_order_acquire)) {
    for (Threads::Group& group : threads->groups) {
      if (group.served != nullptr) group.served->LookForInterrupts();
    }
  }
}

}  // namespace manta::worker
