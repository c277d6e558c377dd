#include "bindings/python/callers.h"

#include <structmember.h>

#include <cstring>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "bindings/python/actor_handle.h"
#include "bindings/python/encoding.h"
#include "bindings/python/errors.h"
#include "bindings/python/generators.h"
#include "bindings/python/invoker.h"
#include "bindings/python/object_ref.h"

namespace manta::python {
namespace {

PyTypeObject* caller_type = nullptr;

// What a runtime knows a Caller's function and options by.
struct Exported {
  uint64_t runtime = 0;  // its serial; 0: none knows it yet
  uint32_t options = 0;
  unsigned char digest[16] = {};
  Owned captured;  // a tuple of ObjectRefs that the function or class contains: each call holds them for its worker; or none
};

// The object that `f.remote`, `Class.remote` and `handle.method.remote` are. Does not change but for what `mutex` guards.
struct Caller {
  PyObject_HEAD
  vectorcallfunc call;
  std::mutex mutex;         // never held while other Python code may run
  Exported exported;
  CallKind kind;
  int num_returns;          // or kStreaming, kDynamic
  uint32_t most_ahead;      // of a stream: items that are not taken yet; 0: any number
  PyObject* name;           // str: of the function, for people; of the method
  PyObject* label;          // str: what the program calls its tasks instead; or None
  PyObject* qualified;      // str: what they are called else; or None: `name`
  const char* class_name;   // of constructors, else nullptr; for the life of the process
  PyObject* source;         // what export_caller and the actor's creation look at: the RemoteFunction, ActorClass or ActorMethod
  PyObject* actor;          // of methods: the NativeActor
  PyObject* check;          // (args, kwargs): raises when they do not fit; None: all do
  Py_ssize_t least, most;   // so many positional arguments alone always fit
};

Caller* From(PyObject* object) { return reinterpret_cast<Caller*>(object); }

// The same text for the life of the process. For classes, of which each is exported as well, for the life of the job.
const char* Interned(std::string_view text) {
  static std::mutex mutex;
  static auto* const known = new std::unordered_set<std::string>();
  const std::lock_guard guard(mutex);
  return known->emplace(text).first->c_str();
}

// Of "Class.__init__".
std::string_view ClassName(std::string_view constructor) {
  constexpr std::string_view kInit = ".__init__";
  const bool ends = constructor.size() > kInit.size() && constructor.substr(constructor.size() - kInit.size()) == kInit;
  return ends ? constructor.substr(0, constructor.size() - kInit.size()) : constructor;
}

// Around a submission by a thread that has the interpreter lock: where it has to wait for its turn, it gives the lock up, since the thread
// whose turn it is may wait for that.
class Submission {
 public:
  Submission() { under_way_ = true; }
  ~Submission() { under_way_ = false; }
  Submission(const Submission&) = delete;
  Submission& operator=(const Submission&) = delete;

  static void* BeginSleep() { return under_way_ ? PyEval_SaveThread() : nullptr; }
  static void EndSleep(void* state) {
    if (state != nullptr) TakeInterpreter(static_cast<PyThreadState*>(state));
  }

