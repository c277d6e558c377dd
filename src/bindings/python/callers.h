// What `.remote` is: hand-written types with vector calls for functions, classes and methods.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// How a call's descriptor begins.
enum class CallKind : uint8_t { kFunction = 0, kConstructor = 1, kMethod = 2 };

struct CallHeader {
  static constexpr uint8_t kArgumentsInObject = 1;  // the last dependency holds them

  CallKind kind;
  uint8_t flags;
  uint16_t name_bytes;   // of a method: its name follows
  uint8_t digest[16];    // of a function or class: what it was exported under
};
static_assert(sizeof(CallHeader) == 20);

bool AddCallers(PyObject* module);

}  // namespace manta::python
