// The C interface: conversions only; what happens is in worker/.

#include "manta/manta_c.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include "api/handles.h"
#include "base/result.h"
#include "base/standard_descriptors.h"
#include "worker/attach.h"
#include "worker/function_names.h"
#include "worker/function_registry.h"
#include "worker/local_cluster.h"
#include "worker/python_program.h"
#include "worker/runtime.h"
#include "worker/zygote.h"

using manta::MakeError;
using manta::Result;
using manta::api::From;
using manta::api::Own;
using manta::worker::ActorRecord;
using manta::worker::ClusterQuestions;
using manta::worker::FunctionRegistry;
using manta::worker::NameOfFunction;
using manta::worker::ObjectRecord;
using manta::worker::Owner;
using manta::worker::Runtime;

namespace {

// What manta_init made. The one piece of state of the process: two runtimes beside each other never touch it.
struct Session {
  std::mutex mutex;
  std::unique_ptr<Runtime> runtime;
  std::vector<std::unique_ptr<Runtime>> retired;  // shut down, with references outstanding
  int daemon_pid = 0;
  bool was_initialized = false;
  pid_t connected_by = 0;  // the process that called Init last
};

Session& TheSession() {
  static Session* const session = new Session();
  if (session->connected_by != 0 && session->connected_by != getpid()) {
    // In a child of fork(), which starts as a process that has not called Init (see Runtime::SetCurrent).
    new (&session->mutex) std::mutex;     // another thread of the parent may have held it
    (void)session->runtime.release();     // the references that the child has a copy of point into it
    session->daemon_pid = 0;
    session->connected_by = 0;
  }
  return *session;
}

ObjectRecord* From(manta_ref* ref) { return reinterpret_cast<ObjectRecord*>(ref); }
ActorRecord* From(manta_actor* actor) { return reinterpret_cast<ActorRecord*>(actor); }
manta_ref* To(ObjectRecord* object) { return reinterpret_cast<manta_ref*>(object); }

// Writes no more than the caller's version of the struct has.
template <class T>
void SetDefaults(T* out, T defaults) {
  defaults.struct_size = out->struct_size;
  std::memcpy(static_cast<void*>(out), &defaults, std::min(out->struct_size, sizeof defaults));
}

// Fields that the caller's version of a struct does not have keep their defaults.
template <class T>
T Complete(const T* given, void (*initialize)(T*)) {
  T complete;
  complete.struct_size = sizeof complete;
  initialize(&complete);
  if (given != nullptr) {
    std::memcpy(static_cast<void*>(&complete), given,
                given->struct_size < sizeof complete ? given->struct_size : sizeof complete);
  }
  complete.struct_size = sizeof complete;
  return complete;
}

std::string SelfExecutable() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  return size < 0 ? "" : std::string(path, static_cast<size_t>(size));
}

Result<manta::wire::HelloT> DriverHello(const manta_config& config) {
  manta::wire::HelloT hello;
  hello.role = manta::wire::Role::Driver;
  hello.pid = getpid();
  hello.executable = SelfExecutable();
  hello.build_id = FunctionRegistry::OfThisProcess().ExecutableBuildId();
  for (char** variable = environ; *variable != nullptr; ++variable) {
    hello.environment.emplace_back(*variable);
  }
  char folder[4096];
  if (getcwd(folder, sizeof folder) != nullptr) hello.working_directory = folder;
  if (config.worker_program != nullptr) {
    hello.executable = config.worker_program;
    hello.arguments.assign(config.worker_arguments, config.worker_arguments + config.num_worker_arguments);
  }
  if (!FunctionRegistry::OfThisProcess().Speaks(MANTA_LANGUAGE_PYTHON)) {
    const auto code_search_path = manta::worker::CodeSearchPath({config.code_search_path, config.num_code_search_path});
    if (!code_search_path) return code_search_path.error();
    hello.python = manta::worker::PythonProgram(config.python, code_search_path.value());
  }
  if (config.ray_namespace != nullptr) hello.ray_namespace = config.ray_namespace;
  hello.log_to_driver = config.log_to_driver != 0;
  return hello;
}

