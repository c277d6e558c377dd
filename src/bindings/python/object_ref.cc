#include "bindings/python/object_ref.h"

#include <structmember.h>

#include <cstdio>
#include <cstring>

#include "bindings/python/errors.h"

namespace manta::python {

PyTypeObject* object_ref_type = nullptr;

namespace {

PyTypeObject* view_type = nullptr;
PyTypeObject* private_buffer_type = nullptr;
thread_local RefCollector* collector = nullptr;

struct View {
  PyObject_HEAD
  manta_ref* ref;
  const void* data;
  Py_ssize_t size;
};

manta_object_id IdOf(PyObject* self) {
  manta_object_id id;
  manta_ref_id(RefOf(self), &id);
  return id;
}

void Dealloc(PyObject* self) {
  auto* object = reinterpret_cast<ObjectRef*>(self);
  if (object->weakrefs != nullptr) PyObject_ClearWeakRefs(self);
  if (object->ref != nullptr) manta_ref_release(object->ref);
  FreeInstance(self);
}

PyObject* Binary(PyObject* self, PyObject*) {
  const manta_object_id id = IdOf(self);
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&id), sizeof id);
}

PyObject* Hex(PyObject* self, PyObject*) {
  const manta_object_id id = IdOf(self);
  char text[2 * sizeof id + 1];
  const auto* bytes = reinterpret_cast<const unsigned char*>(&id);
  for (size_t i = 0; i < sizeof id; ++i) std::snprintf(text + 2 * i, 3, "%02x", bytes[i]);
  return PyUnicode_FromString(text);
}

PyObject* Repr(PyObject* self) {
  Owned hex(Hex(self, nullptr));
  return hex ? PyUnicode_FromFormat("ObjectRef(%U)", hex.get()) : nullptr;
}

Py_hash_t Hash(PyObject* self) {
  const manta_object_id id = IdOf(self);
  const uint64_t mixed = (id.owner * 0x9E3779B97F4A7C15u) ^ (uint64_t{id.generation} << 32 | id.index);
  const auto hash = static_cast<Py_hash_t>(mixed);
  return hash == -1 ? -2 : hash;
}

PyObject* Compare(PyObject* self, PyObject* other, int operation) {
  if (!IsRef(self) || !IsRef(other) || (operation != Py_EQ && operation != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const manta_object_id a = IdOf(self);
  const manta_object_id b = IdOf(other);
  const bool equal = std::memcmp(&a, &b, sizeof a) == 0;
  return PyBool_FromLong(equal == (operation == Py_EQ));
}

// Inside of a value of ours the reference belongs to the value.
PyObject* Reduce(PyObject* self, PyObject*) {
  RefCollector* const collecting = RefCollector::OfThisThread();
  if (collecting == nullptr) {
    Owned references(PyImport_ImportModule("manta._references"));
    return references ? PyObject_CallMethod(references.get(), "carry", "O", self) : nullptr;
  }
  if (!collecting->Add(self)) return nullptr;
  Owned module(PyImport_ImportModule("manta._manta"));
  Owned import(module ? PyObject_GetAttrString(module.get(), "import_ref") : nullptr);
  if (!import) return nullptr;
  const manta_object_id id = IdOf(self);
  return Py_BuildValue("(O(KII))", import.get(), static_cast<unsigned long long>(id.owner), id.index, id.generation);
}

PyObject* TaskId(PyObject* self, PyObject*) {
  Owned module(PyImport_ImportModule("manta._ids"));
  Owned binary(Binary(self, nullptr));
  return module && binary ? PyObject_CallMethod(module.get(), "TaskID", "O", binary.get()) : nullptr;
}

PyObject* IsNil(PyObject* self, PyObject*) {
  const manta_object_id id = IdOf(self);
  return PyBool_FromLong(id.owner == 0 && id.index == 0 && id.generation == 0);
}

PyObject* CallMixin(PyObject* self, const char* function) {
  Owned module(PyImport_ImportModule("manta._futures"));
  return module ? PyObject_CallMethod(module.get(), function, "O", self) : nullptr;
}
PyObject* Future(PyObject* self, PyObject*) { return CallMixin(self, "future_of"); }
PyObject* Await(PyObject* self) { return CallMixin(self, "await_ref"); }

PyObject* ClassGetItem(PyObject* type, PyObject*) { return Py_NewRef(type); }

PyMethodDef methods[] = {
    {"hex", Hex, METH_NOARGS, "The object's id as 32 hex digits."},
    {"binary", Binary, METH_NOARGS, "The object's id as 16 bytes."},
    {"task_id", TaskId, METH_NOARGS, "The id of the task that makes the object: it is named by its first result."},
    {"is_nil", IsNil, METH_NOARGS, "Whether this is ObjectRef.nil(), which names no object."},
    {"future", Future, METH_NOARGS, "A concurrent.futures.Future of the value."},
    {"__reduce__", Reduce, METH_NOARGS, nullptr},
    {"__class_getitem__", ClassGetItem, METH_O | METH_CLASS, "ObjectRef[T], for type checkers."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(ObjectRef, weakrefs), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(Dealloc)},
                       {Py_tp_repr, reinterpret_cast<void*>(Repr)},
                       {Py_tp_hash, reinterpret_cast<void*>(Hash)},
                       {Py_tp_richcompare, reinterpret_cast<void*>(Compare)},
                       {Py_am_await, reinterpret_cast<void*>(Await)},
                       {Py_tp_methods, methods},
                       {Py_tp_members, members},
                       {Py_tp_doc, const_cast<char*>("A reference to a value that may not be there yet.")},
                       {0, nullptr}};

PyType_Spec spec = {"manta.ObjectRef", sizeof(ObjectRef), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

// ---- Views

void DeallocView(PyObject* self) {
  manta_ref_release(reinterpret_cast<View*>(self)->ref);
  FreeInstance(self);
}

int GetBuffer(PyObject* self, Py_buffer* buffer, int flags) {
  auto* view = reinterpret_cast<View*>(self);
  return PyBuffer_FillInfo(buffer, self, const_cast<void*>(view->data), view->size, 1, flags);
}

// ---- Private buffers

struct PrivateBuffer {
  PyObject_HEAD
  manta_ref* ref;
  void* data;
  Py_ssize_t size;
};

void DeallocPrivateBuffer(PyObject* self) {
  auto* buffer = reinterpret_cast<PrivateBuffer*>(self);
  if (buffer->data != nullptr) manta_copy_on_write_end(buffer->data, static_cast<size_t>(buffer->size));
  if (buffer->ref != nullptr) manta_ref_release(buffer->ref);
  FreeInstance(self);
}

int GetPrivateBuffer(PyObject* self, Py_buffer* out, int flags) {
  auto* buffer = reinterpret_cast<PrivateBuffer*>(self);
  return PyBuffer_FillInfo(out, self, buffer->data, buffer->size, 0, flags);
}

PyType_Slot private_buffer_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocPrivateBuffer)},
                                      {Py_bf_getbuffer, reinterpret_cast<void*>(GetPrivateBuffer)},
                                      {0, nullptr}};
