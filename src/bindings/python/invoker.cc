#include "bindings/python/invoker.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bindings/python/archived_calls.h"
#include "bindings/python/async_calls.h"
#include "bindings/python/callers.h"
#include "bindings/python/encoding.h"
#include "bindings/python/errors.h"
#include "bindings/python/results.h"

namespace manta::python {
namespace {

// The interpreter lock, with a thread state that stays with the thread: making one costs microseconds.
class WithInterpreter {
 public:
  WithInterpreter() {
    if (state_ == nullptr) {
      EnterInterpreter();
      state_ = PyThreadState_Get();
    } else {
      TakeInterpreter(state_);
    }
  }
  ~WithInterpreter() { PyEval_SaveThread(); }
  WithInterpreter(const WithInterpreter&) = delete;
  WithInterpreter& operator=(const WithInterpreter&) = delete;

  static void Adopt(PyThreadState* state) { state_ = state; }

 private:
  static thread_local PyThreadState* state_;
};
thread_local PyThreadState* WithInterpreter::state_ = nullptr;

// What is in shared memory stays there; a small value lies in the call's own memory, and the reference has a copy.
manta_ref* KeepDependency(void* context, manta_bytes* bytes) {
  const auto& [call, index] = *static_cast<std::pair<manta_call*, uint32_t>*>(context);
  manta_ref* const ref = call->ops->retain_dependency(call, index);
  if (ref == nullptr) return nullptr;
  if (manta_error* const error = manta_get(call->runtime, &ref, 1, 0, bytes)) {
    manta_error_free(error);
    manta_ref_release(ref);
    return nullptr;
  }
  return ref;
}

// What came with the call ends with it.
manta_ref* KeepNothing(void*, manta_bytes*) { return nullptr; }

std::atomic<bool> stopped{false};  // a signal was sent to the main thread

// The signal that stops a task may find it ended: the next one has nothing to do with it.
void ForgetSignals() {
  if (!stopped.exchange(false)) return;
  syscall(SYS_getppid);  // what was sent comes at the latest when a system call returns
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  while (PyErr_CheckSignals() != 0) PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

// What a task is in Python's terms, while it runs. `archived`: another language has called.
class Invocation {
 public:
  Invocation(manta_call* call, bool archived) : call_(call) {
    if (archived) archived_.emplace();
  }

  void Run() {
    call_->ops->set_stoppable(call_, 1);
    Owned result(WorkerIsPrepared() ? archived_ ? CallArchived() : Call() : nullptr);
    bool failed = !result;
    const bool goes_on = result && Continues(result.get());
    if (result && !goes_on && (header_.flags & (CallHeader::kStreams | CallHeader::kCollects)) != 0) failed = !Iterate(&result);
    call_->ops->set_stoppable(call_, 0);
    if (__builtin_expect(stopped.load(std::memory_order_relaxed), 0)) ForgetSignals();
    const std::string* const schema = archived_ ? &archived_->result : nullptr;
    if (goes_on) return BeginAsync(call_, result.get(), (header_.flags & CallHeader::kStreams) != 0 ? &most_ahead_ : nullptr, schema);
    if (result && !failed) failed = archived_ ? !WriteArchivedResult(call_, *schema, result.get()) : !WriteResult(call_, result.get());
    if (failed && PyErr_Occurred() != nullptr) FailCall(call_);
  }

 private:
  // Whether the event loop goes on with it.
  bool Continues(PyObject* result) const {
    return IsAsync(result) || (OnEventLoop() && (header_.flags & CallHeader::kStreams) != 0);
  }

  // Of a generator: sends its items, or makes one value of them. False when that has failed, with an exception unless the failure is told
  // already.
  bool Iterate(Owned* result) {
    Owned items(PyObject_GetIter(result->get()));
    if (!items) {
      PyErr_Format(PyExc_TypeError, "a task with num_returns=\"streaming\" or \"dynamic\" has to be a generator, and has returned %R",
                   reinterpret_cast<PyObject*>(Py_TYPE(result->get())));
      return false;
    }
    if ((header_.flags & CallHeader::kCollects) != 0) {
      *result = Owned(PyObject_CallOneArg(TheCallbacks().collect_items, items.get()));
      return static_cast<bool>(*result);
    }
    *result = Owned::Retained(Py_None);
    while (Owned item{PyIter_Next(items.get())}) {
      if (EmitItem(call_, item.get(), most_ahead_) < 0) return false;
    }
    return PyErr_Occurred() == nullptr;
  }

  // Also before arguments are decoded: they may be of modules that only then can be found.
  static bool WorkerIsPrepared() {
    static std::atomic<bool> prepared{false};
    if (__builtin_expect(prepared.load(std::memory_order_acquire), 1)) return true;
    const Owned done(PyObject_CallNoArgs(TheCallbacks().prepare_worker));
    if (done) prepared.store(true, std::memory_order_release);
    return static_cast<bool>(done);
  }

  PyObject* CallArchived() {
    if (!ReadArchivedCall(call_, &*archived_)) return nullptr;
    std::vector<PyObject*> values;
    for (const Owned& argument : archived_->arguments) values.push_back(argument.get());
    PyObject* const made = PyObject_Vectorcall(archived_->callable.get(), values.data(), values.size(), nullptr);
    return made != nullptr && archived_->kind == CallKind::kConstructor ? HandOver(made) : made;
  }

  PyObject* Call() {
    manta_bytes arguments{call_->args, call_->args_size};
    if (arguments.size < sizeof header_) return Damaged();
    std::memcpy(&header_, arguments.data, sizeof header_);
    if (header_.name_bytes > arguments.size - sizeof header_) return Damaged();
    const char* const name = static_cast<const char*>(arguments.data) + sizeof header_;
    arguments = {name + header_.name_bytes, arguments.size - sizeof header_ - header_.name_bytes};
    if ((header_.flags & CallHeader::kStreams) != 0) {
      if (arguments.size < sizeof most_ahead_) return Damaged();
      std::memcpy(&most_ahead_, arguments.data, sizeof most_ahead_);
      arguments = {static_cast<const char*>(arguments.data) + sizeof most_ahead_, arguments.size - sizeof most_ahead_};
    }

    if ((header_.flags & CallHeader::kLabelled) != 0 && !Remember(name)) return nullptr;
    if (header_.kind == CallKind::kConstructor && !FitThreads()) return nullptr;
    uint32_t count = call_->num_dependencies;
    const bool in_object = (header_.flags & CallHeader::kArgumentsInObject) != 0;
    if (in_object && count-- == 0) return Damaged();
    DecodedArguments decoded;
    std::vector<PyObject*> dependencies;
    std::vector<Owned> owners;
    for (uint32_t i = 0; i < count; ++i) {
      std::pair<manta_call*, uint32_t> place{call_, i};
      owners.emplace_back(Decode(call_->dependencies[i], {KeepDependency, &place}));
      if (!owners.back()) return nullptr;
      dependencies.push_back(owners.back().get());
    }
    std::pair<manta_call*, uint32_t> last{call_, count};
    const Keeper keeper{in_object ? KeepDependency : KeepNothing, &last};
    if (!DecodeArguments(in_object ? call_->dependencies[count] : arguments, keeper, dependencies, &decoded)) return nullptr;

    if (header_.kind == CallKind::kMethod) {
      Owned method(PyUnicode_DecodeUTF8(name, header_.name_bytes, nullptr));
      Owned bound(method ? PyObject_GetAttr(static_cast<PyObject*>(call_->actor), method.get()) : nullptr);
      return bound ? Vectorcall(bound.get(), decoded) : nullptr;
    }
    PyObject* const function = Function();
    if (function == nullptr) return nullptr;
    if (header_.kind == CallKind::kConstructor && !BeginActor(function)) return nullptr;
    PyObject* made = Vectorcall(function, decoded);
    return made != nullptr && header_.kind == CallKind::kConstructor ? HandOver(made) : made;
  }

  // For get_task_function_name.
  bool Remember(const char* name) const {
    PyObject* const actor = header_.kind == CallKind::kMethod ? static_cast<PyObject*>(call_->actor) : nullptr;
    Owned module(PyImport_ImportModule("manta.runtime_context"));
    return module && Owned(PyObject_CallMethod(module.get(), "remember_function", "Os#", actor != nullptr ? actor : Py_None, name,
                                               Py_ssize_t{header_.name_bytes}));
  }

  // For current_actor, which constructors may use, too.
  static bool BeginActor(PyObject* runnable) {
    Owned module(PyImport_ImportModule("manta.actor"));
    return module && Owned(PyObject_CallMethod(module.get(), "begins_here", "O", runnable));
  }

  static bool FitThreads() {
    Owned module(PyImport_ImportModule("manta._environments"));
    return module && Owned(PyObject_CallMethod(module.get(), "fit_threads", nullptr));
  }

  // Makes `instance`, which it takes over, the actor.
  PyObject* HandOver(PyObject* instance) {
    if (!ServeCalls(call_, instance)) return Py_DECREF(instance), nullptr;
    call_->ops->set_actor(call_, instance, [](void* given) {
      const WithInterpreter lock;
      Py_DECREF(static_cast<PyObject*>(given));
    });
    return PyObject_CallOneArg(TheCallbacks().actor_made, instance);
  }

  static PyObject* Vectorcall(PyObject* callable, const DecodedArguments& arguments) {
    return PyObject_Vectorcall(callable, arguments.values.data(), arguments.positional, arguments.names.get());
  }

  static PyObject* Damaged() {
    PyErr_SetString(PyExc_RuntimeError, "the description of a Python task arrived damaged");
    return nullptr;
  }

  // Borrowed: the cache keeps it for the life of the process.
  PyObject* Function() {
    static std::mutex mutex;
    static auto* const cache = new std::unordered_map<std::string, PyObject*>();
    const std::string key(reinterpret_cast<const char*>(header_.digest), sizeof header_.digest);
    {
      const std::lock_guard guard(mutex);
      if (const auto known = cache->find(key); known != cache->end()) return known->second;
    }
    Owned digest(PyBytes_FromStringAndSize(key.data(), static_cast<Py_ssize_t>(key.size())));
    Owned loaded(digest ? PyObject_CallOneArg(TheCallbacks().load_function, digest.get()) : nullptr);
    if (!loaded) return nullptr;
    const std::lock_guard guard(mutex);
    const auto [entry, is_new] = cache->try_emplace(key, loaded.get());
    if (is_new) loaded.release();
    return entry->second;
  }

  manta_call* const call_;
  std::optional<ArchivedCall> archived_;
  CallHeader header_{};
  uint32_t most_ahead_ = 0;
};

// The runtime assigns GPUs at a worker's first task that has some, by a variable of C's environment; Python has a copy of that.
void ShowGpus() {
  static std::atomic<const char*> shown{nullptr};
  const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES");
  if (shown.load(std::memory_order_relaxed) == visible) return;
  shown.store(visible, std::memory_order_relaxed);
  Owned os(PyImport_ImportModule("os"));
  Owned environment(os ? PyObject_GetAttrString(os.get(), "environ") : nullptr);
  Owned text(PyUnicode_DecodeFSDefault(visible != nullptr ? visible : ""));
  if (environment && text && PyMapping_SetItemString(environment.get(), "CUDA_VISIBLE_DEVICES", text.get()) == 0) {
    shown.store(std::getenv("CUDA_VISIBLE_DEVICES"), std::memory_order_relaxed);  // os.environ has set C's, too
  }
  PyErr_Clear();
}

template <bool archived>
void Invoke(manta_call* call) {
  if (OnEventLoop()) return Invocation(call, archived).Run();  // which has the interpreter lock
  const WithInterpreter lock;
  ShowGpus();
  Invocation(call, archived).Run();
}

[[maybe_unused]] const bool registered = [] {
  manta_invoker_register(Invoke<false>, "Python");
  manta_language_invoker_register(MANTA_LANGUAGE_PYTHON, Invoke<true>);
  return true;
}();

}  // namespace

const manta_function_id* InvokerId() {
  static std::atomic<const manta_function_id*> known{nullptr};
  if (const manta_function_id* const id = known.load(std::memory_order_acquire)) return id;
  auto found = std::make_unique<manta_function_id>();
  if (!Accepts(manta_function_find(Invoke<false>, nullptr, "a Python function", found.get()))) return nullptr;
  const manta_function_id* none = nullptr;
  return known.compare_exchange_strong(none, found.get(), std::memory_order_acq_rel) ? found.release() : none;
}

namespace {
bool serving = false;  // written before the worker's threads start
}

void BeginServing() {
  serving = true;
  WithInterpreter::Adopt(PyEval_SaveThread());
}

void EndServing() {
  if (!serving) return;
  const WithInterpreter lock;
  const Owned module(PyImport_ImportModule("atexit"));
  const Owned left(module ? PyObject_CallMethod(module.get(), "_run_exitfuncs", nullptr) : nullptr);
  PyErr_Clear();  // each failure has been printed
  for (const char* name : {"stdout", "stderr"}) {
    PyObject* const stream = PySys_GetObject(name);  // borrowed
    const Owned flushed(stream != nullptr ? PyObject_CallMethod(stream, "flush", nullptr) : nullptr);
    PyErr_Clear();
  }
}

bool IsServing() { return serving; }

void StopTask() {
  stopped.store(true);
  // A signal ends sleeps and reads, too. Python's handler for it raises KeyboardInterrupt where the main thread is.
  syscall(SYS_tgkill, getpid(), getpid(), SIGINT);
}

}  // namespace manta::python
