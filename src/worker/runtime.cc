#include "worker/function_names.h"
#include "worker/runtime.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/kill_point.h"
#include "base/schedstat.h"
#include "contracts/fields.h"
#include "contracts/worker_environment.h"
#include "model/gpu_units.h"
#include "worker/clock.h"
#include "worker/copy_few.h"

namespace manta::worker {
namespace {

constexpr int64_t kHandshakeNs = 10'000'000'000;
constexpr int64_t kLastCallsNs = 2'000'000'000;
// A wait that looks less often than this, and finds what it is for, was not long enough for the flight recorder to read the clock again.
constexpr uint32_t kFewLooks = 64;
// Of a Get with a time limit, for a child that runs in place.
constexpr int64_t kPartOfTheTimeLeft = 16;
constexpr int64_t kMuchTimeNs = 10'000'000'000;

shm::EventOutcome WaitOutcome(bool reached, bool cancelled, bool failed) {
  if (cancelled) return shm::EventOutcome::kCancelled;
  if (failed) return shm::EventOutcome::kError;
  return reached ? shm::EventOutcome::kOk : shm::EventOutcome::kTimeout;
}

bool NodeHasGpus(const wire::WelcomeT& welcome) {
  return std::any_of(welcome.resources.begin(), welcome.resources.end(), [](const auto& amount) {
    return amount->name == model::kGpu && amount->fixed_point > 0;
  });
}

std::atomic<uint64_t> last_serial{0};

// For the daemon's answer to a driver's goodbye.
constexpr std::chrono::milliseconds kGoodbyeLimit{1000};

Error Interrupted(const char* what) {
  return MakeError(MANTA_ERROR_TASK_CANCELLED,
                   std::string("the task was cancelled while it waited in ") + what);
}

ObjectRecord* const* Objects(manta_ref* const* references) {
  return reinterpret_cast<ObjectRecord* const*>(references);
}

Error ForeignReference(const std::string& what) {
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                   what + ": a reference belongs to a connection that was shut down, or to another one; "
                   "references end with the connection of their process: put the value again");
}

}  // namespace

// Turns what the dispatcher wants into frames.
class Runtime::Port final : public LeasePort, public ReadyListener {
 public:
  explicit Port(Runtime* runtime) : runtime_(runtime) {}

  void SetDemand(const TaskTarget& target) override {
    wire::SetDemandT message;
    message.key = target.key;
    message.resources = contracts::AmountsOf(target.options.resources);
    message.placement = contracts::AmountsOf(target.options.placement);
    message.dedicated = target.ordered;
    message.wanted = target.wanted;
    message.actor_name = target.options.name;
    message.actor_creator = target.options.actor.creator.value;
    message.actor_serial = target.options.actor.serial;
    message.environment = target.options.environment;
    message.group_creator = target.options.bundle.group.creator.value;
    message.group_serial = target.options.bundle.group.serial;
    message.bundle = target.options.bundle.index;
    message.captures = target.options.captures;
    message.nodes = target.options.nodes.text();
    runtime_->control_->Queue(std::move(message));
    // If no lease comes soon, some that are idle go back (Dispatcher::Tick).
    if (!target.ordered && target.wanted > 0 && target.channels.empty()) runtime_->control_->TickNow();
  }
  void ReturnLease(LeaseId lease, bool unused) override {
    wire::ReturnLeaseT message;
    message.lease = lease.value;
    message.unused = unused;
    runtime_->control_->Queue(std::move(message));
  }
  void ReleaseChannel(uint64_t offset) override {
    wire::ReleaseChannelT message;
    message.channel = offset;
    runtime_->control_->Queue(std::move(message));
  }
  void AskForPayloadSpace(uint32_t record, uint32_t generation, uint64_t bytes) override {
    runtime_->AskForPayloadSpace(record, generation, bytes);
  }
  void TakeBack(ProcessId worker, uint32_t record, uint32_t generation) override {
    wire::TakeBackT message;
    message.worker = worker.value;
    message.record = record;
    message.generation = generation;
    runtime_->control_->Queue(std::move(message));
  }
  void ActorChanged(const TaskTarget& target, ProcessId host) override {
    runtime_->actors_->Changed(target, host);
  }
  void ActorMoved(const TaskTarget& target) override { runtime_->actors_->AskFor(target.actor); }
  void DependencyReady(uint32_t task) override { runtime_->dispatcher_->DependencyReady(task); }
  void WaiterReady(Waiter* waiter) override { runtime_->waiting_->WaiterReady(waiter); }

 private:
  Runtime* const runtime_;
};

// What peers ask for that concerns tasks (service thread, under the owner's lock).
class Runtime::Peers final : public TaskListener {
 public:
  explicit Peers(Runtime* runtime) : runtime_(runtime) {}