size_t EnvironmentBytes(const manta::wire::HelloT& hello) {
  size_t bytes = 0;
  for (const std::string& variable : hello.environment) bytes += variable.size() + 16;  // and what encodes it
  return bytes;
}

// As given, else from the environment; "local" when nothing names a cluster.
std::string AddressOf(const manta_config& config) {
  for (const char* address : {config.address, static_cast<const char*>(std::getenv("MANTA_ADDRESS")),
                              static_cast<const char*>(std::getenv("RAY_ADDRESS"))}) {
    if (address != nullptr && *address != '\0') return address;
  }
  return "local";
}

// Names stay until the thread's next call.
void Give(ClusterQuestions::Amounts amounts, manta_resource* out, size_t capacity, size_t* count) {
  static thread_local ClusterQuestions::Amounts kept;
  kept = std::move(amounts);
  for (size_t i = 0; i < kept.size() && i < capacity; ++i) {
    out[i] = {kept[i].first.c_str(), kept[i].second};
  }
  *count = kept.size();
}

// Stays until the thread's next call. Tasks that poll their context ask again and again.
const char* TaskName(const manta::worker::ExecutionContext& running) {
  static thread_local struct {
    manta_function_id function = {};
    std::string name;
  } last;
  if (!running.name.empty()) {
    last = {{}, std::string(running.name)};
  } else if (std::memcmp(&last.function, running.function, sizeof last.function) != 0) {
    last = {*running.function, NameOfFunction(*running.function, nullptr)};
  }
  return last.name.c_str();
}

struct Joined {
  std::unique_ptr<Runtime> runtime;
  int daemon_pid = 0;
};

Result<std::unique_ptr<Runtime>> Connect(int socket, manta::wire::HelloT hello, const manta_config& config) {
  try {
    return Runtime::Connect(socket, std::move(hello), manta::worker::Console(config.show));
  } catch (const std::system_error& error) {  // its thread
    return MakeError(MANTA_ERROR_START_FAILED, error.what());
  }
}

Result<Joined> StartOwnCluster(const manta_config& config, manta::wire::HelloT hello) {
  manta::worker::LocalClusterOptions options;
  options.num_cpus = config.num_cpus;
  options.num_gpus = config.num_gpus;
  options.object_store_bytes = config.object_store_bytes;
  for (size_t i = 0; i < config.num_resources; ++i) {
    options.resources.emplace_back(config.resources[i].name, config.resources[i].quantity);
  }
  for (size_t i = 0; i < config.num_labels; ++i) {
    options.labels.emplace_back(config.labels[i].name, config.labels[i].value);
    if (Result<> checked = manta::model::CheckUsersLabel(config.labels[i].name, config.labels[i].value); !checked) return checked.error();
  }
  Result<manta::worker::LocalCluster> cluster = manta::worker::StartLocalCluster(options);
  if (!cluster) return cluster.error();
  Result<std::unique_ptr<Runtime>> runtime = Connect(cluster->socket, std::move(hello), config);
  if (!runtime) {
    manta::worker::AwaitLocalCluster(cluster->pid);
    return runtime.error();
  }
  return Joined{std::move(runtime).value(), cluster->pid};
}

Result<Joined> JoinCluster(const manta_config& config, const std::string& address, const manta::wire::HelloT& ours) {
  if (config.num_cpus >= 0 || config.num_gpus >= 0 || config.num_resources > 0 ||
      config.object_store_bytes > 0 || config.num_labels > 0) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "num_cpus, num_gpus, resources, labels and object_store_bytes describe a cluster to start; the cluster at '" +
                         address + "' runs already: leave them out, or use the address 'local'");
  }
  // It goes into the first frame, which the daemon reads before it knows who speaks.
  constexpr size_t kMostEnvironment = manta::contracts::kMaxFirstFrameBytes / 8 * 7;
  if (const size_t bytes = EnvironmentBytes(ours); bytes > kMostEnvironment) {
    return MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                     "the environment of this program has " + std::to_string(bytes >> 10) + " KiB, and its workers would start with it: " +
                         std::to_string(kMostEnvironment >> 10) +
                         " KiB is the most with which a program joins a cluster; unset the large variables (env | awk '{print length, $0}' | sort -n | tail)");
  }
  for (;;) {
    Result<manta::worker::Attachment> attachment = manta::worker::AttachToCluster(address);
    if (!attachment) return attachment.error();
    manta::wire::HelloT hello = ours;
    hello.secret = attachment->secret;
    Result<std::unique_ptr<Runtime>> runtime = Connect(attachment->socket, std::move(hello), config);
    if (runtime) return Joined{std::move(runtime).value(), 0};
    if (manta::worker::StillRuns(attachment->session)) return runtime.error();
  }
}

}  // namespace

