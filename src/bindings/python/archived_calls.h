// Calls of Python by other languages (include/manta/python.h): what is called is told by name, and arguments and result are archives of
// C++ types. Interpreter lock.
#pragma once

#include <string>
#include <vector>

#include "bindings/python/callers.h"
#include "bindings/python/py.h"

namespace manta::python {

struct ArchivedCall {
  CallKind kind = CallKind::kFunction;
  Owned callable;
  std::vector<Owned> arguments;
  std::string result;  // how it is encoded (include/manta/detail/schema.h)
};

// False with an exception.
bool ReadArchivedCall(const manta_call* call, ArchivedCall* out);
// False with an exception.
bool WriteArchivedResult(manta_call* call, const std::string& schema, PyObject* result);

}  // namespace manta::python
