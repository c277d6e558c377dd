// manta.ObjectRefGenerator: the references that a task gives one by one.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Takes over both, also on failure. `completed`: what is there when the task has ended. nullptr with an exception.
PyObject* NewGenerator(manta_stream* stream, manta_ref* completed);

bool AddGenerators(PyObject* module);

}  // namespace manta::python