  void Cancel(ObjectRecord* object, bool force, bool recursive) override {
    if (object->task == 0) return;
    ProcessId kill;
    runtime_->dispatcher_->Cancel(object->task, runtime_->owner_->Task(object->task), force, recursive, &kill);
    if (kill) runtime_->KillWorkers({kill}, "the task that it ran was cancelled by force");
  }
  void Interrupt(const ObjectId& task, uint32_t first_result, bool recursive) override {
    if (runtime_->executor_ != nullptr) runtime_->executor_->Interrupt(task);
    if (!recursive) return;
    std::vector<ProcessId> kill;
    runtime_->dispatcher_->CancelChildren({task.owner, first_result, task.generation}, &kill);
    runtime_->KillWorkers(kill, "the task that it ran was cancelled by force");
  }
  void StreamTaken(const ObjectId& task, uint32_t count) override {
    if (runtime_->executor_ != nullptr) runtime_->executor_->StreamTaken(task, count);
  }

 private:
  Runtime* const runtime_;
};

Result<std::unique_ptr<Runtime>> Runtime::Connect(int socket, wire::HelloT hello, Console console) {
  const bool is_driver = hello.role == wire::Role::Driver;
  if (!is_driver) MANTA_KILL_POINT("worker.before_hello");
  std::string program = hello.executable;
  Result<Handshake> handshake = ShakeHands(socket, std::move(hello), kHandshakeNs);
  if (!handshake) {
    close(socket);
    return handshake.error();
  }
  if (handshake->descriptors.size() != 2) {
    for (const int descriptor : handshake->descriptors) close(descriptor);
    close(socket);
    return MakeError(MANTA_ERROR_START_FAILED, "the node daemon's welcome came without its shared memory");
  }
  const wire::WelcomeT& welcome = handshake->welcome;
  Result<NodeMemory> memory =
      NodeMemory::Map(handshake->descriptors[0], welcome.control_bytes, handshake->descriptors[1],
                      welcome.object_bytes, welcome.page);
  if (!memory) {
    close(socket);
    return memory.error();
  }
  if (!is_driver) MANTA_KILL_POINT("worker.attached");
  return std::unique_ptr<Runtime>(
      new Runtime(socket, std::move(handshake).value(), std::move(memory).value(), is_driver, std::move(program), console));
}

Runtime::Runtime(int socket, Handshake handshake, NodeMemory memory, bool is_driver, std::string program, Console console)
    : serial_(++last_serial),
      is_driver_(is_driver),
      welcome_(std::move(handshake.welcome)),
      console_(console),
      memory_(std::move(memory)) {
  control_ = std::make_unique<ControlClient>(socket, std::move(handshake.reader));
  TaskRecorder::Place place{welcome_.session_directory, ProcessId{welcome_.process},
                            is_driver_ ? shm::RecorderRole::kDriver : shm::RecorderRole::kWorker, std::move(program)};
  recorder_ = std::make_unique<TaskRecorder>(std::move(place), [this](const std::string& reason) {
    wire::RecorderMissingT message;
    message.reason = reason;
    control_->Queue(std::move(message));
    control_->WakeTicker();
  });
  port_ = std::make_unique<Port>(this);
  owner_ = std::make_unique<Owner>(ProcessId{welcome_.process}, &memory_);
  owner_->set_listener(port_.get());
  owner_->set_freed_hook([this] { SendFreed(); });
  references_ = std::make_unique<References>(owner_.get(), [this](ProcessId to, std::vector<uint8_t> batch) {
    wire::RelayT message;
    message.to = to.value;
    message.payload = std::move(batch);
    control_->Queue(std::move(message));
    control_->WakeTicker();  // whoever holds the lock may be busy for long: the service thread sends it
  });
  peers_ = std::make_unique<Peers>(this);
  references_->set_task_listener(peers_.get());
  shared_ = std::make_unique<SharedObjects>(control_.get(), &memory_, recorder_.get(), [this](const shm::SharedHandle& unclaimed) {
    std::lock_guard guard(owner_->lock());
    owner_->FreeLater(unclaimed);
  });
  dispatcher_ = std::make_unique<Dispatcher>(owner_.get(), references_.get(), port_.get(), memory_.cores());
  actors_ = std::make_unique<ActorLinks>(this, owner_.get(), references_.get(), dispatcher_.get(), control_.get(), &memory_);
  steward_ = std::make_unique<Steward>(this);
  questions_ = std::make_unique<ClusterQuestions>(control_.get());
  key_values_ = std::make_unique<KeyValues>(control_.get());
  placement_groups_ = std::make_unique<PlacementGroups>(owner_.get(), control_.get());
  Waiting::Hooks hooks;
  hooks.flush = [this] { Flush(); };
  hooks.tasks_wait = [this] { return executor_ != nullptr && executor_->HasWork(); };
  if (!is_driver_) lending_ = std::make_unique<CpuLending>(LendingHooks());
  waiting_ = std::make_unique<Waiting>(owner_.get(), dispatcher_.get(), lending_.get(), std::move(hooks));
  ready_watch_ = std::make_unique<ReadyWatch>(waiting_.get());
  if (!is_driver_) {
    executor_ = std::make_unique<Executor>(owner_.get(), references_.get(), waiting_.get(), shared_.get(), recorder_.get(),
                                           NodeHasGpus(welcome_), reinterpret_cast<manta_runtime*>(this));
  }
  TargetOptions defaults;
  defaults.resources.Set(model::kCpu, model::kResourceUnit);
  defaults.placement = defaults.resources;
  defaults.environment = welcome_.environment;
  InternedOptions first;
  first.target = dispatcher_->TargetFor(defaults);
  first.shape = defaults;
  options_.push_back(std::make_unique<InternedOptions>(std::move(first)));
  control_->Start({.on_frame = [this](const wire::Frame& frame) { OnFrame(frame); },
                   .on_closed = [this] { OnClosed(); },
                   .on_tick = [this](int64_t now) { return OnTick(now); }});
}