 private:
  static thread_local bool under_way_;
};
thread_local bool Submission::under_way_ = false;

Exported CopyOf(const Exported& exported) {
  Exported copy{exported.runtime, exported.options, {}, Owned(Py_XNewRef(exported.captured.get()))};
  std::memcpy(copy.digest, exported.digest, sizeof copy.digest);
  return copy;
}

// What export_caller (manta._export) gives. False with an exception.
bool Export(Caller* self, Exported* exported) {
  const Owned given(PyObject_CallOneArg(TheCallbacks().export_caller, reinterpret_cast<PyObject*>(self)));
  const char* digest;
  Py_ssize_t size;
  unsigned options;
  PyObject* captured;
  if (!given || !PyArg_ParseTuple(given.get(), "y#IO!", &digest, &size, &options, &PyTuple_Type, &captured)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(captured); ++i) {
    if (IsRef(PyTuple_GET_ITEM(captured, i))) continue;
    PyErr_SetString(PyExc_TypeError, "what a function has captured are ObjectRefs");
    return false;
  }
  if (size != sizeof exported->digest) {
    PyErr_SetString(PyExc_ValueError, "a digest has 16 bytes");
    return false;
  }
  std::memcpy(exported->digest, digest, sizeof exported->digest);
  exported->options = options;
  if (PyTuple_GET_SIZE(captured) > 0) exported->captured = Owned::Retained(captured);
  return true;
}

// For `runtime`, which gets to know it first where it does not. False with an exception.
bool ExportedFor(Caller* self, manta_runtime* runtime, Exported* exported) {
  const uint64_t serial = manta_runtime_serial(runtime);
  {
    const std::lock_guard guard(self->mutex);
    if (__builtin_expect(self->exported.runtime == serial, 1)) return *exported = CopyOf(self->exported), true;
  }
  if (!Export(self, exported)) return false;
  exported->runtime = serial;
  Exported kept = CopyOf(*exported);  // and then the former one, which goes without the lock
  const std::lock_guard guard(self->mutex);
  std::swap(self->exported, kept);
  return true;
}

// (args, kwargs)
std::pair<Owned, Owned> ArgumentsOf(PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  Owned positional(PyTuple_New(count));
  Owned named(PyDict_New());
  if (!positional || !named) return {};
  for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(arguments[i]));
  for (Py_ssize_t i = 0; names != nullptr && i < PyTuple_GET_SIZE(names); ++i) {
    if (PyDict_SetItem(named.get(), PyTuple_GET_ITEM(names, i), arguments[count + i]) != 0) return {};
  }
  return {std::move(positional), std::move(named)};
}

bool Fits(Caller* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  if (self->check == Py_None || (names == nullptr && count >= self->least && count <= self->most)) return true;
  const auto [positional, named] = ArgumentsOf(arguments, count, names);
  return positional && static_cast<bool>(Owned(PyObject_CallFunctionObjArgs(self->check, positional.get(), named.get(), nullptr)));
}

// In the place of the exception that is set, if arguments could not be pickled: one that names them.
void NameUnpicklable(Caller* self, PyObject* const* arguments, Py_ssize_t count, PyObject* names) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const auto [positional, named] = ArgumentsOf(arguments, count, names);
  Owned module(positional ? PyImport_ImportModule("manta._unpicklable") : nullptr);
  Owned error(module ? PyObject_CallMethod(module.get(), "argument_error", "OOOO", self->name, positional.get(), named.get(), value) : nullptr);
  if (error) Owned former(std::exchange(value, error.release()));
  PyErr_Restore(type, value, traceback);
}

PyObject* References(const std::vector<manta_ref*>& results) {
  if (results.empty()) Py_RETURN_NONE;
  if (results.size() == 1) return NewRef(results[0]);
  Owned list(PyList_New(static_cast<Py_ssize_t>(results.size())));
  for (size_t i = 0; i < results.size(); ++i) {
    PyObject* ref = NewRef(results[i]);
    if (ref == nullptr) return nullptr;
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), ref);
  }
  return list.release();
}

