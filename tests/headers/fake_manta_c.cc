#include "tests/headers/fake_manta_c.h"

#include <cxxabi.h>

#include <atomic>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <tuple>

struct manta_error {
  manta_error_kind kind;
  std::string message;
  std::string type_name;
  std::string stack;
};

struct manta_runtime {};

namespace {

using manta_fake::ActorOptions;
using manta_fake::InitOptions;
using manta_fake::Submission;
using manta_fake::TaskOptions;

constexpr uint64_t kProcess = 7;

// Memory that is 64-byte aligned, or off by what the test wants.
class Memory {
 public:
  Memory() = default;
  Memory(size_t size, size_t offset)
      : block_(static_cast<unsigned char*>(std::aligned_alloc(64, (size + offset + 64) / 64 * 64)),
               &std::free),
        data_(block_.get() + offset),
        size_(size) {}
  void Write(const void* from, size_t size) {
    if (size != 0) std::memcpy(data_, from, size);
  }
  unsigned char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<unsigned char, void (*)(void*)> block_{nullptr, &std::free};
  unsigned char* data_ = nullptr;
  size_t size_ = 0;
};

manta_error* MakeError(manta_error_kind kind, const std::string& message) {
  return new manta_error{kind, message, "", ""};
}

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "fake_manta_c: %s\n", what);
  std::abort();
}

}  // namespace

struct manta_ref {
  manta_object_id id;
  size_t references = 1;
  enum { kPending, kReady, kFailed } state = kPending;
  Memory memory;
  manta_error failure = {};
  std::vector<manta_ref*> nested;
};

struct manta_actor {
  manta_actor_id id;
  size_t references = 1;
  ActorOptions options;
  void* instance = nullptr;
  void (*destroy)(void*) = nullptr;
  bool is_dead = false;
  std::string reason;
};

