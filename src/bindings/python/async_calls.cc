#include "bindings/python/async_calls.h"

#include <cmath>

#include "bindings/python/archived_calls.h"
#include "bindings/python/errors.h"
#include "bindings/python/ready_queue.h"
#include "bindings/python/results.h"

namespace manta::python {
namespace {

PyTypeObject* calls_type = nullptr;
PyTypeObject* call_type = nullptr;
// (coroutine) -> asyncio.Task, of the loop that runs calls on this thread; borrowed.
thread_local PyObject* create_task = nullptr;

// ---- One call

// A coroutine around the method's: each step of it belongs to the call, and its end is the call's.
struct AsyncCall {
  PyObject_HEAD
  manta_call* call;  // nullptr: it has ended
  PyObject* coroutine;
  PyObject* task;    // what asyncio runs it in
  std::string* schema;  // by which its result is archived; nullptr: it is Python's
};

AsyncCall* Of(PyObject* self) { return reinterpret_cast<AsyncCall*>(self); }

// With its result, or the exception that is set if there is none.
void End(AsyncCall* self, PyObject* result) {
  manta_call* const call = std::exchange(self->call, nullptr);
  Py_CLEAR(self->task);
  if (call == nullptr) return PyErr_Clear();
  call->ops->resume(call);
  const auto write = [&] { return self->schema != nullptr ? WriteArchivedResult(call, *self->schema, result) : WriteResult(call, result); };
  if (result == nullptr || !write()) FailCall(call);
  call->ops->suspend(call);
  Py_CLEAR(self->coroutine);
  if (call->inline_size > 0) return call->ops->finish(call);
  const WithoutInterpreter others;  // it may wait for room
  call->ops->finish(call);
}

// What asyncio gets to know of a step that came to `status`; the failure of the method is no failure of the loop.
PySendResult After(AsyncCall* self, PySendResult status, PyObject** result) {
  if (status == PYGEN_NEXT) return status;
  Owned value(*result);
  End(self, status == PYGEN_RETURN ? value.get() : nullptr);
  *result = Py_NewRef(Py_None);
  return PYGEN_RETURN;
}

// nullptr with an exception when it has ended.
manta_call* CallThatGoesOn(AsyncCall* self) {
  if (self->call == nullptr) PyErr_SetString(PyExc_RuntimeError, "the call has ended already");
  return self->call;
}

// Nobody will take another step of it.
void Abandon(AsyncCall* self) {
  if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_RuntimeError, "the actor's event loop ended before the call did");
  End(self, nullptr);
}

PySendResult SendTo(PyObject* object, PyObject* value, PyObject** result) {
  AsyncCall* const self = Of(object);
  *result = nullptr;
  manta_call* const call = CallThatGoesOn(self);
  if (call == nullptr) return PYGEN_ERROR;
  call->ops->resume(call);
  const PySendResult status = PyIter_Send(self->coroutine, value, result);
  call->ops->suspend(call);
  return After(self, status, result);
}

// As a method: what it yields, or StopIteration.
PyObject* Yielded(PySendResult status, PyObject* result) {
  if (status == PYGEN_NEXT) return result;
  if (status == PYGEN_RETURN) {
    Py_XDECREF(result);
    PyErr_SetNone(PyExc_StopIteration);
  }
  return nullptr;
}

PyObject* Send(PyObject* self, PyObject* value) {
  PyObject* result;
  const PySendResult status = SendTo(self, value, &result);
  return Yielded(status, result);
}

PyObject* Next(PyObject* self) { return Send(self, Py_None); }

PyObject* Throw(PyObject* object, PyObject* arguments) {
  AsyncCall* const self = Of(object);
  manta_call* const call = CallThatGoesOn(self);
  if (call == nullptr) return nullptr;
  Owned method(PyObject_GetAttrString(self->coroutine, "throw"));
  if (!method) return nullptr;
  call->ops->resume(call);
  PyObject* result = PyObject_CallObject(method.get(), arguments);
  call->ops->suspend(call);
  PySendResult status = PYGEN_NEXT;
  if (result == nullptr) {
    status = PYGEN_ERROR;
    if (PyErr_ExceptionMatches(PyExc_StopIteration) != 0) {
      PyObject *type, *value, *traceback;
      PyErr_Fetch(&type, &value, &traceback);
      PyErr_NormalizeException(&type, &value, &traceback);
      result = PyObject_GetAttrString(value, "value");
      Py_XDECREF(type);
      Py_XDECREF(value);
      Py_XDECREF(traceback);
      status = result == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
    }
  }
  return Yielded(After(self, status, &result), result);
}

PyObject* Close(PyObject* object, PyObject*) {
  AsyncCall* const self = Of(object);
  if (self->call == nullptr) Py_RETURN_NONE;
  Owned closed(PyObject_CallMethod(self->coroutine, "close", nullptr));
  Abandon(self);
  Py_RETURN_NONE;
}

// emit(most_ahead[, value]), in a step of the call: False: nothing more now; ask again, without a value
PyObject* Emit(PyObject* object, PyObject* arguments) {
  PyObject* value = nullptr;
  unsigned most_ahead;
  if (!PyArg_ParseTuple(arguments, "I|O", &most_ahead, &value)) return nullptr;
  manta_call* const call = CallThatGoesOn(Of(object));
  if (call == nullptr) return nullptr;
  const int sent = EmitItem(call, value, most_ahead);
  if (sent < 0 && PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_RuntimeError, "the item could not be sent");
  return sent < 0 ? nullptr : PyBool_FromLong(sent == 1);
}

PyObject* Self(PyObject* self) { return Py_NewRef(self); }
PyObject* Awaited(PyObject* self, PyObject*) { return Py_NewRef(self); }

int Traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(Of(object)->coroutine);
  Py_VISIT(Of(object)->task);
  return 0;
}
int Clear(PyObject* object) {
  Py_CLEAR(Of(object)->coroutine);
  Py_CLEAR(Of(object)->task);
  return 0;
}

