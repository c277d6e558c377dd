// What all of the extension shares: Python's header, owners of references, and the interpreter lock's release.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

#include "bindings/python/stable_abi.h"
#include "manta/manta_c.h"

namespace manta::python {

// Owns one reference, or none.
class Owned {
 public:
  Owned() = default;
  explicit Owned(PyObject* object) : object_(object) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { Py_XDECREF(object_); }

  static Owned Retained(PyObject* object) {
    Py_XINCREF(object);
    return Owned(object);
  }

  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

// The end of a Py_tp_dealloc of a type from a PyType_Spec.
inline void FreeInstance(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
#ifdef Py_LIMITED_API
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(self);
#else
  type->tp_free(self);
#endif
  Py_DECREF(type);
}

// Takes the interpreter lock for a thread that has had it. A thread that asks for it while the interpreter ends never gets it: CPython before
// 3.14 ends such a thread by pthread_exit, which would unwind our frames, and stop the process at the first that is noexcept. It sleeps
// instead, as with 3.14, until the process ends.
inline void TakeInterpreter(PyThreadState* state) noexcept {
  try {
    PyEval_RestoreThread(state);
  } catch (...) {  // only that
    for (;;) pause();
  }
}

// The same for one that has not. Until PyGILState_Release.
inline PyGILState_STATE EnterInterpreter() noexcept {
  try {
    return PyGILState_Ensure();
  } catch (...) {
    for (;;) pause();
  }
}

// Other Python threads run while this lives.
class WithoutInterpreter {
 public:
  WithoutInterpreter() : state_(PyEval_SaveThread()) {}
  ~WithoutInterpreter() { TakeInterpreter(state_); }
  WithoutInterpreter(const WithoutInterpreter&) = delete;
  WithoutInterpreter& operator=(const WithoutInterpreter&) = delete;

  // What `call` gives, with the interpreter held for so long.
  template <class Call>
  auto Back(const Call& call) const {
    TakeInterpreter(state_);
    const auto given = call();
    PyEval_SaveThread();
    return given;
  }

 private:
  PyThreadState* const state_;
};

// The Python functions that the extension calls back, set once by manta._native.connect (interpreter lock).
struct Callbacks {
  PyObject* dumps = nullptr;          // (value) -> (bytes, [buffers])
  PyObject* loads = nullptr;          // (bytes-like, [buffers]) -> value
  PyObject* make_error = nullptr;     // (kind, message, type, stack, payload, id of what it is about or None) -> exception
  PyObject* describe_error = nullptr;  // (exception, the actor that it leaves or None) -> (kind, type, message, traceback, payload)
  PyObject* load_function = nullptr;  // (digest) -> callable
  PyObject* export_caller = nullptr;  // (caller) -> (digest, options, captured references), of this runtime
  PyObject* start_event_loops = nullptr;  // ([Calls]): a thread with a loop for each
  PyObject* run_stream = nullptr;     // (AsyncCall, iterator or asynchronous one, most_ahead) -> coroutine
  PyObject* collect_items = nullptr;  // (iterator) -> DynamicObjectRefGenerator
  PyObject* find_named = nullptr;     // (module, name, whether it is a class) -> callable
  PyObject* prepare_worker = nullptr;  // (): before the worker's first task, again if it has raised
  PyObject* actor_made = nullptr;     // (instance): when its constructor is done
};
Callbacks& TheCallbacks();

// The bytes, or None; frees the blob.
inline PyObject* TakeBytes(manta_blob* blob) {
  if (blob == nullptr) Py_RETURN_NONE;
  const char* const data = static_cast<const char*>(manta_blob_data(blob));
  PyObject* const bytes = PyBytes_FromStringAndSize(data, static_cast<Py_ssize_t>(manta_blob_size(blob)));
  manta_blob_free(blob);
  return bytes;
}

}  // namespace manta::python
