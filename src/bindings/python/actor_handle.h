// What an actor's handle holds natively.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// The actor of a NativeActor.
manta_actor* ActorOf(PyObject* object);

// Creates an actor; `source` has its options as attributes (manta.actor). A NativeActor, or nullptr with an exception.
PyObject* CreateActor(manta_runtime* runtime, const manta_task_spec& constructor, PyObject* source);

bool AddActorHandle(PyObject* module);

}  // namespace manta::python