namespace {

// A submitted task. Owns a reference to everything that it names.
struct FakeTask {
  manta_task_spec spec;
  std::string args;
  std::vector<manta_ref*> dependencies;
  std::vector<manta_ref*> nested;
  std::vector<manta_ref*> results;
  manta_actor* actor = nullptr;
  bool is_constructor = false;
};

struct Injected {
  manta_error_kind kind;
  std::string message;
};

struct State {
  manta_runtime runtime;
  uint64_t runtime_serial = 1;
  bool is_initialized = false;
  bool was_initialized = false;
  std::map<uint32_t, manta_ref*> objects;
  std::map<uint64_t, manta_actor*> actors;
  uint32_t next_object = 1;
  uint64_t next_actor = 1;
  std::vector<Submission> submissions;
  std::vector<TaskOptions> options;
  ActorOptions last_actor_options;
  InitOptions last_init;
  size_t puts = 0;
  bool is_holding = false;
  std::deque<FakeTask> held;
  size_t inline_capacity = 64;
  size_t misalignment = 0;
  bool is_cancelled = false;
  std::map<std::string, Injected> injected;
  manta_actor* running_actor = nullptr;
  std::string running_name;
  bool is_in_task = false;
};

State& TheState() {
  static State* state = new State();
  return *state;
}

// Apart from State: filled by static constructors.
std::vector<std::string>& TheSignatures() {
  static auto* signatures = new std::vector<std::string>();
  return *signatures;
}
std::vector<manta_fake::NamedFunction>& TheNamedFunctions() {
  static auto* functions = new std::vector<manta_fake::NamedFunction>();
  return *functions;
}
std::vector<manta_invoker>& TheInvokers() {
  static auto* invokers = new std::vector<manta_invoker>();
  return *invokers;
}
std::vector<const void*>& TheTargets() {
  static auto* targets = new std::vector<const void*>();
  return *targets;
}

manta_error* Injection(const char* function) {
  auto& injected = TheState().injected;
  const auto found = injected.find(function);
  if (found == injected.end()) return nullptr;
  manta_error* error = MakeError(found->second.kind, found->second.message);
  injected.erase(found);
  return error;
}

manta_ref* NewObject() {
  State& state = TheState();
  auto* reference = new manta_ref();
  reference->id = {kProcess, state.next_object++, 1};
  state.objects[reference->id.index] = reference;
  return reference;
}

std::vector<manta_ref*> RetainAll(manta_ref* const* references, size_t count) {
  std::vector<manta_ref*> result(references, references + count);
  for (manta_ref* reference : result) {
    if (reference == nullptr) Die("a null reference among those of a call");
    manta_ref_retain(reference);
  }
  return result;
}

void ReleaseAll(std::vector<manta_ref*>& references) {
  for (manta_ref* reference : references) manta_ref_release(reference);
  references.clear();
}

std::string Demangle(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 ? text : name;
  std::free(text);
  return result;
}

// The runtime's side of one execution.
struct Running {
  manta_call call;
  FakeTask* task;
  bool has_failed = false;
  manta_error failure;
  std::vector<bool> has_result;
  void* instance = nullptr;
  void (*destroy)(void*) = nullptr;
};

Running& From(manta_call* call) { return *reinterpret_cast<Running*>(call); }

void* AllocateResult(manta_call* call, uint32_t index, size_t size, manta_ref* const* nested,
                     size_t num_nested) {
  Running& running = From(call);
  if (index >= running.task->results.size()) Die("allocate_result beyond num_results");
  if (manta_error* error = Injection("allocate_result")) {
    running.has_failed = true;
    running.failure = *error;
    delete error;
    return nullptr;
  }
  manta_ref* result = running.task->results[index];
  result->memory = Memory(size, 0);
  result->nested = RetainAll(nested, num_nested);
  running.has_result[index] = true;
  return result->memory.data();
}

void Fail(manta_call* call, const manta_failure* failure) {
  Running& running = From(call);
  running.has_failed = true;
  running.failure = {failure->kind, failure->message, Demangle(failure->type_name),
                     std::string("in task ") + running.task->spec.function_name};
}

manta_ref* RetainDependency(manta_call* call, uint32_t index) {
  manta_ref* reference = From(call).task->dependencies.at(index);
  manta_ref_retain(reference);
  return reference;
}

void SetActor(manta_call* call, void* instance, void (*destroy)(void*)) {
  From(call).instance = instance;
  From(call).destroy = destroy;
}

void PassOn(manta_call* call, const manta_failure* failure, const char* stack) {
  Fail(call, failure);
  From(call).failure.stack = std::string(stack) + "\n" + From(call).failure.stack;
}

// Nobody here reads the payload.
void FailWith(manta_call* call, const manta_failure* failure, const char* stack, manta_bytes) { PassOn(call, failure, stack); }

constexpr manta_call_ops kOps = {AllocateResult, Fail, RetainDependency, SetActor, PassOn, FailWith,
                                 nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};  // no event loops, and none is stopped

void FailAll(std::vector<manta_ref*>& results, const manta_error& error) {
  for (manta_ref* result : results) {
    result->state = manta_ref::kFailed;
    result->failure = error;
  }
}

void RunInvoker(FakeTask& task) {
  State& state = TheState();
  if (task.spec.function.module == 0) {
    FailAll(task.results, {MANTA_ERROR_TASK, "no other language runs here", "", ""});
    return;
  }
  std::vector<Memory> memories;
  std::vector<manta_bytes> bytes;
  for (manta_ref* dependency : task.dependencies) {
    if (dependency->state == manta_ref::kFailed) {
      FailAll(task.results, dependency->failure);
      return;
    }
    if (dependency->state == manta_ref::kPending) Die("a task runs before its dependencies");
    memories.emplace_back(dependency->memory.size(), state.misalignment);
    memories.back().Write(dependency->memory.data(), dependency->memory.size());
    bytes.push_back({state.misalignment == 0 ? dependency->memory.data() : memories.back().data(),
                     dependency->memory.size()});
  }
  Memory args(task.args.size(), state.misalignment);
  args.Write(task.args.data(), task.args.size());
  std::vector<unsigned char> inline_result(state.inline_capacity + 1);

  Running running = {};
  running.task = &task;
  running.has_result.resize(task.results.size());
  manta_call& call = running.call;
  call.runtime = &state.runtime;
  call.ops = &kOps;
  call.target = task.spec.function.target == 0 ? nullptr : TheTargets()[task.spec.function.target];
  call.args = args.data();
  call.args_size = args.size();
  call.dependencies = bytes.data();
  call.num_dependencies = static_cast<uint32_t>(bytes.size());
  call.num_results = static_cast<uint32_t>(task.results.size());
  call.actor = task.actor != nullptr && !task.is_constructor ? task.actor->instance : nullptr;
  call.inline_result = inline_result.data();
  call.inline_capacity = state.inline_capacity;

  const auto before = std::make_tuple(state.running_actor, state.running_name, state.is_in_task);
  state.running_actor = task.actor;
  state.running_name = task.spec.function_name;
  state.is_in_task = true;
  TheInvokers().at(task.spec.function.invoker)(&call);
  std::tie(state.running_actor, state.running_name, state.is_in_task) = before;

  if (task.is_constructor) {
    task.actor->instance = running.instance;
    task.actor->destroy = running.destroy;
    if (running.has_failed || running.instance == nullptr) {
      task.actor->is_dead = true;
      task.actor->reason = "an error raised in its creation task: " + running.failure.type_name +
                           ": " + running.failure.message;
    }
    return;
  }
  if (running.has_failed) {
    for (manta_ref* result : task.results) ReleaseAll(result->nested);
    FailAll(task.results, running.failure);
    return;
  }
  for (size_t i = 0; i < task.results.size(); ++i) {
    manta_ref* result = task.results[i];
    if (!running.has_result[i]) {
      if (task.results.size() != 1) Die("a result of several was not written");
      if (call.inline_size > call.inline_capacity) Die("an inline result is too large");
      result->memory = Memory(call.inline_size, 0);
      result->memory.Write(inline_result.data(), call.inline_size);
    }
    result->state = manta_ref::kReady;
  }
}

void Run(FakeTask& task) {
  if (task.actor != nullptr && !task.is_constructor && task.actor->is_dead) {
    FailAll(task.results,
            {MANTA_ERROR_ACTOR_DIED, "the actor is dead: " + task.actor->reason, "", ""});
  } else {
    RunInvoker(task);
  }
  ReleaseAll(task.dependencies);
  ReleaseAll(task.nested);
  ReleaseAll(task.results);
  if (task.actor != nullptr) manta_actor_release(task.actor);
}

void Enqueue(const manta_task_spec& spec, manta_actor* actor, bool is_constructor,
             manta_ref** results) {
  State& state = TheState();
  if (spec.args_size > MANTA_ARGS_LIMIT) Die("too many bytes of arguments");
  FakeTask task;
  task.spec = spec;
  task.args.assign(static_cast<const char*>(spec.args), spec.args_size);
  task.dependencies = RetainAll(spec.dependencies, spec.num_dependencies);
  task.nested = RetainAll(spec.nested, spec.num_nested);
  for (uint32_t i = 0; i < spec.num_results; ++i) {
    results[i] = NewObject();
    manta_ref_retain(results[i]);
    task.results.push_back(results[i]);
  }
  task.actor = actor;
  if (actor != nullptr) manta_actor_retain(actor);
  task.is_constructor = is_constructor;
  state.submissions.push_back({spec.function, spec.function_name, task.args, spec.num_dependencies,
                               spec.num_nested, spec.num_results, spec.options, spec.name == nullptr ? "" : spec.name});
  if (state.is_holding) {
    state.held.push_back(std::move(task));
  } else {
    Run(task);
  }
}

std::vector<std::pair<std::string, double>> Copy(const manta_resource* resources, size_t count) {
  std::vector<std::pair<std::string, double>> result;
  for (size_t i = 0; i < count; ++i) result.emplace_back(resources[i].name, resources[i].quantity);
  return result;
}

std::string Text(const char* text) { return text == nullptr ? "" : text; }

void EndActor(manta_actor* actor, const char* reason) {
  if (!actor->is_dead) actor->reason = reason;
  actor->is_dead = true;
  if (actor->instance != nullptr) actor->destroy(actor->instance);
  actor->instance = nullptr;
}

}  // namespace

