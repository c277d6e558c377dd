// How threads of a process wait: one of them, the leader, polls the rings and sleeps on the process's doorbell; the others
// sleep until the leader finds what they wait for, or hands its role over.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "base/function_ref.h"
#include "worker/cpu_lending.h"
#include "worker/dispatcher.h"
#include "worker/owner.h"
#include "worker/wait_history.h"

namespace manta::worker {

// What a task does with its CPU while it waits.
struct TaskWaits {
  WaitHistory history;
  CpuLending::Loan loan;
};

struct Waiter {
  std::atomic<uint32_t> signalled{0};  // futex
  void (*notify)(Waiter*) = nullptr;   // [lock] instead of waking a thread
};

// Thread-safe.
class Waiting {
 public:
  struct Hooks {
    std::function<void()> flush;                 // sends what polling left for the daemon; no lock held
    std::function<bool()> tasks_wait;            // whether there is something in the rings of a worker's incoming channels
  };

  // `lending`: nullptr in a driver, whose threads hold no CPU.
  Waiting(Owner* owner, Dispatcher* dispatcher, CpuLending* lending, Hooks hooks);

  // Returns when `done` holds (true) or the deadline (CLOCK_MONOTONIC, negative: none) has passed (false). `done` is called
  // without locks, often. `watched` are the objects that can make it true.
  struct Request {
    FunctionRef<bool()> done;
    std::span<ObjectRecord* const> watched;
    int64_t deadline = -1;
    TaskWaits* task = nullptr;  // that waits, and lends its CPU; nullptr: none does
    bool beside_task = false;   // another thread of a worker waits: a task that sleeps meanwhile, as one that joins it, lends its CPU
    bool serves = false;  // `done` holds when tasks_wait does: nobody sleeps then
  };
  bool Wait(const Request& request);
  // Before the end of a task is told.
  void TaskEnds(TaskWaits* task) {
    if (task->loan.lent()) TakeBack(task);
  }
  // Whether a thread waits for tasks.
  bool awaits_tasks() const { return servers_.load() > 0; }

  // Makes every waiting thread look again: something changed that no ring tells.
  void WakeAll();
  // [lock] From the owner's listener.
  void WaiterReady(Waiter* waiter);

  // Whether a thread sleeps that the next result wakes.
  bool has_leader() {
    std::lock_guard guard(mutex_);
    return has_leader_;
  }

  int64_t spin_ns() const { return spin_ns_; }
  // A poll of all rings under the lock; returns whether anything came.
  bool PollOnce();

 private:
  bool WaitAndLend(const Request& request);
  bool WaitBesideTask(const Request& request);
  bool Await(const Request& request);
  bool NeedsCpu(const Request& request) const;
  void Lend(TaskWaits* task);
  void TakeBack(TaskWaits* task);
  bool Spin(const Request& request, int64_t spin_ns);
  static int64_t Yield(int64_t now);
  void PauseYields(int64_t now, int64_t taken);
  void ParkAsLeader(const Request& request);
  void ParkAsFollower(const Request& request, Waiter* waiter);
  void HandOver();
  void PassOn();

  Owner* const owner_;
  Dispatcher* const dispatcher_;
  CpuLending* const lending_;
  const Hooks hooks_;
  const int64_t spin_ns_;
  // How long nobody need be offered this thread's core, as the last offers went, and until when.
  std::atomic<int64_t> yield_pause_{0};
  std::atomic<int64_t> next_yield_{0};
  std::atomic<bool> was_woken_{false};  // the leader, since it polled last
  std::atomic<uint32_t> servers_{0};    // threads that wait for tasks
  std::mutex mutex_;                    // over the two below; taken before the owner's lock
  bool has_leader_ = false;
  std::vector<Waiter*> followers_;
};

}  // namespace manta::worker
