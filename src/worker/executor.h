// A worker's main thread: takes tasks from the channels that its daemon has connected, runs them, sends completions.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "shm/channel.h"
#include "shm/payload_ring.h"
#include "worker/actor_setup.h"
#include "worker/call_pool.h"
#include "worker/execution.h"
#include "worker/function_registry.h"
#include "worker/interrupts.h"
#include "worker/item_windows.h"
#include "worker/list_space.h"
#include "worker/owner.h"
#include "worker/running_task.h"
#include "worker/served_calls.h"
#include "worker/task_recorder.h"
#include "worker/visible_gpus.h"
#include "worker/waiting.h"

namespace manta::worker {

// Loop-confined to the thread that calls Run, but for RequestStop and HasWork.
class Executor final : private MainThread, private ItemSink {
 public:
  Executor(Owner* owner, References* references, Waiting* waiting, SharedObjects* shared, TaskRecorder* recorder,
           bool node_has_gpus, manta_runtime* runtime);
  ~Executor();

  // Until RequestStop, or the end of the actor that this process hosts, which is destroyed then.
  void Run();
  bool actor_has_ended() const { return phase_.load() == Phase::kActorEnded; }
  bool has_run_its_last() const { return phase_.load() == Phase::kRetired; }
  // After the end of the actor, until RequestStop: calls that still come are told of it.
  void RefuseCalls();
  // After its last task, until RequestStop: what it has not begun is left to its owners, who take it back.
  void AwaitStop();
  // After the running task. Any thread; wake the waiting thread afterwards.
  void RequestStop() { phase_.store(Phase::kStopped); }
  // Why Run has ended, for people.
  const std::string& end_reason() const { return end_reason_; }
  // Whether the actor that this process hosts has died before, in another process.
  bool actor_was_restarted() const { return actor_was_restarted_.load(std::memory_order_relaxed); }
  // Whether any channel has a task, or the list of channels has changed.
  bool HasWork() const;

  // Runs a task of this very process in place, on the calling thread, which is executing another one.
  // `inline_result` has kInlineResult bytes; the outcome is valid until DoneInPlace, which the caller owes it, at the same depth.
  Outcome RunInPlace(uint32_t index, const TaskRecord& task, void* inline_result);
  void DoneInPlace();
  // Whether the calling thread's stack has room for one more.
  static bool MayRunInPlace();

  // How the front-end stops a task in the middle (manta_zygote_hooks.stop_task). Before anything runs.
  void set_stop_task(void (*stop)()) { running_.set_stop(stop); }

  // The GPUs that this worker has; bit i stands for GPU i. Any thread.
  uint64_t gpus() const { return gpus_.gpus(); }

  // A task that was cancelled learns of it when it waits or asks, an event loop at once. Any thread.
  void Interrupt(const ObjectId& task);
  bool IsInterrupted(const ObjectId& task) const { return interrupts_.Contains(task); }

  // Of a stream that a task here sends. Any thread; wake the waiting threads afterwards.
  void StreamTaken(const ObjectId& task, uint32_t count);

  // Whether threads of an actor run calls, while the main thread waits for others. Any thread.
  bool runs_calls_on_threads() const { return calls_on_threads_.load(std::memory_order_relaxed) > 0; }

  // The innermost task of the calling thread, nullptr outside of tasks.
  static ExecutionContext* current();

