#include "bindings/python/ready_queue.h"

#include "bindings/python/errors.h"
#include "bindings/python/object_ref.h"

namespace manta::python {
namespace {

PyTypeObject* queue_type = nullptr;

struct ReadyQueue {
  PyObject_HEAD
  manta_ready_queue* queue;
  uint64_t runtime;     // its serial
  PyObject* waiting;    // dict: the entries (ref, what) that are outstanding, by their addresses, which are the tags
};

ReadyQueue* Of(PyObject* self) { return reinterpret_cast<ReadyQueue*>(self); }

PyObject* New(PyTypeObject* type, PyObject*, PyObject*) {
  manta_runtime* const runtime = RuntimeFor("waiting in an event loop");
  if (runtime == nullptr) return nullptr;
  Owned self(PyType_GenericAlloc(type, 0));
  if (!self) return nullptr;
  Of(self.get())->waiting = PyDict_New();
  if (Of(self.get())->waiting == nullptr) return nullptr;
  if (!Accepts(manta_ready_queue_new(runtime, &Of(self.get())->queue))) return nullptr;
  Of(self.get())->runtime = manta_runtime_serial(runtime);
  return self.release();
}

void Dealloc(PyObject* self) {
  manta_ready_queue_free(Of(self)->queue);
  Py_CLEAR(Of(self)->waiting);
  FreeInstance(self);
}

PyObject* FileNumber(PyObject* self, PyObject*) { return PyLong_FromLong(manta_ready_queue_fd(Of(self)->queue)); }

// Whether it belongs to the runtime that there is now.
PyObject* IsCurrent(PyObject* self, PyObject*) {
  manta_runtime* const runtime = manta_current();
  return PyBool_FromLong(runtime != nullptr && manta_runtime_serial(runtime) == Of(self)->runtime);
}

// add(ref, what): take will give (ref, what) once there is a value
PyObject* Add(PyObject* self, PyObject* arguments) {
  PyObject *ref, *what;
  if (!PyArg_ParseTuple(arguments, "O!O", object_ref_type, &ref, &what)) return nullptr;
  Owned entry(PyTuple_Pack(2, ref, what));
  Owned key(entry ? PyLong_FromVoidPtr(entry.get()) : nullptr);
  if (!key || PyDict_SetItem(Of(self)->waiting, key.get(), entry.get()) != 0) return nullptr;
  if (!Accepts(manta_ready_queue_add(Of(self)->queue, RefOf(ref), reinterpret_cast<uint64_t>(entry.get())))) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyDict_DelItem(Of(self)->waiting, key.get());
    PyErr_Restore(type, value, traceback);
    return nullptr;
  }
  Py_RETURN_NONE;
}

// take() -> [(ref, what)] whose values are there
PyObject* Take(PyObject* self, PyObject*) {
  Owned list(PyList_New(0));
  uint64_t tags[256];
  for (size_t count; list && (count = manta_ready_queue_take(Of(self)->queue, tags, 256)) > 0;) {
    for (size_t i = 0; i < count; ++i) {
      auto* const entry = reinterpret_cast<PyObject*>(tags[i]);
      Owned key(PyLong_FromVoidPtr(entry));
      if (!key || PyList_Append(list.get(), entry) != 0 || PyDict_DelItem(Of(self)->waiting, key.get()) != 0) return nullptr;
    }
  }
  return list.release();
}

PyMethodDef methods[] = {{"fileno", FileNumber, METH_NOARGS, nullptr},
                         {"is_current", IsCurrent, METH_NOARGS, nullptr},
                         {"add", Add, METH_VARARGS, nullptr},
                         {"take", Take, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(New)}, {Py_tp_dealloc, reinterpret_cast<void*>(Dealloc)}, {Py_tp_methods, methods}, {0, nullptr}};
PyType_Spec spec = {"manta._manta.ReadyQueue", sizeof(ReadyQueue), 0, Py_TPFLAGS_DEFAULT, slots};

}  // namespace

manta_ready_queue* ReadyQueueOf(PyObject* queue) { return Py_IS_TYPE(queue, queue_type) ? Of(queue)->queue : nullptr; }

bool AddReadyQueue(PyObject* module) {
  queue_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return queue_type != nullptr && PyModule_AddType(module, queue_type) == 0;
}

}  // namespace manta::python