extern "C" {

manta_error_kind manta_error_get_kind(const manta_error* error) { return error->error.kind; }
const char* manta_error_message(const manta_error* error) { return error->error.message.c_str(); }
const char* manta_error_type_name(const manta_error* error) { return error->error.type_name.c_str(); }
const char* manta_error_stack(const manta_error* error) { return error->error.stack.c_str(); }
manta_bytes manta_error_payload(const manta_error* error) { return {error->error.payload.data(), error->error.payload.size()}; }
manta_actor_id manta_error_actor(const manta_error* error) { return {error->error.actor.creator.value, error->error.actor.serial}; }
manta_object_id manta_error_task(const manta_error* error) {
  const manta::ObjectId& task = error->error.task;
  return {task.owner.value, task.index, task.generation};
}
void manta_error_free(manta_error* error) { delete error; }

void manta_invoker_register(manta_invoker invoker, const char*) {
  FunctionRegistry::OfThisProcess().Register(invoker);
}

manta_error* manta_function_find(manta_invoker invoker, const void* target, const char* name,
                                 manta_function_id* out) {
  Result<manta_function_id> id = FunctionRegistry::OfThisProcess().Find(invoker, target, name);
  if (!id) return Own(id.error());
  *out = id.value();
  return nullptr;
}

void manta_config_init(manta_config* config) {
  manta_config defaults{};
  defaults.num_cpus = defaults.num_gpus = -1;
  defaults.log_to_driver = 1;
  SetDefaults(config, defaults);
}

manta_error* manta_init(const manta_config* given) {
  const manta_config config = Complete(given, manta_config_init);
  if (std::isnan(config.num_cpus) || std::isnan(config.num_gpus)) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                         std::string(std::isnan(config.num_cpus) ? "num_cpus" : "num_gpus") +
                             " is not a number (NaN); what is negative stands for what the machine has"));
  }
  if (config.ray_namespace != nullptr && std::strlen(config.ray_namespace) > manta::worker::ActorLinks::kMostName) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                         "the namespace has " + std::to_string(std::strlen(config.ray_namespace)) + " bytes: " +
                             std::to_string(manta::worker::ActorLinks::kMostName) + " is the most"));
  }
  Session& session = TheSession();
  std::lock_guard guard(session.mutex);
  if (Runtime::Current() != nullptr) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                         Runtime::Current()->is_driver()
                             ? "Init was called twice: this process is connected already; call Shutdown first"
                             : "Init was called inside of a worker, which is connected already: remove the call"));
  }
  if (std::getenv(manta::worker::kZygoteVariable) != nullptr || std::getenv(manta::worker::kWorkerVariable) != nullptr) {
    // A worker of this program is on its way to ZygoteMain; a cluster of its own would start workers that do the same.
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                         "Init was called before main, which a worker process of this program does too: call it in main, "
                         "not in the constructor of a static object"));
  }
  manta::OpenStandardDescriptors();
  const std::string address = AddressOf(config);
  Result<manta::wire::HelloT> hello = DriverHello(config);
  if (!hello) return Own(hello.error());
  Result<Joined> joined = address == "local" ? StartOwnCluster(config, std::move(*hello)) : JoinCluster(config, address, *hello);
  if (!joined) return Own(joined.error());
  session.runtime = std::move(joined->runtime);
  session.daemon_pid = joined->daemon_pid;
  session.was_initialized = true;
  session.connected_by = getpid();
  Runtime::SetCurrent(session.runtime.get());
  return nullptr;
}