CpuLending::Hooks Runtime::LendingHooks() {
  CpuLending::Hooks hooks;
  hooks.tell = [this](bool lent) {
    auto& activity = memory_.my_page().activity;
    if (lent) {
      activity.fetch_or(shm::kBlocked);
      control_->Queue(wire::BlockedT{});
    } else {
      activity.fetch_and(~shm::kBlocked);
      control_->Queue(wire::ResumedT{});
    }
  };
  hooks.wake_ticker = [this] { control_->WakeTicker(); };
  hooks.runs_a_task = [this] { return !waiting_->awaits_tasks() || executor_->runs_calls_on_threads(); };
  hooks.read_clock = ReadClock;
  hooks.wanted = [stat = std::make_shared<const SchedStat>(SchedStat::OfMainThread(getpid()))] {
    return ReadClock(CLOCK_PROCESS_CPUTIME_ID) - ReadClock(CLOCK_THREAD_CPUTIME_ID) + stat->Queued();
  };
  return hooks;
}

Runtime::~Runtime() { Close(); }

void Runtime::Close() {
  if (!closed_.exchange(true)) {
    shut_down_.store(true);
    if (!is_driver_) {
      // Else the daemon would stop their workers, which may own what others hold.
      std::lock_guard guard(owner_->lock());
      dispatcher_->ReturnIdleLeases();
    }
    FailAll(MakeError(MANTA_ERROR_NOT_INITIALIZED, "the runtime was shut down before the value was there"));
    KeepMemoryInUse();
    wire::GoodbyeT goodbye;
    if (executor_ != nullptr) goodbye.reason = executor_->end_reason();
    control_->Queue(std::move(goodbye));
    control_->Flush();
    // What its workers printed last comes before the daemon closes the connection.
    if (is_driver_) control_->AwaitEnd(kGoodbyeLimit);
  }
  ready_watch_->Stop();
  control_->Stop();
  owner_->set_freed_hook([] {});
  std::lock_guard guard(owner_->lock());
  actors_->ForgetLives();
  references_->ForgetBorrowers();
}

// After the goodbye the daemon gives what this process has in the arena to others. A worker ends; a driver goes on, and may still read
// and write there: in views that outlive Shutdown, and in a put that another thread has begun.
void Runtime::KeepMemoryInUse() {
  if (!is_driver_) return;
  { std::lock_guard payload(payload_mutex_); }  // none is being written from here on
  // Calls that wait have failed; one that was given space still makes a record of it.
  for (int64_t until = NowNs() + kLastCallsNs; calls_.load() > 0 && NowNs() < until;) usleep(100);
  std::lock_guard guard(owner_->lock());
  owner_->PinOwned();
}

void Runtime::FailAll(const Error& error) {
  // First, so that nothing asks for space any more when what did is told.
  {
    std::lock_guard guard(owner_->lock());
    dispatcher_->FailAll(error);
    references_->FailAll(error);
  }
  shared_->FailAll(error);
  actors_->FailAll(error);
  questions_->FailAll(error);
  key_values_->FailAll(error);
  placement_groups_->FailAll(error);
  waiting_->WakeAll();
}

inline bool Runtime::OwnsAll(ObjectRecord* const* objects, size_t count) const {
  const Owner* const owner = owner_.get();
  for (size_t i = 0; i < count; ++i) {
    if (&Owner::Of(objects[i]) != owner) return false;
  }
  return true;
}

bool Runtime::has_handles() const {
  return owner_->objects_in_use() > 0 || actors_->in_use() > 0 || calls_ > 0 || streams_ > 0 || ready_watch_->queues() > 0;
}

// ---- Tasks