void DeallocCall(PyObject* object) {
  PyObject_GC_UnTrack(object);
  if (Of(object)->call != nullptr) {
    PyObject *type, *value, *traceback;  // of whoever lets go of it
    PyErr_Fetch(&type, &value, &traceback);
    Abandon(Of(object));
    PyErr_Restore(type, value, traceback);
  }
  Clear(object);
  delete Of(object)->schema;
  FreeInstance(object);
}

PyMethodDef call_methods[] = {{"send", Send, METH_O, nullptr},
                              {"throw", Throw, METH_VARARGS, nullptr},
                              {"close", Close, METH_NOARGS, nullptr},
                              {"emit", Emit, METH_VARARGS, nullptr},
                              {"__await__", Awaited, METH_NOARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};
PyType_Slot call_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocCall)},
                            {Py_tp_traverse, reinterpret_cast<void*>(Traverse)},
                            {Py_tp_clear, reinterpret_cast<void*>(Clear)},
                            {Py_tp_iter, reinterpret_cast<void*>(Self)},
                            {Py_tp_iternext, reinterpret_cast<void*>(Next)},
                            {Py_am_send, reinterpret_cast<void*>(SendTo)},
                            {Py_tp_methods, call_methods},
                            {0, nullptr}};
PyType_Spec call_spec = {"manta._manta.AsyncCall", sizeof(AsyncCall), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_GC, call_slots};

// Its owner wants it to stop: where it waits it gets asyncio.CancelledError.
void CancelCall(void* data) {
  PyObject* const task = static_cast<AsyncCall*>(data)->task;
  if (task == nullptr) return;
  Owned done(PyObject_CallMethod(task, "cancel", nullptr));
  if (!done) PyErr_WriteUnraisable(task);
}

// ---- The calls of a concurrency group

struct Calls {
  PyObject_HEAD
  manta_calls* calls;
};

manta_calls* CallsOf(PyObject* self) { return reinterpret_cast<Calls*>(self)->calls; }

PyObject* FileNumber(PyObject* self, PyObject*) { return PyLong_FromLong(manta_calls_fd(CallsOf(self))); }

// run(most, create_task) -> how many
PyObject* RunCalls(PyObject* self, PyObject* arguments) {
  Py_ssize_t most;
  PyObject* create;
  if (!PyArg_ParseTuple(arguments, "nO", &most, &create)) return nullptr;
  PyObject* const outer = std::exchange(create_task, create);
  const size_t count = manta_calls_run(CallsOf(self), static_cast<size_t>(most), CancelCall);
  create_task = outer;
  return PyLong_FromSize_t(count);
}