namespace manta_fake {

void Reset() {
  State& state = TheState();
  if (!state.objects.empty() || !state.actors.empty()) Die("Reset with references left");
  const bool is_initialized = state.is_initialized;
  state = State();
  state.is_initialized = is_initialized;
}

const std::vector<Submission>& Submissions() { return TheState().submissions; }
const TaskOptions& OptionsOf(uint32_t number) { return TheState().options.at(number - 1); }
size_t InternCalls() { return TheState().options.size(); }
const ActorOptions& LastActorOptions() { return TheState().last_actor_options; }
const InitOptions& LastInit() { return TheState().last_init; }
size_t LiveObjects() { return TheState().objects.size(); }
size_t LiveActors() { return TheState().actors.size(); }
size_t Puts() { return TheState().puts; }
void HoldTasks() { TheState().is_holding = true; }
void RunHeld() {
  State& state = TheState();
  state.is_holding = false;
  while (!state.held.empty()) {
    FakeTask task = std::move(state.held.front());
    state.held.pop_front();
    Run(task);
  }
}
void SetInlineCapacity(size_t capacity) { TheState().inline_capacity = capacity; }
void SetMisalignment(size_t bytes) { TheState().misalignment = bytes; }
void SetCancelled(bool is_cancelled) { TheState().is_cancelled = is_cancelled; }
void FailNext(const std::string& function, manta_error_kind kind, const std::string& message) {
  TheState().injected[function] = {kind, message};
}
const std::vector<std::string>& Signatures() { return TheSignatures(); }
const std::vector<NamedFunction>& NamedFunctions() { return TheNamedFunctions(); }

std::string BytesOf(const manta_ref* reference) {
  return std::string(reinterpret_cast<const char*>(reference->memory.data()),
                     reference->memory.size());
}

manta_ref* MakeObject(const std::string& bytes) {
  manta_ref* reference = NewObject();
  reference->memory = Memory(bytes.size(), 0);
  reference->memory.Write(bytes.data(), bytes.size());
  reference->state = manta_ref::kReady;
  return reference;
}

}  // namespace manta_fake

