// Two processes joined by the bare rings of src/shm, without any runtime: the yardstick of what
// this machine can do.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "harness.h"
#include "shm/channel.h"
#include "shm/doorbell.h"

namespace manta::bench {

// What the worker of a RawPair does while there is nothing for it.
enum class WhenIdle { kSpin, kPark, kYield };

// The other process takes tasks, applies Scramble to the 8 bytes of each and answers, until this
// object ends it. Slots and completions have the sizes that the runtime's have.
class RawPair {
 public:
  static constexpr uint32_t kLog2Slots = 10;
  static constexpr uint32_t kLog2Completions = 11;

  explicit RawPair(WhenIdle worker_when_idle);
  ~RawPair();
  RawPair(const RawPair&) = delete;
  RawPair& operator=(const RawPair&) = delete;

  // False while all slots are in use. The driver's half, as is all of the following.
  bool Send(uint32_t record, uint64_t argument) {
    shm::TaskBody* body = tasks_.Reserve();
    if (body == nullptr) return false;
    body->record = record;
    body->generation = 1;
    body->args_bytes = body->payload_bytes = sizeof argument;
    std::memcpy(body->payload, &argument, sizeof argument);
    tasks_.Publish();
    if (worker_parks_) shm::Ring(shared_->worker_doorbell);
    return true;
  }
  bool Receive(uint32_t* record, uint64_t* result) {
    const shm::CompletionBody* body = results_.Front();
    if (body == nullptr) return false;
    *record = body->record;
    std::memcpy(result, body->inline_result, sizeof *result);
    results_.Pop();
    return true;
  }
  // Sleeps until there may be a result.
  void ParkForResult();
  int worker_cpu() const { return shared_->worker_cpu.load(std::memory_order_relaxed); }

 private:
  struct Shared {
    shm::Doorbell<shm::RealAtomics> driver_doorbell;
    shm::Doorbell<shm::RealAtomics> worker_doorbell;
    alignas(64) std::atomic<uint32_t> stop;
    alignas(64) std::atomic<int> worker_cpu;
    shm::TaskSlot slots[1u << kLog2Slots];
    shm::Completion completions[1u << kLog2Completions];
  };
  [[noreturn]] static void WorkerMain(Shared* shared, WhenIdle when_idle);

  Shared* shared_;
  const bool worker_parks_;
  pid_t worker_ = -1;
  shm::SlotProducer<shm::RealAtomics, shm::TaskBody> tasks_;
  shm::MessageConsumer<shm::RealAtomics, shm::CompletionBody> results_;
};

}  // namespace manta::bench
