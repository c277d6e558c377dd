#include "bindings/python/generators.h"

#include <structmember.h>

#include "bindings/python/errors.h"
#include "bindings/python/object_ref.h"
#include "bindings/python/waiting.h"

namespace manta::python {
namespace {

PyTypeObject* generator_type = nullptr;

struct Generator {
  PyObject_HEAD
  manta_stream* stream;
  PyObject* completed;  // an ObjectRef
  PyObject* weakrefs;
};

Generator* Of(PyObject* self) { return reinterpret_cast<Generator*>(self); }

void Dealloc(PyObject* self) {
  if (Of(self)->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  manta_stream_free(Of(self)->stream);
  Py_CLEAR(Of(self)->completed);
  FreeInstance(self);
}

// Whether `ref` has a value or has failed. False with an exception, or if it is not there after `limit`.
bool IsThere(manta_ref* ref, int64_t limit) {
  manta_runtime* const runtime = RuntimeFor("next");
  if (runtime == nullptr) return false;
  uint8_t ready = 0;
  manta_error* error = manta_wait(runtime, &ref, 1, 1, 0, &ready);
  const auto look = [&](int64_t slice) {
    error = manta_wait(runtime, &ref, 1, 1, slice, &ready);
    return error != nullptr || ready != 0;
  };
  if (error == nullptr && ready == 0 && limit != 0 && !InSlices(limit, look)) return false;
  return Accepts(error) && ready != 0;
}

// nullptr without an exception at the end.
PyObject* Next(PyObject* self) {
  manta_ref* const item = manta_stream_peek(Of(self)->stream);
  if (IsThere(item, -1) && manta_stream_advance(Of(self)->stream) != 0) return NewRef(item);
  manta_ref_release(item);
  return nullptr;
}

PyObject* Self(PyObject* self) { return Py_NewRef(self); }

// The next item, that may not be there yet, without taking it.
PyObject* Peek(PyObject* self, PyObject*) { return NewRef(manta_stream_peek(Of(self)->stream)); }

// Takes the item that was there; False: there was none, this is the end.
PyObject* Advance(PyObject* self, PyObject*) { return PyBool_FromLong(manta_stream_advance(Of(self)->stream)); }

PyObject* Completed(PyObject* self, PyObject*) { return Py_NewRef(Of(self)->completed); }

PyObject* NextReady(PyObject* self, PyObject*) {
  manta_ref* const item = manta_stream_peek(Of(self)->stream);
  const bool there = IsThere(item, 0);
  manta_ref_release(item);
  return PyErr_Occurred() != nullptr ? nullptr : PyBool_FromLong(there);
}

PyObject* InPython(const char* function, PyObject* self) {
  Owned module(PyImport_ImportModule("manta._generators"));
  return module ? PyObject_CallMethod(module.get(), function, "O", self) : nullptr;
}
PyObject* AsyncNext(PyObject* self) { return InPython("next_of", self); }
PyObject* IsFinished(PyObject* self, PyObject*) { return InPython("is_finished", self); }

PyObject* Repr(PyObject* self) { return PyUnicode_FromFormat("ObjectRefGenerator(%R)", Of(self)->completed); }

PyObject* Reduce(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError,
                  "an ObjectRefGenerator stays where it was made: it cannot be pickled, put, or passed to a task; pass the references that it gives.");
  return nullptr;
}

PyMethodDef methods[] = {{"completed", Completed, METH_NOARGS, "A reference that is there when the task has ended."},
                         {"next_ready", NextReady, METH_NOARGS, "Whether the next item is there, or the end."},
                         {"is_finished", IsFinished, METH_NOARGS, "Whether the task has ended and all items were taken."},
                         {"_peek", Peek, METH_NOARGS, nullptr},
                         {"_advance", Advance, METH_NOARGS, nullptr},
                         {"__reduce__", Reduce, METH_NOARGS, nullptr},
                         {nullptr, nullptr, 0, nullptr}};
PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(Generator, weakrefs), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(Dealloc)},
                       {Py_tp_repr, reinterpret_cast<void*>(Repr)},
                       {Py_tp_iter, reinterpret_cast<void*>(Self)},
                       {Py_tp_iternext, reinterpret_cast<void*>(Next)},
                       {Py_am_aiter, reinterpret_cast<void*>(Self)},
                       {Py_am_anext, reinterpret_cast<void*>(AsyncNext)},
                       {Py_tp_methods, methods},
                       {Py_tp_members, members},
                       {Py_tp_doc, const_cast<char*>("The references of what a task gives one by one, while it runs. For one thread at a time.")},
                       {0, nullptr}};
PyType_Spec spec = {"manta.ObjectRefGenerator", sizeof(Generator), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

PyObject* NewGenerator(manta_stream* stream, manta_ref* completed) {
  Owned ref(NewRef(completed));
  PyObject* const object = ref ? PyType_GenericAlloc(generator_type, 0) : nullptr;
  if (object == nullptr) return manta_stream_free(stream), nullptr;
  Of(object)->stream = stream;
  Of(object)->completed = ref.release();
  return object;
}

bool AddGenerators(PyObject* module) {
  generator_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  return generator_type != nullptr && PyModule_AddType(module, generator_type) == 0;
}

}  // namespace manta::python
