#include "worker/task_recorder.h"

#include <utility>

#include "worker/function_registry.h"

namespace manta::worker {
namespace {

// 64 KiB, 16 KiB, 32 KiB: a thousand actors take 16 MiB of disk, and of memory the few pages that they write.
constexpr uint32_t kTaskEvents = 2048;
constexpr uint32_t kActorEvents = 512;
constexpr uint32_t kOtherEvents = 1024;
// Names of tasks; others are shown by their keys.
constexpr size_t kMostNames = 4096;
// What takes less is not worth an event.
constexpr int64_t kShortestWaitNs = 20'000;

// From 1 on, in the order in which threads of this process had their first event; all beyond 255 are 255.
uint8_t NumberOfThisThread() {
  static std::atomic<uint32_t> last{0};
  static thread_local const uint32_t number = ++last;
  return static_cast<uint8_t>(std::min<uint32_t>(number, UINT8_MAX));
}

uint32_t HashOf(std::string_view text) {
  const auto hash = static_cast<uint32_t>(std::hash<std::string_view>()(text));
  return hash == 0 ? 1 : hash;
}

}  // namespace

TaskRecorder::TaskRecorder(Place place, std::function<void(const std::string& reason)> missing)
    : place_(std::move(place)), missing_(std::move(missing)), names_(place_.session) {
  if (place_.role == shm::RecorderRole::kDriver) AddProgram();
  FunctionRegistry::OfThisProcess().Observe(this, [this](const FunctionRegistry::NamedFunction& function) {
    AddName({shm::FunctionKey(function.id), function.id, function.type},
            {function.module, function.build_id, function.path});
  });
}

TaskRecorder::~TaskRecorder() { FunctionRegistry::OfThisProcess().Forget(this); }

void TaskRecorder::AddProgram() {
  std::lock_guard guard(names_mutex_);
  const Result<> added = names_.Add(contracts::RecorderNames::Program{HashOf(place_.program), place_.program});
  if (!added) Missing(added.error());
}

void TaskRecorder::AddName(const contracts::RecorderNames::Function& function,
                           const contracts::RecorderNames::Module& module) {
  std::lock_guard guard(names_mutex_);
  Result<> added = names_.Add(function);
  if (added && !module.path.empty()) added = names_.Add(module);
  if (!added) Missing(added.error());
}

uint32_t TaskRecorder::KeyOf(std::string_view name) {
  if (Executes()) return KeyIn(&keys_, name);
  std::lock_guard guard(other_keys_mutex_);
  return KeyIn(&other_keys_, name);
}

uint32_t TaskRecorder::KeyIn(Keys* keys, std::string_view name) {
  if (const auto known = keys->find(name); known != keys->end()) return known->second;
  const uint32_t key = HashOf(name);
  if (keys->size() == kMostNames) return key;
  keys->emplace(name, key);
  AddName({key, {}, std::string(name)}, {});
  return key;
}

void TaskRecorder::Missing(const Error& error) {
  if (!said_missing_.exchange(true)) missing_(error.message);
}

void TaskRecorder::Make(contracts::RecorderThreads threads, uint32_t events, uint32_t subject,
                        std::optional<shm::FlightRecorder>* recorder) {
  Result<shm::FlightRecorder> made =
      shm::CreateRecorderFile(contracts::RecorderFile(place_.session, place_.process, threads), events);
  if (!made) return Missing(made.error());
  made->SetProcess(place_.process);
  made->SetRole(static_cast<uint32_t>(place_.role));
  made->SetSubject(subject);
  recorder->emplace(std::move(*made));
}

int64_t TaskRecorder::ToNs(uint64_t ticks) {
  std::lock_guard guard(clock_mutex_);
  return clock_.ToNs(ticks);
}

void TaskRecorder::BeginExecuting(bool hosts_actor) {
  has_begun_ = true;
  Make(contracts::RecorderThreads::kExecuting, hosts_actor ? kActorEvents : kTaskEvents, 0, &executing_);
  shares_clock_ = executing_ && executing_->reads_counter();
  executing_thread_.store(pthread_self(), std::memory_order_relaxed);
}

void TaskRecorder::EndsSlowly(shm::EventKind kind, shm::TaskFacts facts, uint64_t began, uint64_t ended) {
  if (executing_) RecordAnywhere(PackTask(kind, 0, facts, 0, 0), kind, began, ended);
}

void TaskRecorder::Waited(shm::EventKind kind, shm::EventOutcome outcome, uint64_t began, uint64_t objects) {
  const uint64_t ended = NowTicks();
  if (ToNs(ended - began) < kShortestWaitNs) return;
  shm::RecorderEvent event;
  event.a = static_cast<uint16_t>(outcome);
  event.c = objects;
  RecordAnywhere(event, kind, began, ended);
}

void TaskRecorder::SpaceGiven(shm::EventOutcome outcome, uint64_t began, uint64_t bytes) {
  shm::RecorderEvent event;
  event.a = static_cast<uint16_t>(outcome);
  event.c = bytes;
  RecordAnywhere(event, shm::EventKind::kSpace, began, NowTicks());
}

// `event` lacks its times and its thread.
void TaskRecorder::RecordAnywhere(shm::RecorderEvent event, shm::EventKind kind, uint64_t began, uint64_t ended) {
  const bool executes = Executes();
  const auto record = [&](shm::FlightRecorder& recorder) {
    event.kind = shm::KindWord(kind, executes ? 0 : NumberOfThisThread());
    event.ticks = ended;
    uint64_t duration = ended - began;
    if (__builtin_expect(!recorder.reads_counter(), 0)) {
      // The counter does not run evenly here: it still tells how long something took, near enough.
      event.ticks = recorder.Ticks();
      duration = static_cast<uint64_t>(ToNs(duration));
    }
    PackDuration(duration, &event);
    recorder.Record(event);
  };
  if (executes) {
    if (executing_) record(*executing_);
    return;
  }
  std::lock_guard guard(others_mutex_);
  if (!std::exchange(tried_others_, true)) {
    const bool is_driver = place_.role == shm::RecorderRole::kDriver;
    Make(is_driver ? contracts::RecorderThreads::kExecuting : contracts::RecorderThreads::kOthers,
                   kOtherEvents, is_driver ? HashOf(place_.program) : 0, &others_);
  }
  if (others_) record(*others_);
}

}  // namespace manta::worker
