// References whose values an event loop waits for.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Of a ReadyQueue; nullptr for None.
manta_ready_queue* ReadyQueueOf(PyObject* queue);

bool AddReadyQueue(PyObject* module);

}  // namespace manta::python