int manta_zygote_main(const manta_zygote_hooks* given) {
  manta_zygote_hooks hooks{};
  if (given != nullptr) std::memcpy(static_cast<void*>(&hooks), given, std::min(given->struct_size, sizeof hooks));
  const int fd = manta::worker::TakeDescriptor(manta::worker::kZygoteVariable);
  if (fd < 0) {
    std::fprintf(stderr, "manta: this process was not started as a zygote: $%s is not set\n", manta::worker::kZygoteVariable);
    return 2;
  }
  return manta::worker::ZygoteMain(fd, nullptr, hooks);
}

manta_error* manta_shutdown(void) {
  Session& session = TheSession();
  std::lock_guard guard(session.mutex);
  if (Runtime* const current = Runtime::Current(); current != nullptr && !current->is_driver()) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT,
                         "Shutdown was called inside of a worker, which the cluster ends when it is no longer needed: remove the call "
                         "(ExitActor ends the actor that calls it)"));
  }
  if (session.runtime != nullptr) {
    Runtime::SetCurrent(nullptr);
    session.runtime->Close();
    // The program may hold references beyond Shutdown; releasing them must stay harmless.
    session.retired.push_back(std::move(session.runtime));
  }
  std::erase_if(session.retired, [](const auto& runtime) { return !runtime->has_handles(); });
  if (session.daemon_pid > 0) manta::worker::AwaitLocalCluster(session.daemon_pid);
  session.daemon_pid = 0;
  return nullptr;
}

int manta_is_initialized(void) { return Runtime::Current() != nullptr; }

manta_runtime* manta_current(void) { return reinterpret_cast<manta_runtime*>(Runtime::Current()); }

uint64_t manta_runtime_serial(const manta_runtime* runtime) {
  return reinterpret_cast<const Runtime*>(runtime)->serial();
}

manta_error* manta_not_initialized_error(const char* what) {
  Session& session = TheSession();
  std::lock_guard guard(session.mutex);
  return Own(MakeError(MANTA_ERROR_NOT_INITIALIZED,
                       std::string(what) +
                           (Runtime::WasLeftByFork()
                                ? " was called in a child made by fork(): the connection to the cluster is its "
                                  "parent's; initialize the child to make one of its own"
                            : session.was_initialized ? " was called after the shutdown: initialize again before it"
                                                      : " was called too early: initialize first, by manta::Init() in C++, "
                                                        "ray.init() in Python")));
}

void manta_ref_retain(manta_ref* ref) { Owner::Retain(From(ref)); }
void manta_ref_release(manta_ref* ref) { Owner::Release(From(ref)); }

void manta_ref_id(const manta_ref* ref, manta_object_id* out) {
  const auto* object = reinterpret_cast<const ObjectRecord*>(ref);
  Owner& owner = Owner::Of(object);
  std::lock_guard guard(owner.lock());
  const manta::ObjectId id = owner.IdOf(*object);
  *out = {id.owner.value, id.index, id.generation};
}

manta_ref* manta_ref_import(manta_runtime* runtime, const manta_object_id* id) {
  return To(From(runtime).Import({{id->owner}, id->index, id->generation}));
}

manta_error* manta_put_begin(manta_runtime* runtime, size_t size, manta_ref* const* nested, size_t num_nested,
                             const manta_patience* patience, void** data, manta_ref** out) {
  ObjectRecord* object;
  Result<> begun = From(runtime).PutBegin(size, nested, num_nested, patience, data, &object);
  if (!begun) return Own(begun.error());
  *out = To(object);
  return nullptr;
}

void manta_put_seal(manta_ref* ref) { Owner::Of(From(ref)).Seal(From(ref)); }

manta_error* manta_copy_on_write(manta_ref* ref, const void* data, size_t size, void** out) {
  Result<unsigned char*> view = Owner::Of(From(ref)).memory().CopyOnWrite(static_cast<const unsigned char*>(data), size);
  if (!view) return Own(view.error());
  *out = *view;
  return nullptr;
}

void manta_copy_on_write_end(void* view, size_t size) { manta::worker::NodeMemory::EndCopyOnWrite(static_cast<unsigned char*>(view), size); }

