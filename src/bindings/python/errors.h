// Errors of the C interface as Python's exceptions.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// Sets the exception for `error` and frees it. Always returns nullptr.
PyObject* Raise(manta_error* error);

// False with the exception set, and the error freed, if there is one.
inline bool Accepts(manta_error* error) {
  if (error != nullptr) Raise(error);
  return error == nullptr;
}

// The same for what `call` gives, which may wait: other Python threads run meanwhile.
template <class Call>
bool Succeeds(const Call& call) {
  manta_error* error;
  {
    const WithoutInterpreter others;
    error = call();
  }
  return Accepts(error);
}

// The runtime of this process; nullptr with an exception set when there is none, after an attempt to connect as Ray does at a first use.
manta_runtime* RuntimeFor(const char* what);

}  // namespace manta::python