// What few tasks have: references, and arguments that do not fit into the descriptor.
void Runtime::FillHoldings(const manta_task_spec& spec, TaskRecord* task) {
  if (spec.num_nested > 0) {
    task->nested = new TaskNested();
    for (uint32_t i = 0; i < spec.num_nested; ++i) {
      task->nested->objects.push_back(reinterpret_cast<ObjectRecord*>(spec.nested[i]));
      Owner::Retain(task->nested->objects.back());
    }
  }
  if (spec.args_size > sizeof task->body.payload) {
    task->set_args_block(static_cast<unsigned char*>(owner_->heap().Allocate(spec.args_size)));
    std::memcpy(task->args_block(), spec.args, spec.args_size);
  }
  if (spec.num_dependencies > 0) {
    task->dependencies = static_cast<ObjectRecord**>(
        owner_->heap().Allocate(sizeof(ObjectRecord*) * spec.num_dependencies));
    for (uint32_t i = 0; i < spec.num_dependencies; ++i) {
      task->dependencies[i] = reinterpret_cast<ObjectRecord*>(spec.dependencies[i]);
      Owner::Retain(task->dependencies[i]);
    }
  }
}

inline void Runtime::FillTask(const manta_task_spec& spec, TaskRecord* task) {
  shm::TaskBody& body = task->body;
  body.function = spec.function;
  body.args_bytes = static_cast<uint32_t>(spec.args_size);
  body.dependencies = static_cast<uint16_t>(spec.num_dependencies);
  body.results = static_cast<uint16_t>(spec.num_results);
  body.attempt = 0;
  task->nested = nullptr;
  task->name = spec.function_name;
  if (spec.args_size <= sizeof body.payload) CopyFew(body.payload, spec.args, spec.args_size);
  if (__builtin_expect(spec.num_nested > 0 || spec.num_dependencies > 0 || spec.args_size > sizeof body.payload, 0)) {
    FillHoldings(spec, task);
  }
}

Result<> Runtime::CheckOpen(const std::string& what) const {
  if (!closed_.load(std::memory_order_relaxed)) return {};
  if (!shut_down_.load()) return MakeError(MANTA_ERROR_NODE_DIED, "the node daemon is gone: the cluster has ended");
  return MakeError(MANTA_ERROR_NOT_INITIALIZED,
                   what + ": the handle or reference is of a connection that was shut down since: get a new one from the present one");
}

// [lock] Lets go of the lock when that fails.
Result<> Runtime::AwaitTurn(const manta_task_spec& spec) {
  const Call here(*this);
  owner_->turns().AwaitTurn();
  if (!closed_.load(std::memory_order_relaxed)) return {};
  owner_->lock().unlock();
  return CheckOpen(NameOfFunction(spec.function, spec.function_name));
}

Result<> Runtime::Submit(const manta_task_spec& spec, ActorRecord* actor, uint8_t flags,
                         manta_ref** results) {
  if (spec.args_size > MANTA_ARGS_LIMIT || spec.num_dependencies > UINT16_MAX ||
      spec.num_results > UINT16_MAX) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the call of '" + NameOfFunction(spec.function, spec.function_name) +
                         "' has too much in one call: at most " + std::to_string(MANTA_ARGS_LIMIT) +
                         " bytes of arguments, 65535 references and 65535 results (put large values into objects)");
  }
  if (closed_.load(std::memory_order_relaxed)) return CheckOpen(NameOfFunction(spec.function, spec.function_name)).error();
  if (!OwnsAll(Objects(spec.dependencies), spec.num_dependencies) || !OwnsAll(Objects(spec.nested), spec.num_nested)) {
    return ForeignReference("an argument of '" + NameOfFunction(spec.function, spec.function_name) + "'");
  }
  uint32_t number = spec.options;
  if (actor == nullptr && __builtin_expect(captures(), 0)) {
    Result<uint32_t> captured = CapturedOptions(number);
    if (!captured) return captured.error();
    number = *captured;
  }
  owner_->lock().lock();
  if (__builtin_expect(!owner_->turns().AreFree(), 0)) {
    if (Result<> awaited = AwaitTurn(spec); !awaited) return awaited;
  }
  if (__builtin_expect(number >= options_.size(), 0)) {
    owner_->lock().unlock();
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the call of '" + NameOfFunction(spec.function, spec.function_name) + "' names options number " +
                         std::to_string(spec.options) + ", which this runtime has not given out (of an earlier connection?)");
  }
  if (actor != nullptr && __builtin_expect(actor->target->outstanding() >= actor->target->max_pending, 0) &&
      dispatcher_->TooManyPending(actor->target)) {
    owner_->lock().unlock();
    return MakeError(MANTA_ERROR_PENDING_CALLS_LIMIT,
                     "the call of '" + NameOfFunction(spec.function, spec.function_name) + "' was not submitted: " +
                         std::to_string(actor->target->max_pending) +
                         " calls of this process to the actor are pending, as many as max_pending_calls allows; wait "
                         "for some of them first");
  }
  if (__builtin_expect(spec.stream != nullptr, 0) && !MayBegin(spec)) {
    owner_->lock().unlock();
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the call of '" + NameOfFunction(spec.function, spec.function_name) +
                                                       "': a stream is for one call of this runtime, which has one result");
  }
  uint32_t index;
  TaskRecord* task = owner_->NewTask(&index);
  FillTask(spec, task);
  task->body.flags = flags | (spec.num_nested > 0 ? shm::kHasReferences : 0);
  if (spec.num_results == 1) {
    task->result = owner_->NewObject();
    task->result->task = index;
    Owner::NameTask(task, task->result);
    results[0] = reinterpret_cast<manta_ref*>(task->result);
  } else if (spec.num_results > 1) {
    task->results = static_cast<ObjectRecord**>(
        owner_->heap().Allocate(sizeof(ObjectRecord*) * spec.num_results));
    for (uint32_t i = 0; i < spec.num_results; ++i) {
      task->results[i] = owner_->NewObject();
      task->results[i]->task = index;
      results[i] = reinterpret_cast<manta_ref*>(task->results[i]);
    }
    Owner::NameTask(task, task->results[0]);
  }
  const ExecutionContext* context = Executor::current();
  task->parent = context != nullptr ? context->id() : ObjectId{};
  TaskTarget* target;
  const InternedOptions& options = *options_[number];
  if (actor != nullptr) {
    target = actor->target;
    if ((flags & shm::kActorCreation) != 0) {
      task->retries_left = 0;
      task->retry_rule = nullptr;
      task->body.shape = target->shape;
      target->creation = index;
    } else {
      task->body.shape = options.group;
      task->retries_left = options.method_retries;
      task->retry_rule = &options.retry_rule;
    }
  } else {
    target = options.target;
    if (__builtin_expect(!options.turns.empty(), 0)) target = options.turns[spread_turn_++ % options.turns.size()];
    task->body.shape = target->shape;
    task->retries_left = options.max_retries;
    task->retry_rule = &options.retry_rule;
  }
  if (__builtin_expect(spec.stream != nullptr, 0)) {
    if (task->nested == nullptr) task->nested = new TaskNested();
    task->nested->stream = reinterpret_cast<const StreamHandle*>(spec.stream)->stream;
    task->nested->stream->Begin(index);
  }
  if (__builtin_expect(spec.name != nullptr, 0)) {
    if (task->nested == nullptr) task->nested = new TaskNested();
    task->nested->name = spec.name;
    task->name = nullptr;
    task->body.flags |= shm::kNamed;
  }
  dispatcher_->Submit(index, task, target);
  references_->Flush();
  owner_->lock().unlock();
  Flush();
  control_->WakeTicker();
  return {};
}

