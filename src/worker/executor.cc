#include "worker/executor.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>

#include "base/kill_point.h"
#include "model/error_codec.h"
#include "worker/clock.h"
#include "worker/copy_descriptor.h"
#include "worker/copy_few.h"
#include "worker/error_stack.h"
#include "worker/execution_scope.h"
#include "worker/result_list.h"
#include "worker/shared_objects.h"
#include "worker/spin_lock.h"
#include "worker/task_facts.h"
#include "worker/ticks.h"

namespace manta::worker {
namespace {

// Tasks of one owner in a row before the other channels get their turn.
constexpr uint32_t kBurst = 64;
// How soon the main thread looks again whether an owner has made room for completions.
constexpr int64_t kLateAgainNs = 1'000'000;
// Tasks that run inside of each other on one thread, at most.
constexpr int kDeepestInPlace = 256;

// Cuts the name off the end of a payload. False: it is damaged.
bool TakeName(const unsigned char* payload, uint32_t* bytes, uint32_t args_bytes, std::string_view* name) {
  shm::NameTrailer trailer;
  if (*bytes - args_bytes < sizeof trailer) return false;
  const uint32_t before = *bytes - static_cast<uint32_t>(sizeof trailer);
  std::memcpy(&trailer, payload + before, sizeof trailer);
  if (trailer.bytes > before - args_bytes || Align8(trailer.bytes) > before - args_bytes) return false;
  *bytes = before - static_cast<uint32_t>(Align8(trailer.bytes));
  *name = {reinterpret_cast<const char*>(payload + *bytes), static_cast<size_t>(trailer.bytes)};
  return true;
}

bool SameFunction(const manta_function_id& a, const manta_function_id& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

}  // namespace

// Read with every call of the API: a fixed offset instead of a function call.
[[gnu::tls_model("initial-exec")]] thread_local ExecutionContext* current_context = nullptr;
namespace {
[[gnu::tls_model("initial-exec")]] thread_local int current_depth = 0;
}  // namespace

ExecutionContext* Executor::current() { return current_context; }

// A child may need as much of the stack as its parent: one that begins in the lower half goes to another worker.
bool Executor::MayRunInPlace() {
  static thread_local const uintptr_t half = [] {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return UINTPTR_MAX;
    void* begin = nullptr;
    size_t size = 0;
    pthread_attr_getstack(&attributes, &begin, &size);
    pthread_attr_destroy(&attributes);
    return reinterpret_cast<uintptr_t>(begin) + size / 2;
  }();
  return current_depth < kDeepestInPlace && reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) > half;
}

void Executor::DoneInPlace() { ExecutionAt(static_cast<size_t>(current_depth) + 1).Done(); }

Executor::Executor(Owner* owner, References* references, Waiting* waiting, SharedObjects* shared,
                   TaskRecorder* recorder, bool node_has_gpus, manta_runtime* runtime)
    : owner_(owner), references_(references), waiting_(waiting), shared_(shared), recorder_(recorder),
      runtime_(runtime), gpus_(node_has_gpus) {}

Executor::~Executor() = default;

Execution& Executor::ExecutionAt(size_t depth) {
  std::vector<std::unique_ptr<Execution>>& executions = State().executions;
  while (executions.size() <= depth) {
    executions.push_back(std::make_unique<Execution>(owner_, references_, shared_, runtime_, static_cast<ItemSink*>(this)));
  }
  return *executions[depth];
}

void Executor::RefreshChannels() {
  shm::ProcessPage& page = owner_->memory().my_page();
  const uint32_t version = page.channel_version.load(std::memory_order_acquire);
  if (version == version_) return;
  version_ = version;
  const uint32_t count = std::min(page.channel_count.load(std::memory_order_acquire),
                                  shm::kMaxChannelsPerProcess);
  std::vector<std::shared_ptr<Incoming>> kept;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t offset = page.channels[i].load(std::memory_order_acquire);
    if (offset == 0) continue;
    const auto known = std::find_if(channels_.begin(), channels_.end(), [&](const auto& channel) {
      return channel->offset == offset;
    });
    if (known != channels_.end()) {
      kept.push_back(*known);
      continue;
    }
    auto channel = std::make_shared<Incoming>();
    channel->offset = offset;
    if (!owner_->memory().View(uint64_t{offset} * shm::kCacheLine, &channel->view)) continue;
    const shm::ChannelHeader& header = *channel->view.header;
    channel->owner_page = owner_->memory().Page(header.owner_page);
    if (channel->owner_page == nullptr) continue;
    channel->slots = {channel->view.slots, header.log2_slots};
    channel->completions = {channel->view.completions, header.log2_completions};
    channel->payload = shm::PayloadRing(header.result_payload_bytes);
    kept.push_back(std::move(channel));
  }
  std::swap(channels_, kept);
  if (threads_ != nullptr) {
    // Before the daemon hears that their memory can be used for something else.
    for (const std::shared_ptr<Incoming>& former : kept) {
      std::lock_guard guard(former->completing);
      former->closed = std::find(channels_.begin(), channels_.end(), former) == channels_.end();
      if (!former->closed) continue;
      late_.fetch_sub(static_cast<uint32_t>(former->late.size()));
      former->late.clear();
      former->late_tasks.clear();
    }
  }
  page.channel_version_seen.store(version, std::memory_order_release);
}

