// manta._manta's functions for placement groups.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

bool AddPlacementGroups(PyObject* module);

}  // namespace manta::python