void Runtime::AskForPayloadSpace(uint32_t record, uint32_t generation, uint64_t bytes) {
  shared_->AllocateLater(bytes, owner_->process(), [this, record, generation](const Result<shm::SharedHandle>& space) {
    OnPayloadSpace(record, generation, space);
  });
}

void Runtime::OnPayloadSpace(uint32_t record, uint32_t generation, const Result<shm::SharedHandle>& space) {
  std::lock_guard payload(payload_mutex_);
  const TaskRecord* task;
  {
    std::lock_guard guard(owner_->lock());
    task = dispatcher_->AwaitingPayload(record, generation);
  }
  if (task == nullptr) {
    if (!space) return;
    std::lock_guard guard(owner_->lock());
    owner_->FreeLater(space.value());
    return;
  }
  // It waits for nothing else, and nobody but this thread can let it go on: what it holds stays as it is.
  if (space) {
    WritePayload(*owner_, *task, shared_->Writable(space.value()));
    shared_->Seal(space.value());
  }
  std::lock_guard guard(owner_->lock());
  dispatcher_->PayloadSpace(record, space);
}

const char* Runtime::environment_name() const {
  return contracts::WorkerEnvironment::OfText(welcome_.environment).name.data();  // the text's end is the name's
}

// ---- Objects

ObjectRecord* Runtime::Import(const ObjectId& id) {
  ObjectRecord* object;
  {
    std::lock_guard guard(owner_->lock());
    object = references_->Import(id);
    references_->Flush();
  }
  control_->Flush();
  return object;
}

Result<> Runtime::PutBegin(size_t size, manta_ref* const* nested, size_t num_nested, const manta_patience* patience,
                           void** data, ObjectRecord** out) {
  if (!OwnsAll(Objects(nested), num_nested)) return ForeignReference("put");
  if (num_nested > References::kMostInOneValue) return References::TooMany(num_nested);
  std::vector<ObjectRecord*> inners;
  for (size_t i = 0; i < num_nested; ++i) {
    inners.push_back(reinterpret_cast<ObjectRecord*>(nested[i]));
    Owner::Retain(inners.back());
  }
  if (size <= kLargeValueBytes) {
    std::lock_guard guard(owner_->lock());
    *out = owner_->BeginPut(static_cast<uint32_t>(size), data);
    references_->Contain(*out, std::move(inners));
    return {};
  }
  const Call call(*this);
  Result<shm::SharedHandle> handle = shared_->Allocate(
      size, owner_->process(), [&] { return IsCancelled() || (patience != nullptr && patience->gives_up(patience->context) != 0); });
  std::lock_guard guard(owner_->lock());
  if (!handle) {
    for (ObjectRecord* inner : inners) owner_->ReleaseLocked(inner);
    return handle.error();
  }
  *out = owner_->BeginSharedPut(handle.value());
  references_->Contain(*out, std::move(inners));
  *data = shared_->Writable(handle.value());
  return {};
}