bool Executor::ChannelsHaveChanged() const {
  return owner_->memory().my_page().channel_version.load(std::memory_order_seq_cst) != version_;
}

bool Executor::AnyChannelHasWork() const {
  if (ChannelsHaveChanged()) return true;
  return std::any_of(channels_.begin(), channels_.end(),
                     [](const auto& channel) { return channel->slots.HasWork(); });
}

bool Executor::HasWork() const {
  if (ends()) return !has_run_its_last() || ChannelsHaveChanged();
  if (threads_ == nullptr) return AnyChannelHasWork();
  if (late_is_news_.load(std::memory_order_relaxed)) return true;
  // Not to be had: the main thread takes tasks; or another one has a look too, which may miss what this one is to see.
  std::unique_lock guard(threads_->channels, std::defer_lock);
  while (!guard.try_lock()) {
    if (threads_->takes_tasks.load(std::memory_order_relaxed)) return false;
    CpuRelax();
  }
  return AnyChannelHasWork();
}

uint32_t Executor::TakeTasks() {
  RefreshChannels();
  uint32_t ran = 0;
  for (size_t i = 0; i < channels_.size() && !ends(); ++i) {
    if (coming_threads_ != nullptr) break;
    ran += RunFrom(channels_[i], kBurst);
  }
  return ran;
}

void Executor::TakeTasksWhile(Phase phase) {
  while (phase_.load(std::memory_order_relaxed) == phase) {
    // From here on other threads are about, and what is shared with them is guarded.
    if (coming_threads_ != nullptr) {
      threads_ = std::move(coming_threads_);
      served_.store(threads_.get(), std::memory_order_release);
    }
    uint32_t ran;
    if (threads_ == nullptr) {
      ran = TakeTasks();
    } else {
      std::lock_guard guard(threads_->channels);
      threads_->takes_tasks.store(true, std::memory_order_relaxed);
      ran = TakeTasks();
      CompleteLate();
      threads_->takes_tasks.store(false, std::memory_order_relaxed);
    }
    if (ran > 0) continue;
    auto has_work = [this] { return HasWork(); };
    Waiting::Request request;
    request.done = has_work;
    request.serves = true;
    if (late_.load() > 0) request.deadline = NowNs() + kLateAgainNs;
    waiting_->Wait(request);
  }
}

