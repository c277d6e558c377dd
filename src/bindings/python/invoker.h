// Runs Python functions and methods in workers.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// The code that every Python task names.
const manta_function_id* InvokerId();  // nullptr with an exception

// In a worker, after its fork: the main thread gives the interpreter lock away until a task comes.
void BeginServing();
bool IsServing();
// At a worker's end, unless it was killed: runs what programs have registered with atexit, and writes what Python's standard streams have not
// written yet.
void EndServing();
// Raises KeyboardInterrupt in the task that the main thread runs. On any thread, without the interpreter lock.
void StopTask();

}  // namespace manta::python