manta_error* manta_get(manta_runtime* runtime, manta_ref* const* refs, size_t count, int64_t timeout,
                       manta_bytes* values) {
  return Own(From(runtime).Get(reinterpret_cast<ObjectRecord* const*>(refs), count, timeout, values));
}

manta_error* manta_wait(manta_runtime* runtime, manta_ref* const* refs, size_t count, size_t num_returns,
                        int64_t timeout, uint8_t* ready) {
  return Own(From(runtime).Wait(reinterpret_cast<ObjectRecord* const*>(refs), count, num_returns, timeout,
                                ready));
}

void manta_task_options_init(manta_task_options* options) {
  manta_task_options defaults{};
  defaults.num_cpus = defaults.num_gpus = defaults.memory = MANTA_DEFAULT_QUANTITY;
  defaults.max_retries = MANTA_DEFAULT_INT;
  defaults.bundle_index = -1;
  SetDefaults(options, defaults);
}

manta_error* manta_task_options_intern(manta_runtime* runtime, const manta_task_options* options,
                                       uint32_t* out) {
  Result<uint32_t> number = From(runtime).InternOptions(Complete(options, manta_task_options_init));
  if (!number) return Own(number.error());
  *out = number.value();
  return nullptr;
}

manta_error* manta_submit(manta_runtime* runtime, const manta_task_spec* spec, manta_ref** results) {
  return Own(From(runtime).Submit(*spec, nullptr, 0, results));
}

void manta_sleep_hooks_set(void* (*begin)(void), void (*end)(void* begun)) { manta::worker::Turns::SetSleepHooks({begin, end}); }

manta_error* manta_cancel(manta_ref* ref, int force, int recursive) {
  Runtime* runtime = Runtime::Current();
  if (runtime == nullptr) return manta_not_initialized_error("cancel");
  return Own(runtime->Cancel(From(ref), force != 0, recursive != 0));
}

void manta_actor_options_init(manta_actor_options* options) {
  manta_actor_options defaults{};
  defaults.max_pending_calls = -1;
  defaults.max_concurrency = 1;
  SetDefaults(options, defaults);
}

manta_error* manta_actor_create(manta_runtime* runtime, const manta_task_spec* constructor,
                                const manta_actor_options* options, manta_actor** out) {
  Result<ActorRecord*> actor =
      From(runtime).CreateActor(*constructor, Complete(options, manta_actor_options_init));
  if (!actor) return Own(actor.error());
  *out = reinterpret_cast<manta_actor*>(actor.value());
  return nullptr;
}

manta_error* manta_actor_submit(manta_actor* actor, const manta_task_spec* spec, manta_ref** results) {
  return Own(From(actor)->runtime->Submit(*spec, From(actor), manta::shm::kActorMethod, results));
}

void manta_actor_retain(manta_actor* actor) { From(actor)->runtime->actors().Retain(From(actor)); }
void manta_actor_release(manta_actor* actor) { From(actor)->runtime->actors().Release(From(actor)); }

void manta_actor_get_id(const manta_actor* actor, manta_actor_id* out) {
  const auto* record = reinterpret_cast<const ActorRecord*>(actor);
  *out = {record->id.creator.value, record->id.serial};
}

manta_ref* manta_actor_lifetime(const manta_actor* actor) {
  const auto* record = reinterpret_cast<const ActorRecord*>(actor);
  return To(record->runtime->actors().LifeOf(record));
}

manta_actor* manta_actor_import(manta_runtime* runtime, const manta_actor_id* id) {
  return reinterpret_cast<manta_actor*>(From(runtime).actors().Import({{id->creator}, id->serial}));
}

manta_error* manta_actor_find(manta_runtime* runtime, const char* name, const char* ray_namespace,
                              manta_actor** out) {
  const Runtime::Call call(From(runtime));
  Result<ActorRecord*> actor =
      From(runtime).actors().Find(name, ray_namespace == nullptr ? "" : ray_namespace);
  if (!actor) return Own(actor.error());
  *out = reinterpret_cast<manta_actor*>(actor.value());
  return nullptr;
}

