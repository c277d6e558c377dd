// Four processes in a row without any runtime: driver, ring, relay, TCP, relay, ring, worker. The yardstick for a task on another
// node. Whoever waits polls and lets others run: there are more processes than cores.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstring>

#include "harness.h"
#include "shm/channel.h"

namespace manta::bench {

class RawRelay {
 public:
  RawRelay();
  ~RawRelay();
  RawRelay(const RawRelay&) = delete;
  RawRelay& operator=(const RawRelay&) = delete;

  // Puts this process and the relay beside it on one core, the other two processes on another.
  void ConfineEachSide();
  // One call, there and back: Scramble of the argument.
  uint64_t Call(uint64_t argument);
  int worker_cpu() const;  // of its last call

 private:
  struct Rings;
  [[noreturn]] static void NearRelay(Rings* rings, int socket);
  [[noreturn]] static void FarRelay(Rings* rings, int socket);

  Rings* rings_;
  pid_t near_ = -1;
  pid_t far_ = -1;
  shm::SlotProducer<shm::RealAtomics, shm::TaskBody> tasks_;
  shm::MessageConsumer<shm::RealAtomics, shm::CompletionBody> results_;
};

}  // namespace manta::bench
