// What `.remote` is: hand-written types with vector calls for functions, classes and methods.
#pragma once

#include "bindings/python/py.h"

namespace manta::python {

// How a call's descriptor begins.
enum class CallKind : uint8_t { kFunction = 0, kConstructor = 1, kMethod = 2 };

struct CallHeader {
  static constexpr uint8_t kArgumentsInObject = 1;  // the last dependency holds them
  static constexpr uint8_t kStreams = 2;            // what is iterated over goes out item by item; a u32 follows the name: most_ahead
  static constexpr uint8_t kCollects = 4;           // it becomes one value, with a reference for each item
  static constexpr uint8_t kLabelled = 8;           // the task has another name than its function

  CallKind kind;
  uint8_t flags;
  uint16_t name_bytes;   // of a method, or with kLabelled: the function's name follows
  uint8_t digest[16];    // of a function or class: what it was exported under
};
static_assert(sizeof(CallHeader) == 20);

// num_returns of generators.
inline constexpr int kStreaming = -1;
inline constexpr int kDynamic = -2;

bool AddCallers(PyObject* module);

}  // namespace manta::python