manta_error* manta_actor_description(manta_actor* actor, manta_blob** out) {
  Runtime& runtime = *From(actor)->runtime;
  if (Result<> open = runtime.CheckOpen("the search for an actor"); !open) return Own(open.error());
  Result<std::string> description = runtime.actors().Describe(From(actor)->id);
  if (!description) return Own(description.error());
  *out = description->empty() ? nullptr : new manta_blob{{description->begin(), description->end()}};
  return nullptr;
}

manta_error* manta_actor_kill(manta_actor* actor, int no_restart) {
  if (Result<> open = From(actor)->runtime->CheckOpen("kill"); !open) return Own(open.error());
  return Own(From(actor)->runtime->actors().Kill(From(actor), no_restart != 0));
}

manta_error* manta_actor_exit(manta_runtime*) {
  manta::worker::ExecutionContext* context = manta::worker::Executor::current();
  if (context == nullptr || !context->of_actor) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT, "only a method of an actor can end its actor: this is none"));
  }
  context->exit_requested = true;
  return nullptr;
}

manta_error* manta_worker_retire(manta_runtime*) {
  manta::worker::ExecutionContext* context = manta::worker::Executor::current();
  if (context == nullptr || context->of_actor) {
    return Own(MakeError(MANTA_ERROR_INVALID_ARGUMENT, "a worker retires after a task; this is none"));
  }
  // The task that the worker was leased for: who runs in its place is part of it.
  while (context->outer != nullptr) context = context->outer;
  context->is_the_last = true;
  return nullptr;
}

manta_error* manta_context_get(manta_runtime* runtime, manta_context* out) {
  Runtime& from = From(runtime);
  const size_t size = out->struct_size;
  manta_context context{};
  context.struct_size = size;
  context.process_id = from.welcome().process;
  context.job_id = from.welcome().job;
  context.ray_namespace = from.welcome().ray_namespace.c_str();
  context.session_directory = from.welcome().session_directory.c_str();
  context.is_driver = from.is_driver();
  context.task_name = "";
  context.pid = getpid();
  context.environment = from.environment_name();
  context.gpus = from.gpus();
  const manta::ActorId actor = from.hosted_actor();
  context.actor_id = {actor.creator.value, actor.serial};
  const manta::model::BundleRef bundle = from.bundle();
  context.placement_group = {bundle.group.creator.value, bundle.group.serial};
  context.bundle_index = bundle ? bundle.index : -1;
  context.captures_child_tasks = from.captures();
  const std::string& node_id = from.welcome().node_id;
  for (size_t i = 0; i < sizeof context.node_id && 2 * i + 1 < node_id.size(); ++i) {
    context.node_id[i] = static_cast<uint8_t>(std::strtoul(node_id.substr(2 * i, 2).c_str(), nullptr, 16));
  }
  context.actor_was_restarted = from.actor_was_restarted();
  context.is_cancelled = from.IsCancelled();
  if (const auto* running = manta::worker::Executor::current()) {
    const manta::ObjectId id = running->id();
    context.task_id = {id.owner.value, id.index, id.generation};
    context.task_name = TaskName(*running);
  }
  std::memcpy(static_cast<void*>(out), &context, size < sizeof context ? size : sizeof context);
  return nullptr;
}

manta_error* manta_cluster_resources(manta_runtime* runtime, int available, manta_resource* out,
                                     size_t capacity, size_t* count) {
  const Runtime::Call call(From(runtime));
  Result<ClusterQuestions::Resources> answer = From(runtime).questions().AskResources();
  if (!answer) return Own(answer.error());
  Give(std::move(available != 0 ? answer->available : answer->total), out, capacity, count);
  return nullptr;
}

manta_error* manta_assigned_resources(manta_runtime* runtime, manta_resource* out, size_t capacity,
                                      size_t* count) {
  const Runtime::Call call(From(runtime));
  Result<ClusterQuestions::Amounts> answer = From(runtime).questions().AskAssigned();
  if (!answer) return Own(answer.error());
  Give(std::move(answer).value(), out, capacity, count);
  return nullptr;
}

const char* manta_version(void) { return "0.1.0"; }

}  // extern "C"
