// A process's side of the shared memory, without a daemon or other processes: what a target gives to it comes from them.
#pragma once

#include <memory>
#include <set>

#include "node/control_arena.h"
#include "worker/dispatcher.h"
#include "worker/node_memory.h"
#include "worker/owner.h"
#include "worker/references.h"
#include "worker/waiting.h"

namespace manta::fuzz {

class WorkerWorld final : public worker::LeasePort, public worker::ReadyListener, public worker::TaskListener {
 public:
  static constexpr ProcessId kMe{7};
  static constexpr ProcessId kPeer{8};
  static constexpr uint32_t kLog2Slots = 1;
  static constexpr uint32_t kLog2Completions = 2;
  static constexpr uint32_t kRingBytes = 1024;
  static constexpr uint64_t kObjectBytes = 256 * 1024;

  WorkerWorld();
  ~WorkerWorld();

  // The one channel there is, all zeros; `me_works`: it leads from the peer to this process, else the other way.
  shm::ChannelView OpenChannel(bool me_works);
  shm::ProcessPage& my_page() { return memory.my_page(); }

  // [lock] The other processes die, all that this one has heard of. (A message to one that never was comes back from the daemon as
  // undeliverable, which means the same.)
  void EndOthers();

  // What this process would tell the daemon comes to nothing.
  void SetDemand(const worker::TaskTarget&) override {}
  void ReturnLease(LeaseId, bool) override {}
  void ReleaseChannel(uint64_t) override {}
  void AskForPayloadSpace(uint32_t, uint32_t, uint64_t) override {}
  void TakeBack(ProcessId, uint32_t, uint32_t) override {}
  void ActorChanged(const worker::TaskTarget&, ProcessId) override {}
  void ActorMoved(const worker::TaskTarget&) override {}
  void DependencyReady(uint32_t task) override { dispatcher->DependencyReady(task); }
  void WaiterReady(worker::Waiter*) override {}
  void Cancel(worker::ObjectRecord*, bool, bool) override {}
  void Interrupt(const ObjectId&, uint32_t, bool) override {}
  void StreamTaken(const ObjectId&, uint32_t) override {}

  std::unique_ptr<node::ControlArena> arena;
  node::MemoryFile objects;
  uint32_t my_page_index;
  uint32_t peer_page_index;
  worker::NodeMemory memory;
  std::unique_ptr<worker::Owner> owner;
  std::unique_ptr<worker::References> references;
  std::unique_ptr<worker::Dispatcher> dispatcher;

 private:
  std::set<ProcessId> others_{kPeer};
};

}  // namespace manta::fuzz
