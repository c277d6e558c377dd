// One execution of a task, in the way that invokers see it, and where its results are gathered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "manta/manta_c.h"
#include "shm/channel.h"
#include "stacks/throw_stack.h"
#include "worker/dispatcher.h"
#include "worker/waiting.h"

namespace manta::worker {

class SharedObjects;
class References;
class Owner;

// What a thread runs at the moment: a stack, since a task that waits may run its children in place.
struct ExecutionContext {
  // `body` outlives it. `name`: of its own; empty: its function's. A constructor, because to initialise an aggregate clears the room for
  // `waits` first, which costs a task as much as its function.
  ExecutionContext(const ObjectId& its_task, const shm::TaskBody& body, uint16_t its_shape, std::string_view its_name)
      : task(its_task),
        first_result(body.first_result),
        name(its_name),
        function(&body.function),
        shape(its_shape),
        of_actor((body.flags & (shm::kActorMethod | shm::kActorCreation)) != 0),
        tried_before(body.attempt != 0) {}

  ExecutionContext* outer = nullptr;
  ObjectId task;  // its owner, and the task record there
  uint32_t first_result;  // of the descriptor
  std::string_view name;
  const manta_function_id* function;  // of the descriptor
  uint16_t shape;                     // shm::TaskBody::shape
  bool of_actor;                      // a method or the constructor: only these may end the process
  bool exit_requested = false;
  bool is_the_last = false;  // of the tasks that this process runs
  // It has been tried before: its children run in workers of their own. One of them may be what ended the worker, and then this
  // time ends its own.
  bool tried_before;
  std::optional<TaskWaits> waits;  // since its first: most tasks never wait

  // By which everybody else knows it.
  ObjectId id() const { return {task.owner, first_result, task.generation}; }

  TaskWaits* its_waits() {
    if (!waits) waits.emplace();
    return &*waits;
  }
};

// Where a call goes on after its invoker has returned (served_calls.h).
class Deferral {
 public:
  // `data` is the front-end's. False: not here.
  virtual bool Defer(void* data) = 0;
  virtual void Finish() = 0;
  // The calling thread goes on with the call, and leaves it again.
  virtual void Resume() = 0;
  virtual void Suspend() = 0;

 protected:
  ~Deferral() = default;
};

// Where the results go that a call gives one by one. On the thread that runs it.
class ItemSink {
 public:
  enum class Sent { kYes, kNotNow, kStop };
  // What to do while the owner has no room for an item.
  enum class Room { kWait, kTry, kLater };
  // `item.item` says which it is. kNotNow: for kTry only. kStop: the owner is gone.
  virtual Sent SendItem(const Outcome& item, Room room) = 0;
  // Before the first item of a call that will ask AwaitWindow.
  virtual void BeginWindow() = 0;
  // Until less than `most_ahead` of the `sent` items are not taken yet; 0: any number. kNotNow: if it may not wait. kStop: the owner is gone,
  // or the call is cancelled.
  virtual Sent AwaitWindow(uint32_t sent, uint32_t most_ahead, bool may_wait) = 0;
  // The call has ended.
  virtual void EndWindow() = 0;

 protected:
  ~ItemSink() = default;
};

class ServedCalls;
// What a call on the main thread may ask for.
class MainThread {
 public:
  // In the creation of an actor: to run the calls of a concurrency group on threads of its own. nullptr: no such group, or no creation.
  virtual ServedCalls* Serve(std::string_view group) = 0;
  // From true to false the front-end's stop_task may be called for it.
  virtual void SetStoppable(bool on) = 0;

 protected:
  ~MainThread() = default;
};

// Fills a manta_call, runs it and gathers the outcome. Used by one thread; reused from call to call without allocating in the
// common case.
class Execution {
 public:
  Execution(Owner* owner, References* references, SharedObjects* shared, manta_runtime* runtime, ItemSink* items);

  struct Input {
    manta_invoker invoker;
    const void* target;
    const unsigned char* args;
    uint32_t args_size;
    const unsigned char* dependencies;  // DependencyHeaders with values
    uint32_t dependencies_size;
    uint16_t num_dependencies;
    bool has_references;  // a NestedHeader follows the dependencies
    ProcessId sender;     // who submitted the task; this process for a task that runs in place
    uint16_t num_results;
    void* inline_result;  // kInlineResult bytes
  };
  // The outcome's bytes live in `inline_result` or in this object, until the next Run.
  Outcome Run(const Input& input) {
    Begin(input);
    return End();
  }
  // The same in two steps, for a call that may go on in between. The input but for `inline_result` ends with Begin.
  void Begin(const Input& input);
  Outcome End();

  // The outcome has left: what its results contain is its receiver's business from here on.
  void Done() {
    if (__builtin_expect(any_nested_, 0)) ReleaseStaged();
  }

  // Why the last Run did not end well.
  const Error& error() const { return error_; }

  // The actor that this process hosts.
  void* actor = nullptr;
  void (*destroy_actor)(void*) = nullptr;
  // For the ops that concern event loops; nullptr where they have no place.
  Deferral* deferral = nullptr;
  MainThread* main_thread = nullptr;

 private:
  struct Call : manta_call {
    Execution* execution;
  };
  struct Staged {
    shm::ValueKind kind;
    std::vector<unsigned char> bytes;
    shm::SharedHandle handle;
    std::vector<ObjectRecord*> nested;  // each one reference, until the outcome has left
    bool filled = false;
  };

  static const manta_call_ops kOps;
  int Emit(uint32_t most_ahead);
  void BuildItem();
  ItemSink::Sent SendItem(ItemSink::Room room);
  bool ReadDependencies(const Input& input);
  bool ReadReferences(const Input& input);
  Outcome Failure(const Error& error);
  void WriteResults(const std::vector<std::vector<shm::WireReference>>& references);
  std::vector<std::vector<shm::WireReference>> OwnReferences();
  void FinishReferences(Outcome* outcome, uint64_t task_number);
  // `passed_stack`: of the failure that this one passes on.
  void Fail(const manta_failure& failure, std::string_view passed_stack);
  void* AllocateResult(uint32_t index, size_t size, manta_ref* const* nested, size_t num_nested);
  void ReleaseStaged();

  Owner* const owner_;
  References* const references_;
  SharedObjects* const shared_;
  manta_runtime* const runtime_;
  ItemSink* const items_;
  enum class Item : uint8_t { kNone, kBuilt, kSent };
  Item item_state_ = Item::kNone;  // kBuilt: it has found no room yet; kSent: the next one is not wanted yet
  Outcome item_;
  uint32_t items_sent_ = 0;
  bool has_window_ = false;
  Call call_{};
  std::vector<manta_bytes> dependencies_;
  std::vector<shm::DependencyHeader> dependency_headers_;
  std::vector<shm::SharedHandle> handles_;  // of shared dependencies
  std::vector<Staged> staged_;
  const unsigned char* behind_dependencies_ = nullptr;
  uint32_t behind_dependencies_size_ = 0;
  ProcessId sender_;               // of the task that runs: owns its results
  uint64_t task_number_ = 0;       // for the reference table; 0: no references came with the task
  bool any_nested_ = false;        // some result contains references
  bool any_staged_ = false;
  bool failed_ = false;
  Error error_;
  stacks::ThrowStack throw_stack_;
  std::vector<unsigned char> list_;
};

}  // namespace manta::worker