PyObject* Call(PyObject* object, PyObject* const* arguments, size_t flagged, PyObject* names) {
  Caller* const self = From(object);
  if (!Fits(self, arguments, PyVectorcall_NARGS(flagged), names)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("remote");
  const manta_function_id* const invoker = InvokerId();
  Exported exported;
  if (runtime == nullptr || invoker == nullptr || !ExportedFor(self, runtime, &exported)) return nullptr;
  const char* const name = PyUnicode_AsUTF8(self->name);
  PyObject* const called = self->label != Py_None ? self->label : self->qualified != Py_None ? self->qualified : self->name;
  const char* const shown = PyUnicode_AsUTF8(called);
  if (name == nullptr || shown == nullptr) return nullptr;

  EncodedArguments encoded;
  CallHeader header{self->kind, 0, 0, {}};
  std::memcpy(header.digest, exported.digest, sizeof header.digest);
  if (self->label != Py_None) header.flags |= CallHeader::kLabelled;
  if (self->kind == CallKind::kMethod || self->label != Py_None) header.name_bytes = static_cast<uint16_t>(std::strlen(name));
  if (self->num_returns == kStreaming) header.flags |= CallHeader::kStreams;
  if (self->num_returns == kDynamic) header.flags |= CallHeader::kCollects;
  encoded.bytes.assign(reinterpret_cast<const char*>(&header), sizeof header);
  encoded.bytes.append(name, header.name_bytes);
  const bool streams = self->num_returns == kStreaming;
  if (streams) encoded.bytes.append(reinterpret_cast<const char*>(&self->most_ahead), sizeof self->most_ahead);
  if (!EncodeArguments(runtime, arguments, static_cast<size_t>(PyVectorcall_NARGS(flagged)), names, &encoded)) {
    NameUnpicklable(self, arguments, PyVectorcall_NARGS(flagged), names);
    return nullptr;
  }
  if (encoded.in_object) {
    header.flags |= CallHeader::kArgumentsInObject;
    std::memcpy(encoded.bytes.data(), &header, sizeof header);
  }

  for (Py_ssize_t i = 0; exported.captured && i < PyTuple_GET_SIZE(exported.captured.get()); ++i) {
    encoded.nested.push_back(RefOf(PyTuple_GET_ITEM(exported.captured.get(), i)));
  }

  manta_task_spec spec{};
  spec.function = *invoker;
  spec.function_name = self->class_name != nullptr ? self->class_name : name;
  spec.args = encoded.bytes.data();
  spec.args_size = encoded.bytes.size();
  spec.dependencies = encoded.dependencies.data();
  spec.num_dependencies = static_cast<uint32_t>(encoded.dependencies.size());
  spec.nested = encoded.nested.data();
  spec.num_nested = static_cast<uint32_t>(encoded.nested.size());
  spec.options = exported.options;
  spec.name = shown;
  if (self->kind == CallKind::kConstructor) return CreateActor(runtime, spec, self->source);
  spec.num_results = self->num_returns < 0 ? 1 : static_cast<uint32_t>(self->num_returns);
  std::vector<manta_ref*> results(spec.num_results);
  if (streams && !Accepts(manta_stream_new(runtime, self->most_ahead, &spec.stream))) return nullptr;
  manta_error* error;
  {
    const Submission here;
    error = self->kind == CallKind::kFunction ? manta_submit(runtime, &spec, results.data())
                                              : manta_actor_submit(ActorOf(self->actor), &spec, results.data());
  }
  if (error != nullptr) return manta_stream_free(spec.stream), Raise(error);
  return streams ? NewGenerator(spec.stream, results[0]) : References(results);
}

PyObject* New(PyTypeObject* type, PyObject* arguments, PyObject*) {
  int kind, num_returns;
  unsigned most_ahead = 0;
  PyObject *name, *source, *actor, *check, *label = Py_None, *qualified = Py_None;
  Py_ssize_t least, most;
  if (!PyArg_ParseTuple(arguments, "iiUOO(nnO)|IOO", &kind, &num_returns, &name, &source, &actor, &least, &most, &check, &most_ahead, &label,
                        &qualified)) {
    return nullptr;
  }
  if (kind < 0 || kind > 2 || num_returns < kDynamic || num_returns > UINT16_MAX) {
    PyErr_SetString(PyExc_ValueError, "num_returns has to be between 0 and 65535");
    return nullptr;
  }
  const char* const text = PyUnicode_AsUTF8(name);
  PyObject* object = text == nullptr ? nullptr : PyType_GenericAlloc(type, 0);
  if (object == nullptr) return nullptr;
  Caller* self = From(object);
  new (&self->mutex) std::mutex;
  new (&self->exported) Exported;
  self->call = Call;
  self->kind = static_cast<CallKind>(kind);
  self->class_name = self->kind == CallKind::kConstructor ? Interned(ClassName(text)) : nullptr;
  self->num_returns = num_returns;
  self->most_ahead = most_ahead;
  self->name = Py_NewRef(name);
  self->label = Py_NewRef(label);
  self->qualified = Py_NewRef(qualified);
  self->source = Py_NewRef(source);
  self->actor = Py_NewRef(actor);
  self->check = Py_NewRef(check);
  self->least = least;
  self->most = most;
  return object;
}

int Traverse(PyObject* object, visitproc visit, void* arg) {
  Caller* self = From(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->source);
  Py_VISIT(self->actor);
  Py_VISIT(self->check);
  Py_VISIT(self->exported.captured.get());
  return 0;
}

int Clear(PyObject* object) {
  Caller* self = From(object);
  Py_CLEAR(self->source);
  Py_CLEAR(self->actor);
  Py_CLEAR(self->check);
  Owned captured;
  {
    const std::lock_guard guard(self->mutex);
    std::swap(captured, self->exported.captured);
  }
  return 0;
}

void Dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Clear(object);
  Py_CLEAR(From(object)->name);
  Py_CLEAR(From(object)->label);
  Py_CLEAR(From(object)->qualified);
  From(object)->exported.~Exported();
  From(object)->mutex.~mutex();
  FreeInstance(object);
}

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Caller, call), READONLY, nullptr},
                         {"source", T_OBJECT, offsetof(Caller, source), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(New)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(Dealloc)},
                       {Py_tp_traverse, reinterpret_cast<void*>(Traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(Clear)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_members, members},
                       {0, nullptr}};
PyType_Spec spec = {"manta._manta.Caller", sizeof(Caller), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, slots};

}  // namespace

bool AddCallers(PyObject* module) {
  manta_sleep_hooks_set(Submission::BeginSleep, Submission::EndSleep);
  caller_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return caller_type != nullptr && PyModule_AddType(module, caller_type) == 0;
}

}  // namespace manta::python