extern "C" {

manta_error_kind manta_error_get_kind(const manta_error* error) { return error->kind; }
const char* manta_error_message(const manta_error* error) { return error->message.c_str(); }
const char* manta_error_type_name(const manta_error* error) { return error->type_name.c_str(); }
const char* manta_error_stack(const manta_error* error) { return error->stack.c_str(); }
void manta_error_free(manta_error* error) { delete error; }

void manta_invoker_register(manta_invoker invoker, const char* signature) {
  TheSignatures().push_back(signature);
  TheInvokers().push_back(invoker);
}

manta_error* manta_function_find(manta_invoker invoker, const void* target, const char*,
                                 manta_function_id* out) {
  if (manta_error* error = Injection("manta_function_find")) return error;
  const auto& invokers = TheInvokers();
  auto& targets = TheTargets();
  if (targets.empty()) targets.push_back(nullptr);
  for (size_t i = 0; i < invokers.size(); ++i) {
    if (invokers[i] != invoker) continue;
    *out = {1, static_cast<uint32_t>(i), 0, 0};
    if (target != nullptr) {
      out->target_module = 1;
      out->target = static_cast<uint32_t>(targets.size());
      targets.push_back(target);
    }
    return nullptr;
  }
  return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "the invoker is not registered");
}

void manta_named_function_register(const char* names, uint32_t index,
                                   const manta_named_function* function) {
  TheNamedFunctions().push_back({names, index, *function});
}

