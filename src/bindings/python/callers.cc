#include "bindings/python/callers.h"

#include <structmember.h>

#include <cstring>
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

// The object that `f.remote`, `Class.remote` and `handle.method.remote` are. What stands in it is read by calls, which hold the interpreter
// lock, and written by export_caller (manta._export).
struct Caller {
  PyObject_HEAD
  vectorcallfunc call;
  uint64_t serial;          // of the runtime for which the two below hold; 0: none
  uint32_t options;
  unsigned char digest[16];
  PyObject* captured;       // a tuple of ObjectRefs that the function or class contains: each call holds them for its worker; or nullptr
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

// The same text for the life of the process. Interpreter lock. For classes, of which each is exported as well, for the life of the job.
const char* Interned(std::string_view text) {
  static auto* const known = new std::unordered_set<std::string>();
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

bool Prepare(Caller* self, manta_runtime* runtime) {
  const uint64_t serial = manta_runtime_serial(runtime);
  if (self->serial == serial) return true;
  Owned done(PyObject_CallOneArg(TheCallbacks().export_caller, reinterpret_cast<PyObject*>(self)));
  if (!done) return false;
  self->serial = serial;
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
  if (runtime == nullptr || invoker == nullptr || !Prepare(self, runtime)) return nullptr;
  const char* const name = PyUnicode_AsUTF8(self->name);
  PyObject* const called = self->label != Py_None ? self->label : self->qualified != Py_None ? self->qualified : self->name;
  const char* const shown = PyUnicode_AsUTF8(called);
  if (name == nullptr || shown == nullptr) return nullptr;

  EncodedArguments encoded;
  CallHeader header{self->kind, 0, 0, {}};
  std::memcpy(header.digest, self->digest, sizeof header.digest);
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

  const Owned captured(Py_XNewRef(self->captured));
  for (Py_ssize_t i = 0; captured && i < PyTuple_GET_SIZE(captured.get()); ++i) {
    encoded.nested.push_back(RefOf(PyTuple_GET_ITEM(captured.get(), i)));
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
  spec.options = self->options;
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
  Py_VISIT(self->captured);
  return 0;
}

int Clear(PyObject* object) {
  Caller* self = From(object);
  Py_CLEAR(self->source);
  Py_CLEAR(self->actor);
  Py_CLEAR(self->check);
  Py_CLEAR(self->captured);
  return 0;
}

void Dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Clear(object);
  Py_CLEAR(From(object)->name);
  Py_CLEAR(From(object)->label);
  Py_CLEAR(From(object)->qualified);
  FreeInstance(object);
}

// For export_caller: what stands for this runtime from now on.
PyObject* SetExported(PyObject* object, PyObject* arguments) {
  const char* digest;
  Py_ssize_t size;
  unsigned options;
  PyObject* captured;
  if (!PyArg_ParseTuple(arguments, "y#IO!", &digest, &size, &options, &PyTuple_Type, &captured)) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(captured); ++i) {
    if (IsRef(PyTuple_GET_ITEM(captured, i))) continue;
    PyErr_SetString(PyExc_TypeError, "what a function has captured are ObjectRefs");
    return nullptr;
  }
  if (size != sizeof From(object)->digest) {
    PyErr_SetString(PyExc_ValueError, "a digest has 16 bytes");
    return nullptr;
  }
  std::memcpy(From(object)->digest, digest, sizeof From(object)->digest);
  From(object)->options = options;
  Owned former(std::exchange(From(object)->captured, PyTuple_GET_SIZE(captured) == 0 ? nullptr : Py_NewRef(captured)));
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {{"set_exported", SetExported, METH_VARARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Caller, call), READONLY, nullptr},
                         {"source", T_OBJECT, offsetof(Caller, source), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(New)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(Dealloc)},
                       {Py_tp_traverse, reinterpret_cast<void*>(Traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(Clear)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_methods, methods},
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
