// Actors with coroutines as methods: their calls run on event loops, many at a time on one thread.
#pragma once

#include <string>

#include "bindings/python/py.h"

namespace manta::python {

// Of the constructor's call: if `instance` says that it wants event loops (__manta_event_loops__, the names of concurrency groups), starts
// them. False with an exception.
bool ServeCalls(manta_call* call, PyObject* instance);

// Whether the calling thread runs calls from its event loop, with the interpreter lock.
bool OnEventLoop();
// Whether what a method has returned on an event loop goes on there.
bool IsAsync(PyObject* result);
// Lets the call go on with `coroutine`; if `most_ahead` is given, with what sends the items of that iterator, asynchronous or not; if
// `schema` is given, its result is archived by that (archived_calls.h).
void BeginAsync(manta_call* call, PyObject* coroutine, const uint32_t* most_ahead, const std::string* schema);

bool AddAsyncCalls(PyObject* module);

}  // namespace manta::python