void manta_config_init(manta_config* config) {
  *config = {};
  config->struct_size = sizeof(*config);
  config->num_cpus = -1;
  config->num_gpus = -1;
  config->log_to_driver = 1;
}

manta_error* manta_init(const manta_config* config) {
  if (manta_error* error = Injection("manta_init")) return error;
  State& state = TheState();
  if (state.is_initialized) return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "Init was called twice");
  state.last_init = {Text(config->address),
                     Text(config->ray_namespace),
                     config->num_cpus,
                     config->num_gpus,
                     Copy(config->resources, config->num_resources),
                     config->object_store_bytes,
                     config->log_to_driver != 0,
                     Text(config->python),
                     {config->code_search_path,
                      config->code_search_path + config->num_code_search_path}};
  state.is_initialized = true;
  state.was_initialized = true;
  return nullptr;
}

manta_error* manta_shutdown() {
  TheState().is_initialized = false;
  return nullptr;
}
int manta_is_initialized() { return TheState().is_initialized ? 1 : 0; }
uint64_t manta_runtime_serial(const manta_runtime*) { return TheState().runtime_serial; }

manta_runtime* manta_current() {
  State& state = TheState();
  return state.is_initialized ? &state.runtime : nullptr;
}
manta_error* manta_not_initialized_error(const char* what) {
  return MakeError(
      MANTA_ERROR_NOT_INITIALIZED,
      std::string(what) + (TheState().was_initialized ? ": after Shutdown" : ": Init is missing"));
}

void manta_ref_retain(manta_ref* reference) { ++reference->references; }
void manta_ref_release(manta_ref* reference) {
  if (reference->references == 0) Die("a reference was released twice");
  if (--reference->references != 0) return;
  TheState().objects.erase(reference->id.index);
  ReleaseAll(reference->nested);
  delete reference;
}
void manta_ref_id(const manta_ref* reference, manta_object_id* out) { *out = reference->id; }
manta_ref* manta_ref_import(manta_runtime*, const manta_object_id* id) {
  const auto found = TheState().objects.find(id->index);
  if (found == TheState().objects.end()) {
    // An unknown object: a reference whose value is lost.
    manta_ref* lost = NewObject();
    lost->state = manta_ref::kFailed;
    lost->failure = {MANTA_ERROR_OBJECT_LOST, "the object is not there", "", ""};
    return lost;
  }
  manta_ref_retain(found->second);
  return found->second;
}

manta_error* manta_put_begin(manta_runtime*, size_t size, manta_ref* const* nested, size_t num_nested, const manta_patience*,
                             void** data, manta_ref** out) {
  if (manta_error* error = Injection("manta_put_begin")) return error;
  ++TheState().puts;
  manta_ref* reference = NewObject();
  reference->memory = Memory(size, 0);
  reference->nested = RetainAll(nested, num_nested);
  *data = reference->memory.data();
  *out = reference;
  return nullptr;
}
void manta_put_seal(manta_ref* reference) { reference->state = manta_ref::kReady; }

manta_error* manta_get(manta_runtime*, manta_ref* const* references, size_t count, int64_t timeout,
                       manta_bytes* values) {
  if (manta_error* error = Injection("manta_get")) return error;
  for (size_t i = 0; i < count; ++i) {
    if (references[i]->state == manta_ref::kFailed) return new manta_error(references[i]->failure);
  }
  for (size_t i = 0; i < count; ++i) {
    if (references[i]->state == manta_ref::kPending) {
      if (timeout < 0) Die("manta_get would wait for ever");
      return MakeError(MANTA_ERROR_TIMEOUT, "not there after " + std::to_string(timeout) + " ns");
    }
    values[i] = {references[i]->memory.data(), references[i]->memory.size()};
  }
  return nullptr;
}

