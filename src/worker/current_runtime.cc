// The runtime that calls without an explicit one mean, and what becomes of it in fork().
#include <pthread.h>

#include <atomic>
#include <mutex>
#include <utility>

#include "worker/runtime.h"

namespace manta::worker {
namespace {

std::atomic<Runtime*> current_runtime{nullptr};

// Held across fork(), so that the runtime that prepared for it is the one that resumes, and lives until then: a
// Shutdown beside it waits in SetCurrent. Taken before the owner's lock.
struct ForkGate {
  std::mutex mutex;
  Runtime* prepared = nullptr;
  bool was_left_by_fork = false;  // see Runtime::WasLeftByFork
};

ForkGate& TheForkGate() {
  static ForkGate* const gate = new ForkGate();
  return *gate;
}

}  // namespace

Runtime* Runtime::Current() { return current_runtime.load(std::memory_order_acquire); }

void Runtime::SetCurrent(Runtime* runtime) {
  static const int guarded = pthread_atfork(&BeforeFork, &AfterForkInParent, &AfterForkInChild);
  (void)guarded;
  ForkGate& gate = TheForkGate();
  std::lock_guard guard(gate.mutex);
  current_runtime.store(runtime, std::memory_order_release);
  if (runtime != nullptr) gate.was_left_by_fork = false;
}

bool Runtime::WasLeftByFork() {
  ForkGate& gate = TheForkGate();
  std::lock_guard guard(gate.mutex);
  return gate.was_left_by_fork;
}

void Runtime::BeforeFork() {
  ForkGate& gate = TheForkGate();
  gate.mutex.lock();
  gate.prepared = Current();
  if (gate.prepared != nullptr) gate.prepared->owner_->lock().lock();
}

void Runtime::AfterForkInParent() {
  ForkGate& gate = TheForkGate();
  if (Runtime* const prepared = std::exchange(gate.prepared, nullptr)) prepared->owner_->lock().unlock();
  gate.mutex.unlock();
}

void Runtime::AfterForkInChild() {
  ForkGate& gate = TheForkGate();
  current_runtime.store(nullptr, std::memory_order_release);
  if (Runtime* const parents = std::exchange(gate.prepared, nullptr)) {
    gate.was_left_by_fork = true;
    parents->closed_.store(true);
    parents->control_->AbandonAfterFork();
    parents->owner_->AbandonAfterFork();
    parents->references_->set_life_listener({});  // a copy of the last handle to an actor ends nothing
    parents->owner_->lock().unlock();
  }
  gate.mutex.unlock();
}

}  // namespace manta::worker