 private:
  enum class Phase : uint8_t { kRunning, kActorEnded, kRefusing, kRetired, kStopped };
  // An outcome on its way to its owner.
  struct Unsent {
    Outcome outcome;
    std::vector<unsigned char> bytes = {};  // the outcome's, if it keeps them here
    bool may_ask = true;                    // for space, when its list has no room in the ring; once
    bool is_least = false;                  // its values have given way to an error: asks again and again
    std::shared_ptr<ListSpace> space = {};  // asked for
  };
  // Where the list of a completion lies.
  struct ListPlace {
    uint8_t flags = 0;  // kResultsInRing: the next two; kResultsShared: the last; 0: there is no list
    uint32_t bytes = 0;
    uint32_t offset = 0;
    shm::SharedHandle apart{};
  };
  struct Incoming {
    uint32_t offset;  // / 64, as in the channel table
    shm::ChannelView view;
    shm::ProcessPage* owner_page;
    shm::SlotConsumer<shm::RealAtomics, shm::TaskBody> slots;
    shm::MessageProducer<shm::RealAtomics, shm::CompletionBody> completions;
    shm::PayloadRing payload;
    void ReclaimPayload() {
      payload.Reclaim(shm::Before{view.header->completions_consumed.load(std::memory_order_acquire)});
    }
    // Completions that the owner has not read.
    uint32_t unread() const { return completions.position() - view.header->completions_consumed.load(std::memory_order_acquire); }
    // With threads only:
    std::mutex completing;  // over all that completions touch, and the rest
    bool closed = false;    // the memory is not ours any more
    // Completions for which the owner has made no room so far: it is slow, or stopped, and others need not wait for it. At most
    // as many as it has calls under way. Those of one task stay in order.
    struct Late {
      shm::TaskBody task;
      Unsent unsent;
    };
    std::list<Late> late;
    std::unordered_map<uint32_t, uint32_t> late_tasks;  // how many of them a task record has
  };
  struct CachedCode {
    manta_function_id id{};
    FunctionRegistry::Code code;
  };
  // What every thread that runs tasks has for itself.
  struct ThreadState {
    std::vector<std::unique_ptr<Execution>> executions;  // by depth of in-place runs
    CachedCode cache[16];
  };
  // An actor whose calls run on threads. The main thread takes descriptors and copies what it hands to them.
  struct Threads {
    struct Group {
      explicit Group(const ActorSetup::Group& given)
          : name(given.name), number(GroupNumber(given.name)), most(given.threads), calls(given.threads) {}
      std::string name;
      uint16_t number;
      uint32_t most;  // calls at once
      CallPool calls;
      std::unique_ptr<ServedCalls> served;  // instead, if the front-end has asked for that
    };
    explicit Threads(const ActorSetup& setup);
    Group* Find(uint16_t number);
    void Drain();
    void Stop();

    std::deque<Group> groups;  // the default group first
    std::atomic<bool> takes_tasks{false};  // the main thread, which holds the lock below, and looks again before it waits
    std::mutex channels;  // over the executor's channels: the main thread, unless it waits, and who leads the waiting threads
  };

