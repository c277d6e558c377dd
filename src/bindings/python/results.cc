#include "bindings/python/results.h"

#include "bindings/python/encoding.h"
#include "bindings/python/errors.h"

namespace manta::python {
namespace {

bool WriteOne(manta_call* call, uint32_t index, PyObject* value) {
  Encoder encoder;
  if (!encoder.Encode(value)) return false;
  if (call->num_results == 1 && encoder.nested().empty() && encoder.size() <= call->inline_capacity) {
    encoder.WriteTo(call->inline_result);
    call->inline_size = encoder.size();
    return true;
  }
  void* space;
  {
    const WithoutInterpreter others;  // it may wait for room
    space = call->ops->allocate_result(call, index, encoder.size(), encoder.nested().data(), encoder.nested().size());
  }
  if (space != nullptr) encoder.WriteTo(space);  // else the failure is on record
  return true;
}

// A list of at most so many.
PyObject* FirstOf(PyObject* generator, uint32_t count) {
  Owned list(PyList_New(0));
  while (list && static_cast<uint32_t>(PyList_GET_SIZE(list.get())) < count) {
    Owned item(PyIter_Next(generator));
    if (!item) break;
    if (PyList_Append(list.get(), item.get()) != 0) return nullptr;
  }
  return PyErr_Occurred() != nullptr ? nullptr : list.release();
}

}  // namespace

bool WriteResult(manta_call* call, PyObject* result) {
  if (call->num_results == 0) return true;
  if (call->num_results == 1) return WriteOne(call, 0, result);
  // A generator may have more, even without end.
  Owned taken(PyGen_CheckExact(result) != 0 ? FirstOf(result, call->num_results) : Py_NewRef(result));
  if (!taken) return false;
  Owned items(PySequence_Fast(taken.get(), "a task with several results (num_returns) has to return a sequence of them"));
  if (!items) return false;
  if (static_cast<uint32_t>(PySequence_Fast_GET_SIZE(items.get())) != call->num_results) {
    PyErr_Format(PyExc_ValueError, "the task has returned %zd values, and num_returns is %u", PySequence_Fast_GET_SIZE(items.get()),
                 call->num_results);
    return false;
  }
  for (uint32_t i = 0; i < call->num_results; ++i) {
    if (!WriteOne(call, i, PySequence_Fast_GET_ITEM(items.get(), i))) return false;
  }
  return true;
}

int EmitItem(manta_call* call, PyObject* value, uint32_t most_ahead) {
  if (value != nullptr && !WriteOne(call, 0, value)) return -1;
  int sent;
  {
    const WithoutInterpreter others;
    sent = call->ops->emit(call, most_ahead);
  }
  if (sent != 0) return sent;
  manta_context context;
  context.struct_size = sizeof context;
  if (PyErr_CheckSignals() == 0 && Accepts(manta_context_get(call->runtime, &context)) && context.is_cancelled != 0) {
    PyErr_SetNone(PyExc_KeyboardInterrupt);
  }
  return -1;
}

void FailCall(manta_call* call) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) PyException_SetTraceback(value, traceback);
  const Owned owners[] = {Owned(type), Owned(value), Owned(traceback)};
  PyObject* const actor = call->actor != nullptr ? static_cast<PyObject*>(call->actor) : Py_None;
  Owned told(PyObject_CallFunctionObjArgs(TheCallbacks().describe_error, value, actor, nullptr));
  const char *name, *message, *stack, *payload;
  Py_ssize_t payload_size;
  int kind;
  if (!told || !PyArg_ParseTuple(told.get(), "isssy#", &kind, &name, &message, &stack, &payload, &payload_size)) {
    PyErr_Clear();
    const Owned type_name(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(value)), "__name__"));
    const char* const text = type_name ? PyUnicode_AsUTF8(type_name.get()) : nullptr;
    PyErr_Clear();
    const manta_failure failure{MANTA_ERROR_TASK, text != nullptr ? text : "exception", "the exception cannot be described"};
    return call->ops->fail(call, &failure);
  }
  const manta_failure failure{static_cast<manta_error_kind>(kind), name, message};
  call->ops->fail_with(call, &failure, stack, {payload, static_cast<size_t>(payload_size)});
}

}  // namespace manta::python