manta_error* manta_wait(manta_runtime*, manta_ref* const* references, size_t count,
                        size_t num_returns, int64_t, uint8_t* ready) {
  if (manta_error* error = Injection("manta_wait")) return error;
  if (num_returns > count) return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "more than there are");
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    ready[i] = found < num_returns && references[i]->state != manta_ref::kPending ? 1 : 0;
    found += ready[i];
  }
  return nullptr;
}

void manta_task_options_init(manta_task_options* options) {
  *options = {};
  options->struct_size = sizeof(*options);
  options->num_cpus = MANTA_DEFAULT_QUANTITY;
  options->num_gpus = MANTA_DEFAULT_QUANTITY;
  options->memory = MANTA_DEFAULT_QUANTITY;
  options->max_retries = MANTA_DEFAULT_INT;
}

manta_error* manta_task_options_intern(manta_runtime*, const manta_task_options* options,
                                       uint32_t* out) {
  if (manta_error* error = Injection("manta_task_options_intern")) return error;
  State& state = TheState();
  std::vector<std::string> types(
      options->retry_exception_types,
      options->retry_exception_types + options->num_retry_exception_types);
  state.options.push_back({options->num_cpus, options->num_gpus,
                           options->memory, Copy(options->resources, options->num_resources),
                           options->max_retries, options->retry_exceptions, std::move(types),
                           options->language});
  *out = static_cast<uint32_t>(state.options.size());
  return nullptr;
}

manta_error* manta_submit(manta_runtime*, const manta_task_spec* spec, manta_ref** results) {
  if (manta_error* error = Injection("manta_submit")) return error;
  Enqueue(*spec, nullptr, false, results);
  return nullptr;
}

manta_error* manta_cancel(manta_ref* reference, int force, int recursive) {
  if (manta_error* error = Injection("manta_cancel")) return error;
  if (reference->state == manta_ref::kPending) {
    reference->state = manta_ref::kFailed;
    reference->failure = {MANTA_ERROR_TASK_CANCELLED,
                          std::string("cancelled") + (force != 0 ? " by force" : "") +
                              (recursive != 0 ? " with children" : ""),
                          "", ""};
  }
  return nullptr;
}

void manta_actor_options_init(manta_actor_options* options) {
  *options = {};
  options->struct_size = sizeof(*options);
  options->max_pending_calls = -1;
  options->max_concurrency = 1;
}

manta_error* manta_actor_create(manta_runtime*, const manta_task_spec* constructor,
                                const manta_actor_options* options, manta_actor** out) {
  if (manta_error* error = Injection("manta_actor_create")) return error;
  State& state = TheState();
  state.last_actor_options = {Text(options->name),
                              Text(options->ray_namespace),
                              options->detached != 0,
                              options->get_if_exists != 0,
                              options->max_restarts,
                              options->max_task_retries,
                              options->max_pending_calls,
                              options->max_concurrency,
                              Copy(options->concurrency_groups, options->num_concurrency_groups)};
  auto* actor = new manta_actor();
  actor->id = {kProcess, state.next_actor++};
  actor->options = state.last_actor_options;
  state.actors[actor->id.serial] = actor;
  Enqueue(*constructor, actor, true, nullptr);
  *out = actor;
  return nullptr;
}

manta_error* manta_actor_submit(manta_actor* actor, const manta_task_spec* spec,
                                manta_ref** results) {
  if (manta_error* error = Injection("manta_actor_submit")) return error;
  Enqueue(*spec, actor, false, results);
  return nullptr;
}

