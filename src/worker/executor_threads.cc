// Actors whose calls run on threads.

#include <cstring>
#include <utility>

#include "worker/clock.h"
#include "worker/executor.h"
#include "worker/execution_scope.h"
#include "worker/result_list.h"
#include "worker/task_facts.h"

namespace manta::worker {
thread_local Executor::ThreadState* Executor::pool_state_ = nullptr;

Executor::Threads::Threads(const ActorSetup& setup) {
  groups.emplace_back(ActorSetup::Group{"", setup.max_concurrency});
  for (const ActorSetup::Group& group : setup.groups) groups.emplace_back(group);
}

Executor::Threads::Group* Executor::Threads::Find(uint16_t number) {
  for (Group& group : groups) {
    if (group.number == number) return &group;
  }
  return nullptr;
}

void Executor::Threads::Drain() {
  for (Group& group : groups) {
    if (group.served != nullptr) {
      group.served->Drain();
    } else {
      group.calls.Drain();
    }
  }
}

void Executor::Threads::Stop() {
  for (Group& group : groups) {
    group.calls.Stop();
    if (group.served != nullptr) group.served->Stop();
  }
}

// The descriptor's slot is given back at once, so that a call that takes long does not hold up the ring.
void Executor::HandOver(const std::shared_ptr<Incoming>& channel, const shm::TaskBody& task,
                        const FunctionRegistry::Code& code, const unsigned char* payload, std::string_view name) {
  Threads::Group* const group = threads_ == nullptr ? nullptr : threads_->Find(task.shape);
  if (group == nullptr) {
    std::string known;
    for (size_t i = 1; threads_ != nullptr && i < threads_->groups.size(); ++i) {
      known += (known.empty() ? "'" : ", '") + threads_->groups[i].name + "'";
    }
    Refuse(*channel, task,
           MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the call names a concurrency group that its actor does not have: the actor " +
                         (known.empty() ? "was created without concurrency groups" : "has " + known)));
    return;
  }
  if (group->served != nullptr) return HandOverServed(group->served.get(), channel, task, code, payload, name);
  struct Call {
    shm::TaskBody task;
    std::vector<uint64_t> payload;  // aligned as in the ring
    std::string name;
  };
  auto call = std::make_shared<Call>();
  std::memcpy(&call->task, &task, offsetof(shm::TaskBody, payload));
  call->payload.resize(Align8(task.payload_bytes) / 8);
  std::memcpy(call->payload.data(), payload, task.payload_bytes);
  call->name = name;
  group->calls.Add([this, channel, code, call] {
    RunOnThread(*channel, call->task, code, reinterpret_cast<const unsigned char*>(call->payload.data()),
                call->name);
  });
}

void Executor::RunOnThread(Incoming& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
                           const unsigned char* payload, std::string_view name) {
  if (!MayBegin(channel, task)) return;
  ExecutionContext context({{channel.view.header->owner}, task.record, task.generation}, task, actor_shape_, name);
  ContextScope scope(&context);
  Execution& execution = ExecutionAt(0);
  execution.actor = main_.executions.front()->actor;
  alignas(8) unsigned char inline_result[shm::kInlineResult];
  const uint64_t began = NowTicks();
  calls_on_threads_.fetch_add(1, std::memory_order_relaxed);
  const Outcome outcome = execution.Run(InputOf(channel, task, code, payload, inline_result));
  calls_on_threads_.fetch_sub(1, std::memory_order_relaxed);
  EndOnThread(channel, task, code, context, execution, outcome, began);
}

void Executor::UseThreadState() {
  static thread_local ThreadState state;  // one executor per process has threads, and they live as long as it does
  pool_state_ = &state;
}

bool Executor::MayBegin(Incoming& channel, const shm::TaskBody& task) {
  if (phase_.load(std::memory_order_acquire) == Phase::kStopped) return false;  // its owner learns of it from the end of this process
  UseThreadState();
  if (ends()) {
    Refuse(channel, task, Ended());
    return false;
  }
  if (interrupts_.Remove({{channel.view.header->owner}, task.record, task.generation})) {
    Refuse(channel, task, MakeError(MANTA_ERROR_TASK_CANCELLED, "the call was cancelled before it started"));
    return false;
  }
  return true;
}

void Executor::EndOnThread(Incoming& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
                           ExecutionContext& context, Execution& execution, const Outcome& outcome, uint64_t began) {
  if (__builtin_expect(context.waits.has_value(), 0)) waiting_->TaskEnds(&*context.waits);
  interrupts_.Remove(context.task);
  shm::TaskFacts facts = FactsOf(context.task.owner, task, code.key);
  facts.outcome = EventOutcomeOf(outcome, execution);
  recorder_->EndsOnAnyThread(shm::EventKind::kActorCall, facts, began, NowTicks());
  // First: once its caller knows that the actor ends, no further call starts.
  if (context.exit_requested) EndActor("the actor ended on purpose: one of its methods has ended it");
  CompleteFromThread(channel, task, outcome);
  execution.Done();
  if (context.exit_requested) waiting_->WakeAll();
}

void Executor::EndActor(const char* reason) {
  {
    std::lock_guard guard(end_reason_mutex_);
    if (end_reason_.empty()) end_reason_ = reason;
  }
  Phase expected = Phase::kRunning;
  phase_.compare_exchange_strong(expected, Phase::kActorEnded);
}

Error Executor::Ended() {
  std::lock_guard guard(end_reason_mutex_);
  return MakeError(MANTA_ERROR_ACTOR_DIED, "the actor died: " + end_reason_);
}

}  // namespace manta::worker