void Runtime::SendFreed() {
  std::vector<shm::SharedHandle> freed;
  {
    std::lock_guard guard(owner_->lock());
    freed = owner_->TakeFreed();
  }
  control_->WakeTicker();
  if (freed.empty()) return;
  wire::FreeObjectsT message;
  for (const shm::SharedHandle& handle : freed) {
    message.slots.push_back(handle.slot);
    message.generations.push_back(handle.generation);
  }
  control_->Queue(std::move(message));
  control_->Flush();
}

// Values of borrowed objects come on demand.
void Runtime::FetchPending(ObjectRecord* const* objects, size_t count) {
  bool any = false;
  for (size_t i = 0; i < count; ++i) any = any || objects[i]->borrowed;
  if (!any) return;
  {
    std::lock_guard guard(owner_->lock());
    for (size_t i = 0; i < count; ++i) references_->Fetch(objects[i]);
    references_->Flush();
  }
  control_->Flush();
}

void Runtime::NameWhoLends(Waiting::Request* request) const {
  if (ExecutionContext* const context = Executor::current(); context != nullptr) {
    request->task = context->its_waits();
  } else {
    request->beside_task = executor_ != nullptr;
  }
}

void Runtime::RunInPlace(ObjectRecord* object, int64_t deadline) {
  uint32_t index;
  TaskRecord* task;
  {
    std::lock_guard guard(owner_->lock());
    if (object->state.load(std::memory_order_relaxed) != ValueState::kPending || object->task == 0) return;
    index = object->task;
    task = owner_->Task(index);
    // A child that asks for something else waits for a worker that has it.
    if (task->body.shape != Executor::current()->shape || Executor::current()->tried_before) return;
    if (task->target->options.nodes.spreads()) return;
    // One that pauses until this thread takes what it gives would not go on.
    if (task->nested != nullptr && task->nested->stream != nullptr) return;
    // One whose crash is to be an error for its parent must not take that along.
    if (task->retries_left == 0) return;
    // Once begun here it could not be left when the time is up: so only what is known to take a small part of that.
    if (deadline >= 0) {
      const int64_t left = deadline - NowNs();
      const int64_t usual = task->target->service_ns;
      // Of one that is like its parent (a recursion, mostly) nothing need be known where there is much time.
      const bool like_its_parent = std::memcmp(&task->body.function, Executor::current()->function, sizeof task->body.function) == 0;
      if (usual == 0 ? !like_its_parent || left < kMuchTimeNs : usual > left / kPartOfTheTimeLeft) return;
    }
    if (!dispatcher_->Withdraw(index, task)) return;
  }
  alignas(8) unsigned char inline_result[shm::kInlineResult];
  const Outcome outcome = executor_->RunInPlace(index, *task, inline_result);
  {
    std::lock_guard guard(owner_->lock());
    dispatcher_->Finish(index, task, outcome, owner_->process());
  }
  executor_->DoneInPlace();
}

