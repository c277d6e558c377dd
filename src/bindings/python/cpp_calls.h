// Calls of C++ functions by name, in the process of the Python task that makes them.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

bool AddCppCalls(PyObject* module);

}  // namespace manta::python
