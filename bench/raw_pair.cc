#include "raw_pair.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace manta::bench {

RawPair::RawPair(WhenIdle worker_when_idle) : worker_parks_(worker_when_idle == WhenIdle::kPark) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  Require(memory != MAP_FAILED, "mmap of the rings failed");
  shared_ = static_cast<Shared*>(memory);
  tasks_ = {shared_->slots, kLog2Slots};
  results_ = {shared_->completions, kLog2Completions};
  worker_ = fork();
  Require(worker_ >= 0, "fork failed");
  if (worker_ == 0) WorkerMain(shared_, worker_when_idle);
}

RawPair::~RawPair() {
  shared_->stop.store(1);
  shm::Wake(shared_->worker_doorbell);
  // It may be about to park, too late to see `stop`: it is not worth a handshake.
  for (int turn = 0; turn < 100 && waitpid(worker_, nullptr, WNOHANG) == 0; ++turn) {
    shared_->worker_doorbell.Cancel();
    shm::Wake(shared_->worker_doorbell);
    SleepNs(1'000'000);
    if (turn == 99) {
      kill(worker_, SIGKILL);
      waitpid(worker_, nullptr, 0);
    }
  }
  munmap(shared_, sizeof(Shared));
}

void RawPair::ParkForResult() {
  shared_->driver_doorbell.Announce();
  if (!results_.HasWork()) shm::Park(shared_->driver_doorbell, 1'000'000'000);
  shared_->driver_doorbell.Cancel();
}

void RawPair::WorkerMain(Shared* shared, WhenIdle when_idle) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  shm::SlotConsumer<shm::RealAtomics, shm::TaskBody> tasks(shared->slots, kLog2Slots);
  shm::MessageProducer<shm::RealAtomics, shm::CompletionBody> results(shared->completions,
                                                                      kLog2Completions);
  uint32_t position;
  for (uint32_t count = 0;;) {
    const shm::TaskBody* task = tasks.Claim(&position);
    if (task == nullptr) {
      if (shared->stop.load(std::memory_order_relaxed) != 0) _exit(0);
      if (when_idle == WhenIdle::kSpin) {
        Relax();
        continue;
      }
      if (when_idle == WhenIdle::kYield) {
        sched_yield();
        continue;
      }
      shared->worker_doorbell.Announce();
      if (!tasks.HasWork()) shm::Park(shared->worker_doorbell, 1'000'000'000);
      shared->worker_doorbell.Cancel();
      continue;
    }
    uint64_t value;
    std::memcpy(&value, task->payload, sizeof value);
    shm::CompletionBody* result = results.Next();
    result->record = task->record;
    result->generation = task->generation;
    result->status = shm::TaskStatus::kOk;
    result->inline_bytes = sizeof value;
    tasks.Release(position);
    value = Scramble(value);
    std::memcpy(result->inline_result, &value, sizeof value);
    results.Publish();
    shm::Ring(shared->driver_doorbell);
    if ((++count & 255) == 1 || when_idle == WhenIdle::kPark) {
      shared->worker_cpu.store(sched_getcpu(), std::memory_order_relaxed);
    }
  }
}

}  // namespace manta::bench
