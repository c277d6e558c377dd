// Errors of the C interface as Python's exceptions.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Sets the exception for `error` and frees it. Always returns nullptr.
PyObject* Raise(manta_error* error);

// The runtime of this process; nullptr with an exception set when there is none, after an attempt to connect as Ray does at a first use.
manta_runtime* RuntimeFor(const char* what);

}  // namespace manta::python
