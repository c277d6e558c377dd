// Large objects: space in the node's object arena, asked of the daemon.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "base/function_ref.h"
#include "base/result.h"
#include "shm/channel.h"
#include "worker/answers.h"
#include "worker/control_client.h"
#include "worker/node_memory.h"
#include "worker/page_populator.h"
#include "worker/task_recorder.h"

namespace manta::worker {

// Values above this size live in the arena; smaller ones travel by copy.
inline constexpr size_t kLargeValueBytes = 64 * 1024;

// Thread-safe.
class SharedObjects {
 public:
  // `give_back` gets the space that came when nobody waited for it any more. Service thread.
  SharedObjects(ControlClient* control, NodeMemory* memory, TaskRecorder* recorder, std::function<void(const shm::SharedHandle&)> give_back)
      : control_(control),
        recorder_(recorder),
        memory_(memory),
        populator_(memory->Writable(0), memory->object_bytes(), memory->cores()),
        answers_(std::move(give_back)) {}

  // Space for `size` bytes that this process may write until Seal, and that goes back when `owner` dies. Waits for the daemon, which bounds the wait for space and
  // says in the error what holds it (OBJECT_STORE_FULL, OBJECT_TOO_LARGE). TASK_CANCELLED once `gives_up`, if given, says so: it is asked now and then. Not from
  // the service thread.
  Result<shm::SharedHandle> Allocate(uint64_t size, ProcessId owner, FunctionRef<bool()> gives_up = {});
  // The same without waiting: `then` runs on the service thread, or where FailAll does. May be called under the owner's lock.
  using Then = std::function<void(const Result<shm::SharedHandle>&)>;
  void AllocateLater(uint64_t size, ProcessId owner, Then then);
  // Sends what AllocateLater has asked: for threads that do not go on to wait.
  void Flush() { control_->Flush(); }
  unsigned char* Writable(const shm::SharedHandle& handle) { return memory_->Writable(handle.offset); }
  // From here on nobody writes it.
  void Seal(const shm::SharedHandle& handle);

  // Service thread.
  void OnAllocated(const wire::ObjectAllocated& message);
  void OnRefused(const wire::ObjectRefused& message);
  void FailAll(const Error& error);

 private:
  void Ask(uint64_t request, uint64_t size, ProcessId owner);
  void Answer(uint64_t request, Result<shm::SharedHandle> answer);

  ControlClient* const control_;
  TaskRecorder* const recorder_;
  NodeMemory* const memory_;
  PagePopulator populator_;
  Answers<shm::SharedHandle> answers_;
  std::mutex later_mutex_;  // over `later_`; nothing else is locked under it
  std::unordered_map<uint64_t, Then> later_;  // by request
};

}  // namespace manta::worker