Result<> Runtime::Get(ObjectRecord* const* objects, size_t count, int64_t timeout_ns,
                      manta_bytes* values) {
  uint32_t failures = owner_->failures() - 1;  // so that the first look is at all objects
  if (!OwnsAll(objects, count)) return ForeignReference("get");
  size_t next = 0;
  ObjectRecord* failed = nullptr;
  bool cancelled = false;
  uint32_t looks = 0;
  auto done = [&] {
    ++looks;
    if (IsCancelled()) {
      cancelled = true;
      return true;
    }
    for (; next < count; ++next) {
      const ValueState state = objects[next]->state.load(std::memory_order_acquire);
      if (state == ValueState::kPending) break;
      if (state == ValueState::kError) {
        failed = objects[next];
        return true;
      }
    }
    if (next == count) return true;
    // One of the later objects may have failed; that is rare, so that they are not looked at each time.
    const uint32_t failures_now = owner_->failures();
    if (failures_now == failures) return false;
    failures = failures_now;
    const auto later = std::find_if(objects + next, objects + count, [](const ObjectRecord* object) {
      return object->state.load(std::memory_order_acquire) == ValueState::kError;
    });
    if (later == objects + count) return false;
    failed = *later;
    return true;
  };
  if (!done()) {
    waits_.store(waits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    const int64_t deadline = timeout_ns < 0 ? -1 : NowNs() + timeout_ns;
    if (executor_ != nullptr && children_in_place_ && Executor::current() != nullptr) {
      while (!done() && Executor::MayRunInPlace()) {
        const size_t before = next;
        RunInPlace(objects[next], deadline);
        if (objects[before]->state.load(std::memory_order_acquire) == ValueState::kPending) break;
      }
    }
    FetchPending(objects, count);
    Waiting::Request request;
    request.done = done;
    request.watched = {objects, count};
    request.deadline = deadline;
    NameWhoLends(&request);
    const uint64_t began = NowTicks();
    looks = 0;
    const bool reached = waiting_->Wait(request);
    if (looks >= kFewLooks || waiting_->spin_ns() == 0 || (!reached && timeout_ns != 0)) {
      recorder_->Waited(shm::EventKind::kGet, WaitOutcome(reached, cancelled, failed != nullptr), began, count);
    }
    if (!reached) {
      const auto pending = std::count_if(objects, objects + count, [](const ObjectRecord* object) {
        return object->state.load(std::memory_order_acquire) == ValueState::kPending;
      });
      return MakeError(MANTA_ERROR_TIMEOUT, "get: " + std::to_string(pending) + " of " +
                                                std::to_string(count) + " objects had no value after " +
                                                std::to_string(timeout_ns / 1'000'000) + " ms");
    }
  }
  if (cancelled) return Interrupted("get");
  if (failed != nullptr) return *failed->error;
  for (size_t i = 0; i < count; ++i) values[i] = owner_->Value(*objects[i]);
  return {};
}

void Runtime::AwaitReady(ReadyQueue* queue, ObjectRecord* object, uint64_t tag) {
  FetchPending(&object, 1);
  queue->Add(object, tag);
}

Result<> Runtime::Wait(ObjectRecord* const* objects, size_t count, size_t num_returns,
                       int64_t timeout_ns, uint8_t* ready) {
  if (num_returns == 0 || num_returns > count) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "wait: the number of objects to wait for must be between 1 and the " +
                         std::to_string(count) + " given, not " + std::to_string(num_returns));
  }
  if (!OwnsAll(objects, count)) return ForeignReference("wait");
  bool cancelled = false;
  uint32_t looks = 0;
  size_t ready_ahead = 0;  // those in front of the first that is not, which need no further look
  auto done = [&] {
    ++looks;
    if (IsCancelled()) {
      cancelled = true;
      return true;
    }
    const auto is_ready = [&](size_t i) { return objects[i]->state.load(std::memory_order_acquire) != ValueState::kPending; };
    while (ready_ahead < num_returns && is_ready(ready_ahead)) ++ready_ahead;
    size_t found = ready_ahead;
    // No further than where the rest cannot be enough any more.
    size_t may_lack = count - num_returns;
    for (size_t i = ready_ahead; found < num_returns && i < count; ++i) {
      if (is_ready(i)) {
        ++found;
      } else if (may_lack-- == 0) {
        return false;
      }
    }
    return found >= num_returns;
  };
  if (!done()) {
    waits_.store(waits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    FetchPending(objects, count);
    Waiting::Request request;
    request.done = done;
    request.watched = {objects, count};
    request.deadline = timeout_ns < 0 ? -1 : NowNs() + timeout_ns;
    NameWhoLends(&request);
    const uint64_t began = NowTicks();
    looks = 0;
    const bool reached = waiting_->Wait(request);
    if (looks >= kFewLooks || waiting_->spin_ns() == 0 || (!reached && timeout_ns != 0)) {
      recorder_->Waited(shm::EventKind::kWait, WaitOutcome(reached, cancelled, false), began, count);
    }
  }
  if (cancelled) return Interrupted("wait");
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    const bool is_ready = found < num_returns &&
                          objects[i]->state.load(std::memory_order_acquire) != ValueState::kPending;
    ready[i] = is_ready;
    found += is_ready;
  }
  return {};
}

Result<> Runtime::Cancel(ObjectRecord* object, bool force, bool recursive) {
  if (!OwnsAll(&object, 1)) return ForeignReference("cancel");
  {
    std::lock_guard guard(owner_->lock());
    if (object->state.load(std::memory_order_relaxed) != ValueState::kPending) return {};  // done already
    if (object->borrowed) {
      references_->SendCancel(*object, force, recursive);
    } else if (object->task != 0) {
      TaskRecord* task = owner_->Task(object->task);
      if (force && task->target != nullptr && task->target->ordered) {
        return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                         "cancel: force is not allowed for a call of an actor, since it would kill the actor: "
                         "if that is meant, kill the actor itself");
      }
      ProcessId kill;
      dispatcher_->Cancel(object->task, task, force, recursive, &kill);
      if (kill) KillWorkers({kill}, "the task that it ran was cancelled by force");
    }
    references_->Flush();
  }
  control_->Flush();
  return {};
}

bool Runtime::IsCancelled() {
  const ExecutionContext* context = Executor::current();
  return context != nullptr && executor_ != nullptr && executor_->IsInterrupted(context->task);
}

void Runtime::KillWorkers(const std::vector<ProcessId>& workers, const char* reason) {
  for (ProcessId worker : workers) {
    wire::KillWorkerT message;
    message.worker = worker.value;
    message.reason = reason;
    message.force = true;
    control_->Queue(std::move(message));
  }
}

