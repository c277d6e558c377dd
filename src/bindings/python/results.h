// How a call that has run tells of its end.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Writes what a task has returned. False with an exception, which is for FailCall then.
bool WriteResult(manta_call* call, PyObject* result);
// Tells of the exception that is set.
void FailCall(manta_call* call);

}  // namespace manta::python
