// manta.ObjectRef, and the views of values that keep their object.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

struct ObjectRef {
  PyObject_HEAD
  manta_ref* ref;       // one counted reference
  PyObject* weakrefs;
};

extern PyTypeObject* object_ref_type;

inline bool IsRef(PyObject* object) { return Py_TYPE(object) == object_ref_type; }
inline manta_ref* RefOf(PyObject* object) { return reinterpret_cast<ObjectRef*>(object)->ref; }

// Takes over `ref`, also on failure. nullptr with an exception.
PyObject* NewRef(manta_ref* ref);

// References that are met while a value is pickled on this thread: they belong to the value. Nested use is allowed.
class RefCollector {
 public:
  RefCollector();
  ~RefCollector();
  RefCollector(const RefCollector&) = delete;
  RefCollector& operator=(const RefCollector&) = delete;

  // nullptr outside of any.
  static RefCollector* OfThisThread();
  bool Add(PyObject* ref) { return PyList_Append(refs_.get(), ref) == 0; }
  // Lives as long as this object.
  PyObject* refs() const { return refs_.get(); }

 private:
  Owned refs_;
  RefCollector* const outer_;
};

// A read-only buffer of `size` bytes at `data`, which keeps a reference to the object they lie in. Takes over `ref`.
PyObject* NewView(manta_ref* ref, const void* data, size_t size);

// (buffer): the same bytes in a buffer that may be written without a trace in the object they lie in: its pages, copied when they are written, or a
// copy of what does not lie in shared memory.
PyObject* WritableBuffer(PyObject*, PyObject* given);

// Adds the types to the module. False with an exception.
bool AddObjectRef(PyObject* module);

}  // namespace manta::python
