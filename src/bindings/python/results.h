// How a call that has run tells of its end.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Writes what a task has returned. False with an exception, which is for FailCall then.
bool WriteResult(manta_call* call, PyObject* result);
// Sends `value` as an item of the caller's stream (manta_call_ops.emit); without the interpreter lock where it waits. -1 with an exception,
// which is for FailCall then, or without one when the call has failed already, or nobody is there any more.
int EmitItem(manta_call* call, PyObject* value, uint32_t most_ahead);
// Tells of the exception that is set.
void FailCall(manta_call* call);

}  // namespace manta::python