  void RefreshChannels();
  uint32_t RunFrom(const std::shared_ptr<Incoming>& shared, uint32_t limit);
  const unsigned char* PayloadOf(const Incoming& channel, const shm::TaskBody& task, const shm::TaskBody& slot) const;
  void RunTask(const std::shared_ptr<Incoming>& shared, const shm::TaskBody& slot);
  Result<FunctionRegistry::Code> Resolve(const manta_function_id& id);
  // `now`: when the task ended. Waits until the outcome has room, or its owner is gone.
  void Complete(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome, uint64_t now);
  void CompleteWithList(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome, uint64_t now);
  // False: its list has no place just now; nothing has been sent.
  bool CompletePlaced(Incoming& channel, const shm::TaskBody& task, Unsent* unsent, uint64_t now);
  bool PlaceList(Incoming& channel, uint32_t results, Unsent* unsent, ListPlace* place);
  void ReplaceByError(ProcessId receiver, uint32_t results, const Error& no_space, Unsent* unsent);
  void Publish(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome, const ListPlace& place, uint64_t now);
  Execution& ExecutionAt(size_t depth);
  static thread_local ThreadState* pool_state_;  // of the threads of pools
  ThreadState& State() { return pool_state_ != nullptr ? *pool_state_ : main_; }
  uint32_t TakeTasks();
  bool ChannelsHaveChanged() const;
  bool AnyChannelHasWork() const;
  // Of a descriptor whose sizes have been checked.
  static Execution::Input InputOf(const Incoming& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
                                  const unsigned char* payload, void* inline_result);
  void Refuse(Incoming& channel, const shm::TaskBody& task, const Error& error);
  void HandOver(const std::shared_ptr<Incoming>& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
                const unsigned char* payload, std::string_view name);
  class Served;
  ServedCalls* Serve(std::string_view group) override;
  void SetStoppable(bool on) override;
  void HandOverServed(ServedCalls* queue, const std::shared_ptr<Incoming>& channel, const shm::TaskBody& task,
                      const FunctionRegistry::Code& code, const unsigned char* payload, std::string_view name);
  // On a thread that is not the main one: whether the call is to begin; if not, its caller has been told.
  bool MayBegin(Incoming& channel, const shm::TaskBody& task);
  void EndOnThread(Incoming& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code, ExecutionContext& context,
                   Execution& execution, const Outcome& outcome, uint64_t began);
  static void UseThreadState();
  void RunOnThread(Incoming& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
                   const unsigned char* payload, std::string_view name);
  void CompleteFromThread(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome);
  static bool HasRoom(Incoming& channel);
  bool CompleteIfRoom(Incoming& channel, const shm::TaskBody& task, Unsent* unsent);
  void CompleteLate();
  std::shared_ptr<Incoming> ChannelOf(ProcessId owner);
  bool IsGone(Incoming& channel) const;
  // While an owner has no room: how soon a thread that waits for it looks again, and for how long when this process ends.
  static constexpr int64_t kRoomAgainNs = 1'000'000;
  static constexpr int64_t kLateAtTheEndNs = 500'000'000;
  Sent AwaitOwner(Incoming& channel, TaskWaits* task, int64_t again_ns, FunctionRef<bool()> done);
  Sent SendItem(const Outcome& item, Room room) override;
  Sent AwaitWindow(uint32_t sent, uint32_t most_ahead, bool may_wait) override;
  void BeginWindow() override;
  void EndWindow() override;
  void EndActor(const char* reason);
  void TakeTasksWhile(Phase phase);
  bool ends() const {
    const Phase phase = phase_.load(std::memory_order_relaxed);
    return phase == Phase::kActorEnded || phase == Phase::kRetired || phase == Phase::kStopped;
  }
  // What calls of an actor that has ended fail with.
  Error Ended();

  Owner* const owner_;
  References* const references_;
  Waiting* const waiting_;
  SharedObjects* const shared_;
  TaskRecorder* const recorder_;
  manta_runtime* const runtime_;
  std::vector<std::shared_ptr<Incoming>> channels_;
  uint32_t version_ = 0;
  ThreadState main_;
  std::unique_ptr<Threads> threads_;  // set by the creation of an actor that has them
  bool creating_ = false;  // the running task makes an actor
  std::unique_ptr<Threads> coming_threads_;
  std::atomic<Threads*> served_{nullptr};  // threads_, once it is there
  uint16_t actor_shape_ = 0;
  VisibleGpus gpus_;
  Interrupts interrupts_;
  ItemWindows item_windows_;
  RunningTask running_;
  std::atomic<uint32_t> calls_on_threads_{0};  // that run
  std::atomic<uint32_t> late_{0};           // completions in `late`, of all channels
  std::atomic<bool> late_is_news_{false};   // the main thread has not looked since one was added
  uint64_t task_began_ = 0;  // ticks; a task begins when the one before it ended
  std::atomic<Phase> phase_{Phase::kRunning};
  std::atomic<bool> actor_was_restarted_{false};
  std::mutex end_reason_mutex_;
  std::string end_reason_;
  // What calls of an actor fail with when there is none.
  Error no_actor_ = MakeError(MANTA_ERROR_ACTOR_DIED, "the actor's constructor failed");
};

}  // namespace manta::worker