PyType_Spec private_buffer_spec = {"manta._manta.PrivateBuffer", sizeof(PrivateBuffer), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, private_buffer_slots};

PyType_Slot view_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocView)},
                            {Py_bf_getbuffer, reinterpret_cast<void*>(GetBuffer)},
                            {0, nullptr}};
PyType_Spec view_spec = {"manta._manta.View", sizeof(View), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                         view_slots};

}  // namespace

PyObject* NewRef(manta_ref* ref) {
  PyObject* object = PyType_GenericAlloc(object_ref_type, 0);
  if (object == nullptr) {
    manta_ref_release(ref);
    return nullptr;
  }
  reinterpret_cast<ObjectRef*>(object)->ref = ref;
  return object;
}

RefCollector::RefCollector() : refs_(PyList_New(0)), outer_(std::exchange(collector, this)) {}
RefCollector::~RefCollector() { collector = outer_; }
RefCollector* RefCollector::OfThisThread() { return collector; }

PyObject* NewView(manta_ref* ref, const void* data, size_t size) {
  PyObject* object = PyType_GenericAlloc(view_type, 0);
  if (object == nullptr) {
    manta_ref_release(ref);
    return nullptr;
  }
  auto* view = reinterpret_cast<View*>(object);
  view->ref = ref;
  view->data = data;
  view->size = static_cast<Py_ssize_t>(size);
  return object;
}

PyObject* WritableBuffer(PyObject*, PyObject* given) {
  if (Py_TYPE(given) == view_type) {
    const auto* view = reinterpret_cast<View*>(given);
    void* data;
    if (!Accepts(manta_copy_on_write(view->ref, view->data, static_cast<size_t>(view->size), &data))) return nullptr;
    if (data != nullptr) {
      PyObject* const object = PyType_GenericAlloc(private_buffer_type, 0);
      if (object == nullptr) return manta_copy_on_write_end(data, static_cast<size_t>(view->size)), nullptr;
      auto* buffer = reinterpret_cast<PrivateBuffer*>(object);
      manta_ref_retain(buffer->ref = view->ref);
      buffer->data = data;
      buffer->size = view->size;
      return object;
    }
  }
  return PyByteArray_FromObject(given);
}

bool AddObjectRef(PyObject* module) {
  private_buffer_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&private_buffer_spec));
  object_ref_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  view_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&view_spec));
  return object_ref_type != nullptr && view_type != nullptr && private_buffer_type != nullptr && PyModule_AddType(module, object_ref_type) == 0;
}

}  // namespace manta::python
