#include "bindings/python/errors.h"

#include <cstring>
#include <iterator>

namespace manta::python {
namespace {

// Bytes that are no UTF-8 (a C++ program's) are replaced.
PyObject* Text(const char* text) {
  return PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "replace");
}

template <class Id>
PyObject* BytesOf(const Id& id) {
  return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&id), sizeof id);
}

}  // namespace

Callbacks& TheCallbacks() {
  static Callbacks callbacks;
  return callbacks;
}

PyObject* Raise(manta_error* error) {
  const manta_bytes payload = manta_error_payload(error);
  Owned kind(PyLong_FromLong(manta_error_get_kind(error)));
  Owned message(Text(manta_error_message(error)));
  Owned type(Text(manta_error_type_name(error)));
  Owned stack(Text(manta_error_stack(error)));
  Owned bytes(PyBytes_FromStringAndSize(static_cast<const char*>(payload.data), static_cast<Py_ssize_t>(payload.size)));
  const manta_actor_id actor = manta_error_actor(error);
  const manta_object_id task = manta_error_task(error);
  Owned about(actor.creator != 0 ? BytesOf(actor) : task.owner != 0 ? BytesOf(task) : Py_NewRef(Py_None));
  manta_error_free(error);
  if (!kind || !message || !type || !stack || !bytes || !about) return nullptr;
  PyObject* arguments[] = {kind.get(), message.get(), type.get(), stack.get(), bytes.get(), about.get()};
  Owned exception(PyObject_Vectorcall(TheCallbacks().make_error, arguments, std::size(arguments), nullptr));
  if (exception) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
  return nullptr;
}

manta_runtime* RuntimeFor(const char* what) {
  if (manta_runtime* runtime = manta_current()) return runtime;
  Owned module(PyImport_ImportModule("manta._session"));
  Owned connected(module ? PyObject_CallMethod(module.get(), "auto_init", nullptr) : nullptr);
  if (!connected) return nullptr;
  manta_runtime* runtime = manta_current();
  if (runtime == nullptr) Raise(manta_not_initialized_error(what));
  return runtime;
}

}  // namespace manta::python