// ---- Actors

Result<ActorRecord*> Runtime::CreateActor(const manta_task_spec& constructor,
                                          const manta_actor_options& options) {
  const Call call(*this);
  if (Result<ActorSetup> setup = CheckedSetup(options); !setup) return setup.error();
  const auto check = [](const char* name, int32_t value, int32_t least) -> Result<> {
    if (value >= least) return {};
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, std::string(name) + " is " + std::to_string(value) +
                                                       ": it must be at least " + std::to_string(least) +
                                                       (least < 0 ? " (-1: without end)" : ""));
  };
  for (const Result<>& checked :
       {check("max_restarts", options.max_restarts, -1), check("max_task_retries", options.max_task_retries, -1),
        check("max_pending_calls", options.max_pending_calls, -1)}) {
    if (!checked) return checked.error();
  }
  for (const char* name : {options.name, options.ray_namespace}) {
    if (name == nullptr || strlen(name) <= ActorLinks::kMostName) continue;
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the name of an actor, or of its namespace, has " + std::to_string(strlen(name)) +
                                                       " bytes: " + std::to_string(ActorLinks::kMostName) + " is the most");
  }
  if (options.description.size > MANTA_ACTOR_DESCRIPTION_LIMIT) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the description of an actor has " + std::to_string(options.description.size) +
                                                       " bytes: " + std::to_string(MANTA_ACTOR_DESCRIPTION_LIMIT) + " is the most");
  }
  uint32_t number = constructor.options;
  if (captures()) {
    Result<uint32_t> captured = CapturedOptions(number);
    if (!captured) return captured.error();
    number = *captured;
  }
  TargetOptions shape;
  {
    std::lock_guard guard(owner_->lock());
    if (number >= options_.size()) {
      return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the actor's options are not of this runtime (of an earlier connection?)");
    }
    const InternedOptions& given = *options_[number];
    shape = given.shape;
    // As in Ray: by default an actor takes a CPU to be placed and none to run.
    if (given.default_resources) shape.resources = {};
    if (shape.nodes.spreads()) shape.nodes = shape.nodes.WithTurn(spread_turn_++);
  }
  // It may wait for resources, or its constructor run, when this process leaves.
  if (options.detached != 0) return steward_->Create(constructor, shape, options);
  bool existed;
  return CreateActorHere(constructor, std::move(shape), options, &existed);
}

Result<ActorRecord*> Runtime::CreateActorHere(const manta_task_spec& constructor, TargetOptions shape,
                                              const manta_actor_options& options, bool* existed) {
  Result<ActorSetup> setup = CheckedSetup(options);
  if (!setup) return setup.error();
  Result<ActorRecord*> actor = actors_->Create(constructor.function_name, std::move(shape), options, existed);
  if (!actor || *existed) return actor;
  manta_task_spec spec = constructor;
  spec.num_results = 0;
  uint8_t flags = shm::kActorCreation;
  std::vector<unsigned char> args;
  if (!setup->is_ordinary()) {
    args = WithSetup(*setup, spec.args, spec.args_size);
    spec.args = args.data();
    spec.args_size = args.size();
    flags |= shm::kActorSetup;
  }
  const Result<> submitted = Submit(spec, actor.value(), flags, nullptr);
  actors_->ConcludeCreation(actor.value()->id);
  if (!submitted) {
    actors_->Release(actor.value());  // nobody else has it
    return submitted.error();
  }
  return actor;
}

// ---- Worker

ActorId Runtime::hosted_actor() {
  if (is_driver_) return {};
  const shm::ProcessPage& page = memory_.my_page();
  return {{page.actor_creator.load(std::memory_order_relaxed)},
          page.actor_serial.load(std::memory_order_relaxed)};
}

model::BundleRef Runtime::bundle() {
  if (is_driver_) return {};
  const shm::ProcessPage& page = memory_.my_page();
  return {{{page.group_creator.load(std::memory_order_relaxed)}, page.group_serial.load(std::memory_order_relaxed)},
          page.bundle.load(std::memory_order_relaxed)};
}

bool Runtime::captures() {
  return !is_driver_ && Executor::current() != nullptr && memory_.my_page().captures.load(std::memory_order_relaxed) != 0;
}

void Runtime::ExecuteTasks() {
  executor_->Run();
  if (executor_->has_run_its_last()) {
    control_->Queue(wire::RetiresT{});
    control_->Flush();
    return executor_->AwaitStop();
  }
  if (!executor_->actor_has_ended()) return;
  {
    std::lock_guard guard(owner_->lock());
    references_->Flush();
    if (references_->listed() == 0) return;
    outlives_actor_.store(true);
  }
  wire::GoodbyeT goodbye;
  goodbye.reason = executor_->end_reason();
  goodbye.keeps_objects = true;
  control_->Queue(std::move(goodbye));
  control_->Flush();
  executor_->RefuseCalls();
}

}  // namespace manta::worker
