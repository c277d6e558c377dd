#include "bindings/python/actor_handle.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "bindings/python/errors.h"
#include "bindings/python/object_ref.h"

namespace manta::python {
namespace {

PyTypeObject* actor_type = nullptr;

struct NativeActor {
  PyObject_HEAD
  manta_actor* actor;
};

PyObject* NewActor(manta_actor* actor) {
  PyObject* object = PyType_GenericAlloc(actor_type, 0);
  if (object == nullptr) {
    manta_actor_release(actor);
    return nullptr;
  }
  reinterpret_cast<NativeActor*>(object)->actor = actor;
  return object;
}

void Dealloc(PyObject* self) {
  manta_actor* const actor = reinterpret_cast<NativeActor*>(self)->actor;
  if (actor != nullptr) {
    const WithoutInterpreter others;
    manta_actor_release(actor);
  }
  FreeInstance(self);
}

PyObject* Id(PyObject* self, PyObject*) {
  manta_actor_id id;
  manta_actor_get_id(ActorOf(self), &id);
  return Py_BuildValue("(KK)", static_cast<unsigned long long>(id.creator), static_cast<unsigned long long>(id.serial));
}

PyObject* Kill(PyObject* self, PyObject* no_restart) {
  const int final = PyObject_IsTrue(no_restart);
  if (final < 0) return nullptr;
  if (!Succeeds([&] { return manta_actor_kill(ActorOf(self), final); })) return nullptr;
  Py_RETURN_NONE;
}

// To be called while a value that contains the handle is pickled: the actor lives as long as the value.
PyObject* Travel(PyObject* self, PyObject*) {
  manta_ref* const life = manta_actor_lifetime(ActorOf(self));
  if (life == nullptr) Py_RETURN_NONE;
  manta_ref_retain(life);
  RefCollector* const collecting = RefCollector::OfThisThread();
  if (collecting == nullptr) Py_RETURN_NONE;  // carried outside of any value: it lives as long as this process
  Owned ref(NewRef(life));
  if (!ref || !collecting->Add(ref.get())) return nullptr;
  Py_RETURN_NONE;
}

// What whoever created the named actor has told of it; None: nothing, or it has died.
PyObject* DescriptionOf(PyObject* self, PyObject*) {
  manta_blob* told;
  if (!Succeeds([&] { return manta_actor_description(ActorOf(self), &told); })) return nullptr;
  return TakeBytes(told);
}

PyMethodDef methods[] = {{"id", Id, METH_NOARGS, "(creator, serial)"},
                         {"description", DescriptionOf, METH_NOARGS, nullptr},
                         {"kill", Kill, METH_O, nullptr},
                         {"travel", Travel, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(Dealloc)}, {Py_tp_methods, methods}, {0, nullptr}};
PyType_Spec spec = {"manta._manta.NativeActor", sizeof(NativeActor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

PyObject* ImportActor(PyObject*, PyObject* arguments) {
  unsigned long long creator, serial;
  if (!PyArg_ParseTuple(arguments, "KK", &creator, &serial)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("an actor's handle");
  if (runtime == nullptr) return nullptr;
  const manta_actor_id id{creator, serial};
  return NewActor(manta_actor_import(runtime, &id));
}

PyObject* FindActor(PyObject*, PyObject* arguments) {
  const char *name, *space;
  if (!PyArg_ParseTuple(arguments, "sz", &name, &space)) return nullptr;
  manta_runtime* const runtime = RuntimeFor("get_actor");
  if (runtime == nullptr) return nullptr;
  manta_actor* actor;
  if (!Succeeds([&] { return manta_actor_find(runtime, name, space, &actor); })) return nullptr;
  return NewActor(actor);
}

PyMethodDef functions[] = {{"import_actor", ImportActor, METH_VARARGS, nullptr},
                           {"find_actor", FindActor, METH_VARARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

// Attributes of the creation's description.
class Description {
 public:
  explicit Description(PyObject* source) : source_(source) {}
  // nullptr: None, or an exception.
  const char* Text(const char* name) {
    PyObject* value = Get(name);
    if (value == nullptr || value == Py_None) return nullptr;
    const char* text = PyUnicode_AsUTF8(value);
    ok_ = ok_ && text != nullptr;
    return text;
  }
  int32_t Number(const char* name) {
    PyObject* value = Get(name);
    const long number = value == nullptr ? 0 : PyLong_AsLong(value);
    ok_ = ok_ && (number != -1 || PyErr_Occurred() == nullptr);
    return static_cast<int32_t>(number);
  }
  manta_bytes Bytes(const char* name) {
    char* data = nullptr;
    Py_ssize_t size = 0;
    PyObject* value = Get(name);
    ok_ = ok_ && PyBytes_AsStringAndSize(value, &data, &size) == 0;
    return {data, static_cast<size_t>(size)};
  }
  std::vector<std::pair<std::string, double>> Amounts(const char* name) {
    std::vector<std::pair<std::string, double>> amounts;
    PyObject *key, *amount, *value = Get(name);
    Py_ssize_t position = 0;
    while (value != nullptr && PyDict_Next(value, &position, &key, &amount)) {
      const char* text = PyUnicode_AsUTF8(key);
      const double number = PyFloat_AsDouble(amount);
      ok_ = ok_ && text != nullptr && PyErr_Occurred() == nullptr;
      if (ok_) amounts.emplace_back(text, number);
    }
    return amounts;
  }
  bool ok() const { return ok_; }

 private:
  PyObject* Get(const char* name) {
    kept_.emplace_back(PyObject_GetAttrString(source_, name));
    ok_ = ok_ && kept_.back();
    return kept_.back().get();
  }

  PyObject* const source_;
  std::vector<Owned> kept_;
  bool ok_ = true;
};

}  // namespace

manta_actor* ActorOf(PyObject* object) { return reinterpret_cast<NativeActor*>(object)->actor; }

PyObject* CreateActor(manta_runtime* runtime, const manta_task_spec& constructor, PyObject* source) {
  Description description(source);
  manta_actor_options options;
  options.struct_size = sizeof options;
  manta_actor_options_init(&options);
  options.name = description.Text("actor_name");
  options.ray_namespace = description.Text("actor_namespace");
  options.detached = description.Number("detached");
  options.get_if_exists = description.Number("get_if_exists");
  options.max_restarts = description.Number("max_restarts");
  options.max_task_retries = description.Number("max_task_retries");
  options.max_pending_calls = description.Number("max_pending_calls");
  options.max_concurrency = description.Number("max_concurrency");
  options.description = description.Bytes("description");
  const auto groups = description.Amounts("concurrency_groups");
  if (!description.ok()) return nullptr;
  std::vector<manta_resource> given;
  for (const auto& [name, threads] : groups) given.push_back({name.c_str(), threads});
  options.concurrency_groups = given.data();
  options.num_concurrency_groups = given.size();
  manta_actor* actor;
  if (!Succeeds([&] { return manta_actor_create(runtime, &constructor, &options, &actor); })) return nullptr;
  return NewActor(actor);
}

bool AddActorHandle(PyObject* module) {
  actor_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return actor_type != nullptr && PyModule_AddType(module, actor_type) == 0 && PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace manta::python