// wait(ready queue, seconds or None) -> whether there is anything; if not, the descriptor tells
PyObject* AwaitCalls(PyObject* self, PyObject* arguments) {
  PyObject *queue, *timeout;
  if (!PyArg_ParseTuple(arguments, "OO", &queue, &timeout)) return nullptr;
  const double seconds = timeout == Py_None ? -1 : PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred() != nullptr) return nullptr;
  manta_ready_queue* const ready = ReadyQueueOf(queue);
  const int64_t limit = seconds < 0 ? -1 : static_cast<int64_t>(std::fmin(seconds, 1) * 1e9);
  int any;
  {
    const WithoutInterpreter others;
    any = manta_calls_await(CallsOf(self), ready, limit);
  }
  return PyBool_FromLong(any);
}

void DeallocCalls(PyObject* self) {
  FreeInstance(self);
}

PyMethodDef calls_methods[] = {{"fileno", FileNumber, METH_NOARGS, nullptr},
                               {"run", RunCalls, METH_VARARGS, nullptr},
                               {"wait", AwaitCalls, METH_VARARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot calls_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(DeallocCalls)}, {Py_tp_methods, calls_methods}, {0, nullptr}};
PyType_Spec calls_spec = {"manta._manta.Calls", sizeof(Calls), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, calls_slots};

}  // namespace

bool ServeCalls(manta_call* call, PyObject* instance) {
  PyObject* const type = reinterpret_cast<PyObject*>(Py_TYPE(instance));
  if (PyObject_HasAttrString(type, "__manta_event_loops__") == 0) return true;
  Owned names(PyObject_GetAttrString(type, "__manta_event_loops__"));
  Owned list(names ? PySequence_Fast(names.get(), "names of concurrency groups") : nullptr);
  Owned loops(PyList_New(0));
  if (!list || !loops) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
    PyObject* const name = PySequence_Fast_GET_ITEM(list.get(), i);
    const char* const text = name == Py_None ? nullptr : PyUnicode_AsUTF8(name);
    if (name != Py_None && text == nullptr) return false;
    manta_calls* const calls = call->ops->serve(call, text);
    if (calls == nullptr) {
      PyErr_Format(PyExc_RuntimeError, "the actor has no concurrency group %R", name);
      return false;
    }
    Owned served(PyType_GenericAlloc(calls_type, 0));
    if (!served) return false;
    reinterpret_cast<Calls*>(served.get())->calls = calls;
    if (PyList_Append(loops.get(), served.get()) != 0) return false;
  }
  return Owned(PyObject_CallOneArg(TheCallbacks().start_event_loops, loops.get())).get() != nullptr;
}

bool OnEventLoop() { return create_task != nullptr; }

bool IsAsync(PyObject* result) { return create_task != nullptr && PyCoro_CheckExact(result) != 0; }

void BeginAsync(manta_call* call, PyObject* coroutine, const uint32_t* most_ahead, const std::string* schema) {
  PyObject* const object = PyType_GenericAlloc(call_type, 0);
  Owned owner(object);
  if (object == nullptr) return FailCall(call);
  AsyncCall* const self = Of(object);
  if (schema != nullptr) self->schema = new std::string(*schema);
  if (most_ahead == nullptr) {
    self->coroutine = Py_NewRef(coroutine);
  } else {
    Owned most(PyLong_FromUnsignedLong(*most_ahead));
    self->coroutine = PyObject_CallFunctionObjArgs(TheCallbacks().run_stream, object, coroutine, most.get(), nullptr);
    if (self->coroutine == nullptr) return FailCall(call);
  }
  if (call->ops->defer(call, self) == 0) {
    PyErr_SetString(PyExc_RuntimeError, "a coroutine cannot run here");
    return FailCall(call);
  }
  self->call = call;
  self->task = PyObject_CallOneArg(create_task, object);
  if (self->task == nullptr) End(self, nullptr);
}

bool AddAsyncCalls(PyObject*) {
  calls_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&calls_spec));
  call_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&call_spec));
  return calls_type != nullptr && call_type != nullptr;
}

}  // namespace manta::python