void Executor::Run() {
  TakeTasksWhile(Phase::kRunning);
  if (threads_ != nullptr) {
    threads_->Stop();
    const int64_t until = NowNs() + kLateAtTheEndNs;
    while (late_.load() > 0 && NowNs() < until) {
      {
        std::lock_guard guard(threads_->channels);
        RefreshChannels();
        CompleteLate();
      }
      usleep(1'000);
    }
  }
  Execution& execution = ExecutionAt(0);
  if (execution.destroy_actor != nullptr) std::exchange(execution.destroy_actor, nullptr)(std::exchange(execution.actor, nullptr));
}

void Executor::RefuseCalls() {
  Phase expected = Phase::kActorEnded;
  if (phase_.compare_exchange_strong(expected, Phase::kRefusing)) TakeTasksWhile(Phase::kRefusing);
}

void Executor::AwaitStop() {
  while (has_run_its_last()) {
    RefreshChannels();  // the daemon waits until this process has seen which ones are gone
    const auto has_news = [this] { return HasWork(); };
    Waiting::Request request;
    request.done = has_news;
    request.serves = true;
    waiting_->Wait(request);
  }
}

uint32_t Executor::RunFrom(const std::shared_ptr<Incoming>& shared, uint32_t limit) {
  Incoming& channel = *shared;
  uint32_t ran = 0;
  uint32_t position;
  task_began_ = 0;
  while (ran < limit) {
    const shm::TaskBody* body = channel.slots.Claim(&position);
    if (body == nullptr) break;
    MANTA_KILL_POINT("worker.task_claimed");
    ++ran;
    if (task_began_ == 0) task_began_ = NowTicks();
    RunTask(shared, *body);
    MANTA_KILL_POINT("worker.doorbell_rung");
    channel.slots.Release(position);
    if (ends() || coming_threads_ != nullptr) break;
  }
  return ran;
}

Result<FunctionRegistry::Code> Executor::Resolve(const manta_function_id& id) {
  CachedCode& cached = State().cache[(id.invoker ^ id.invoker >> 8 ^ id.target ^ id.target >> 6) & 15];
  if (cached.code.invoker != nullptr && SameFunction(cached.id, id)) return cached.code;
  Result<FunctionRegistry::Code> code = FunctionRegistry::OfThisProcess().Resolve(id);
  if (code) cached = {id, code.value()};
  return code;
}

void Executor::Refuse(Incoming& channel, const shm::TaskBody& task, const Error& error) {
  const std::string encoded = model::EncodeError(error);
  std::vector<unsigned char> list;
  ResultWriter(&list).Add(shm::ValueKind::kError, encoded.data(), static_cast<uint32_t>(encoded.size()));
  Outcome outcome;
  outcome.status = shm::TaskStatus::kNotRunnable;
  outcome.is_list = true;
  outcome.bytes = list.data();
  outcome.size = static_cast<uint32_t>(list.size());
  const uint64_t now = NowTicks();
  shm::TaskFacts facts = FactsOf({channel.view.header->owner}, task, shm::FunctionKey(task.function));
  facts.outcome = error.kind == MANTA_ERROR_TASK_CANCELLED ? shm::EventOutcome::kCancelled
                                                           : shm::EventOutcome::kRefused;
  recorder_->EndsOnAnyThread(EventKindOf(task), facts, now, now);
  if (threads_ == nullptr) {
    Complete(channel, task, outcome, now);
  } else {
    CompleteFromThread(channel, task, outcome);
  }
}

Execution::Input Executor::InputOf(const Incoming& channel, const shm::TaskBody& task, const FunctionRegistry::Code& code,
                                   const unsigned char* payload, void* inline_result) {
  const uint32_t skip = std::min(Align8(task.args_bytes), task.payload_bytes);
  return {.invoker = code.invoker,
          .target = code.target,
          .args = payload,
          .args_size = task.args_bytes,
          .dependencies = payload + skip,
          .dependencies_size = task.payload_bytes - skip,
          .num_dependencies = task.dependencies,
          .has_references = (task.flags & shm::kHasReferences) != 0,
          .sender = {channel.view.header->owner},
          .num_results = task.results,
          .inline_result = inline_result};
}

// nullptr: it does not lie where it may.
const unsigned char* Executor::PayloadOf(const Incoming& channel, const shm::TaskBody& task, const shm::TaskBody& slot) const {
  if ((task.flags & shm::kPayloadShared) != 0) {
    shm::SharedHandle handle;
    std::memcpy(&handle, slot.payload, sizeof handle);
    const NodeMemory& memory = owner_->memory();
    return memory.Contains(handle) && handle.size == task.payload_bytes ? memory.Readable(handle.offset) : nullptr;
  }
  if ((task.flags & shm::kPayloadInRing) != 0) {
    const uint32_t ring = channel.view.header->task_payload_bytes;
    const uint32_t offset = shm::RingOffset(slot);
    if (task.payload_bytes > ring || offset > ring - task.payload_bytes) return nullptr;
    return channel.view.task_payload + offset;
  }
  return task.payload_bytes <= shm::kInlinePayload ? slot.payload : nullptr;
}

void Executor::RunTask(const std::shared_ptr<Incoming>& shared, const shm::TaskBody& slot) {
  Incoming& channel = *shared;
  // Into locals first: what is checked is what is used.
  shm::TaskBody task;
  CopyDescriptor(slot, &task);
  if (__builtin_expect(phase_.load(std::memory_order_relaxed) == Phase::kRefusing, 0)) return Refuse(channel, task, Ended());
  if ((task.flags & shm::kExitWorker) != 0) {
    if (threads_ != nullptr) threads_->Drain();
    EndActor("no handle to the actor is left");
    Complete(channel, task, Outcome{}, NowTicks());
    return;
  }
  const unsigned char* const payload = PayloadOf(channel, task, slot);
  if (payload == nullptr || task.args_bytes > task.payload_bytes) {
    Refuse(channel, task, MakeError(MANTA_ERROR_SYSTEM, "the task's descriptor arrived damaged"));
    return;
  }
  Result<FunctionRegistry::Code> code = Resolve(task.function);
  if (!code) {
    Refuse(channel, task, code.error());
    return;
  }
  if ((task.flags & shm::kActorMethod) != 0 && ExecutionAt(0).actor == nullptr) {
    Refuse(channel, task, no_actor_);
    return;
  }
  if (__builtin_expect(!recorder_->has_begun(), 0)) {
    recorder_->BeginExecuting((task.flags & shm::kActorCreation) != 0);
  }
  std::string_view name;
  if (__builtin_expect((task.flags & shm::kNamed) != 0, 0) && !TakeName(payload, &task.payload_bytes, task.args_bytes, &name)) {
    Refuse(channel, task, MakeError(MANTA_ERROR_SYSTEM, "the task's name arrived damaged"));
    return;
  }
  if (__builtin_expect(!name.empty(), 0)) code->key = recorder_->KeyOf(name);
  const bool is_method = (task.flags & shm::kActorMethod) != 0;
  if (is_method && __builtin_expect(threads_ != nullptr || task.shape != 0, 0)) {
    HandOver(shared, task, *code, payload, name);
    return;
  }
  uint32_t setup_bytes = 0;
  if ((task.flags & shm::kActorCreation) != 0) {
    recorder_->HostsActor(code->key);
    actor_shape_ = task.shape;
    actor_was_restarted_.store(task.attempt > 0, std::memory_order_relaxed);
    ActorSetup setup;
    if ((task.flags & shm::kActorSetup) != 0) setup_bytes = ReadSetup(payload, task.args_bytes, &setup);
    if (!setup.is_ordinary()) coming_threads_ = std::make_unique<Threads>(setup);
  }
  ExecutionContext context({{channel.view.header->owner}, task.record, task.generation}, task, is_method ? actor_shape_ : task.shape,
                           name);
  ContextScope scope(&context);
  gpus_.Show(owner_->memory().my_page().gpus.load(std::memory_order_relaxed));
  Execution& execution = ExecutionAt(0);
  alignas(8) unsigned char inline_result[shm::kInlineResult];
  Execution::Input input = InputOf(channel, task, *code, payload, inline_result);
  input.args += setup_bytes;
  input.args_size -= setup_bytes;
  shm::TaskFacts facts = FactsOf(input.sender, task, code->key);
  const shm::EventKind event_kind = EventKindOf(task);
  recorder_->Begins(event_kind, facts, task_began_);
  execution.main_thread = this;
  creating_ = (task.flags & shm::kActorCreation) != 0;
  const Outcome outcome = execution.Run(input);
  creating_ = false;
  if (__builtin_expect(context.waits.has_value(), 0)) waiting_->TaskEnds(&*context.waits);
  interrupts_.Remove(context.task);
  facts.outcome = EventOutcomeOf(outcome, execution);
  const uint64_t ended = NowTicks();
  recorder_->Ends(event_kind, facts, task_began_, ended);
  if ((task.flags & shm::kActorCreation) != 0 && outcome.status != shm::TaskStatus::kOk) {
    no_actor_.message += ": " + Account(execution.error());
    // Nothing else can run here. A detached actor's creator may be gone, and with it who would give the process back.
    EndActor(no_actor_.message.c_str());
  }
  if (context.exit_requested) EndActor("the actor ended on purpose: one of its methods has ended it");
  if (context.is_the_last) {
    Phase expected = Phase::kRunning;
    phase_.compare_exchange_strong(expected, Phase::kRetired);
  }
  Complete(channel, task, outcome, ended);
  execution.Done();
}

// All of the completion is written in one go: its owner may look for it all the time, and would take the line away in between.
void Executor::Publish(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome, const ListPlace& place, uint64_t now) {
  shm::CompletionBody* body = channel.completions.Next();
  body->record = task.record;
  body->generation = task.generation;
  body->item = outcome.item;
  if (threads_ == nullptr && outcome.status != shm::TaskStatus::kItem) {
    body->run_ticks = static_cast<uint32_t>(std::min<uint64_t>(now - task_began_, UINT32_MAX));
    task_began_ = now;
  } else {
    body->run_ticks = 0;  // means nothing where calls overlap, or go on
  }
  body->status = outcome.status;
  body->flags = static_cast<uint8_t>((outcome.has_kept ? shm::kKeptReferences : 0) | place.flags);
  body->inline_bytes = 0;
  if (!outcome.is_list) {
    body->inline_bytes = static_cast<uint16_t>(outcome.size);
    CopyFew(body->inline_result, outcome.bytes, outcome.size);
  } else if (place.flags == shm::kResultsShared) {
    std::memcpy(body->inline_result, &place.apart, sizeof place.apart);
  } else {
    body->payload_offset = place.offset;
    body->payload_bytes = place.bytes;
  }
  if ((channel.completions.position() & (channel.completions.size() - 1)) == 0) channel.ReclaimPayload();
  MANTA_KILL_POINT("worker.result_written");
  channel.completions.Publish();
  MANTA_KILL_POINT("worker.result_published");
  if (shm::Ring(channel.owner_page->doorbell) || channel.view.header->remote != 0) owner_->WokePeer();
}

void Executor::Complete(Incoming& channel, const shm::TaskBody& task, const Outcome& outcome, uint64_t now) {
  if (__builtin_expect(outcome.is_list, 0)) return CompleteWithList(channel, task, outcome, now);
  Publish(channel, task, outcome, {}, now);
}

Outcome Executor::RunInPlace(uint32_t index, const TaskRecord& task, void* inline_result) {
  Result<FunctionRegistry::Code> code = Resolve(task.body.function);
  if (!code) {
    Outcome outcome;
    outcome.status = shm::TaskStatus::kNotRunnable;
    outcome.is_list = outcome.in_place = true;
    return outcome;
  }
  ++current_depth;
  const std::string_view own_name = task.nested != nullptr ? std::string_view(task.nested->name) : std::string_view();
  ExecutionContext context({owner_->process(), index, task.body.generation}, task.body, task.body.shape, own_name);
  ContextScope scope(&context);
  Execution& execution = ExecutionAt(static_cast<size_t>(current_depth));
  std::vector<unsigned char> dependencies;
  if (task.body.dependencies > 0) {
    std::lock_guard guard(owner_->lock());
    EncodeDependencies(*owner_, task, &dependencies);
  }
  const uint64_t began = NowTicks();
  const Outcome outcome =
      execution.Run({.invoker = code->invoker,
                     .target = code->target,
                     .args = task.args(),
                     .args_size = task.body.args_bytes,
                     .dependencies = dependencies.data(),
                     .dependencies_size = static_cast<uint32_t>(dependencies.size()),
                     .num_dependencies = task.body.dependencies,
                     .has_references = false,
                     .sender = owner_->process(),
                     .num_results = task.body.results,
                     .inline_result = inline_result});
  if (__builtin_expect(context.waits.has_value(), 0)) waiting_->TaskEnds(&*context.waits);
  interrupts_.Remove(context.task);
  shm::TaskFacts facts = FactsOf(owner_->process(), task.body, own_name.empty() ? code->key : recorder_->KeyOf(own_name));
  facts.outcome = EventOutcomeOf(outcome, execution);
  recorder_->EndsOnAnyThread(shm::EventKind::kInPlace, facts, began, NowTicks());
  --current_depth;
  return outcome;
}

}  // namespace manta::worker