manta_ref* manta_actor_lifetime(const manta_actor*) { return nullptr; }
void manta_actor_retain(manta_actor* actor) { ++actor->references; }
void manta_actor_release(manta_actor* actor) {
  if (actor->references == 0) Die("an actor was released twice");
  if (--actor->references != 0) return;
  EndActor(actor, "no handles are left");
  TheState().actors.erase(actor->id.serial);
  delete actor;
}
void manta_actor_get_id(const manta_actor* actor, manta_actor_id* out) { *out = actor->id; }
manta_actor* manta_actor_import(manta_runtime*, const manta_actor_id* id) {
  State& state = TheState();
  const auto found = state.actors.find(id->serial);
  if (found != state.actors.end()) {
    manta_actor_retain(found->second);
    return found->second;
  }
  // An unknown actor: a handle to a dead one.
  auto* dead = new manta_actor();
  dead->id = {kProcess, state.next_actor++};
  dead->is_dead = true;
  dead->reason = "it is not known";
  state.actors[dead->id.serial] = dead;
  return dead;
}
manta_error* manta_actor_find(manta_runtime*, const char* name, const char* ray_namespace,
                              manta_actor** out) {
  if (manta_error* error = Injection("manta_actor_find")) return error;
  for (const auto& [serial, actor] : TheState().actors) {
    if (actor->options.name == name && actor->options.ray_namespace == Text(ray_namespace)) {
      manta_actor_retain(actor);
      *out = actor;
      return nullptr;
    }
  }
  return MakeError(MANTA_ERROR_ACTOR_NOT_FOUND, std::string("no actor is called ") + name);
}
manta_error* manta_actor_kill(manta_actor* actor, int no_restart) {
  if (manta_error* error = Injection("manta_actor_kill")) return error;
  EndActor(actor, no_restart != 0 ? "killed" : "killed, may restart");
  return nullptr;
}
manta_error* manta_worker_retire(manta_runtime*) { return nullptr; }

manta_error* manta_actor_exit(manta_runtime*) {
  State& state = TheState();
  if (state.running_actor == nullptr) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT, "ExitActor outside of an actor");
  }
  state.running_actor->is_dead = true;
  state.running_actor->reason = "it called ExitActor";
  return nullptr;
}

manta_error* manta_context_get(manta_runtime*, manta_context* out) {
  if (out->struct_size != sizeof(*out)) Die("struct_size is not set");
  State& state = TheState();
  *out = {};
  out->struct_size = sizeof(*out);
  out->process_id = kProcess;
  out->job_id = 0x1234;
  out->node_id[0] = 0xab;
  if (state.is_in_task) out->task_id = {kProcess, 99, 1};
  if (state.running_actor != nullptr) out->actor_id = state.running_actor->id;
  out->ray_namespace = "fake_namespace";
  out->task_name = state.running_name.c_str();
  out->session_directory = "/tmp/fake";
  out->actor_was_restarted = 1;
  out->is_driver = state.is_in_task ? 0 : 1;
  out->is_cancelled = state.is_in_task && state.is_cancelled ? 1 : 0;
  out->pid = 4711;
  out->gpus = state.is_in_task ? 5 : 0;
  return nullptr;
}

manta_error* manta_assigned_resources(manta_runtime*, manta_resource* out, size_t capacity,
                                      size_t* count) {
  if (capacity > 0) out[0] = {"GPU", 0.5};
  *count = 1;
  return nullptr;
}

// Many entries, to make callers enlarge their room.
manta_error* manta_cluster_resources(manta_runtime*, int available, manta_resource* out,
                                     size_t capacity, size_t* count) {
  static std::vector<std::string> names;
  if (names.empty()) {
    names.push_back("CPU");
    for (int i = 0; i < 40; ++i) names.push_back("custom" + std::to_string(i));
  }
  for (size_t i = 0; i < names.size() && i < capacity; ++i) {
    out[i] = {names[i].c_str(), available != 0 ? 1.0 : 4.0};
  }
  *count = names.size();
  return nullptr;
}

const char* manta_version() { return "fake"; }

}  // extern "C"

// Finds no stacks: the type_info of an ordinary class.
namespace manta {
inline namespace v1 {
namespace detail {
class MANTA_API ThrowProbe {
 public:
  virtual ~ThrowProbe();
};
ThrowProbe::~ThrowProbe() = default;
}  // namespace detail
}  // namespace v1
}  // namespace manta
