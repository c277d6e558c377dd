// Labels of nodes.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Adds the functions to the module. False with an exception.
bool AddLabels(PyObject* module);

}  // namespace manta::python
